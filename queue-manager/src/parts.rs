//! What a worker's ComfyUI has for a tab beside their `object_info`: the scripts of custom nodes, which are shown only
//! after the instructor accepted exactly that set, and what these nodes list. Kept once per hash.

use std::collections::BTreeMap;
use std::sync::Arc;

use queue_broker::Broker;
use queue_protocol::api::{BrowserFile, BrowserFileSet};
use queue_protocol::link::{Lists, Part};
use queue_protocol::{FileHash, WorkerName, limits, timings};
use sha2::{Digest, Sha256};

use crate::files::{Files, StorePath};
use crate::problem::Trouble;
use crate::workflow::depth::has_more_values;

/// Path (`/extensions/NAME/x.js`) → text.
pub(crate) type Scripts = BTreeMap<String, String>;

/// What every seat has of the workers' custom nodes.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    /// Of accepted sets; where two have one path, the first worker's by name.
    pub(crate) scripts: Scripts,
    /// Of all workers together.
    pub(crate) lists: Lists,
}

/// The parts. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Parts {
    broker: Broker,
    files: Files,
    /// Believed for a second: a page asks for dozens of files.
    shown: moka::sync::Cache<(), Arc<Shown>>,
}

fn digest(bytes: &[u8]) -> Result<FileHash, Trouble> {
    hex::encode(Sha256::digest(bytes)).parse().map_err(|_| Trouble::Bug)
}

fn bad(why: &str) -> Trouble {
    Trouble::BadRequest(why.to_owned())
}

fn path(part: Part, hash: &FileHash) -> Result<StorePath, Trouble> {
    StorePath::new(&["parts", part.word(), hash.as_str()])
}

/// Folders of the frontend's own scripts and of the workshop's panel.
const OURS: [&str; 2] = ["core/", "atelier/"];

/// Whether a seat may serve a script under this path: one of a custom node, and none of the frontend's own.
fn is_script(path: &str) -> bool {
    let rest = path.strip_prefix("/extensions/").filter(|rest| rest.rsplit('.').next() == Some("js"));
    rest.is_some_and(|rest| {
        let ours = OURS.iter().any(|own| rest.starts_with(own));
        rest.contains('/') && !ours && StorePath::new(&["extensions", rest]).is_ok()
    })
}

impl Parts {
    pub(crate) fn new(broker: Broker, files: Files) -> Self {
        let shown = moka::sync::Cache::builder().max_capacity(1).time_to_live(timings::SESSION_CACHE).build();
        Self { broker, files, shown }
    }

    /// Whether a part was sent before.
    pub(crate) fn has(&self, part: Part, hash: &FileHash) -> Result<bool, Trouble> {
        Ok(self.files.entry(&path(part, hash)?).is_ok())
    }

    /// Keeps what a worker sent, if it is what its hash says and what the part is.
    ///
    /// # Errors
    /// [`Trouble::BadRequest`] when it is not.
    pub(crate) async fn put(&self, part: Part, hash: &FileHash, json: Vec<u8>) -> Result<(), Trouble> {
        if json.len() > limits::PART || digest(&json)? != *hash {
            return Err(bad("This is not what has that hash."));
        }
        if has_more_values(&json, limits::VALUES) {
            return Err(bad("This lists more than anybody has."));
        }
        match part {
            Part::BrowserFiles => {
                let scripts: Scripts = serde_json::from_slice(&json)?;
                if !scripts.keys().all(|path| is_script(path)) {
                    return Err(bad(
                        "Scripts are called /extensions/NAME/….js, and not as the frontend's own are.",
                    ));
                }
            }
            Part::Lists => drop(serde_json::from_slice::<Lists>(&json)?),
        }
        self.files.write(&path(part, hash)?, json).await?;
        self.shown.invalidate_all();
        Ok(())
    }

    /// Each part that a worker has now and has sent, with its workers by name.
    async fn of_workers(&self, part: Part) -> Result<Vec<(FileHash, Vec<WorkerName>)>, Trouble> {
        let mut found = Vec::<(FileHash, Vec<WorkerName>)>::new();
        let mut workers = self.broker.workers().await?;
        workers.sort_by(|(one, _), (other, _)| one.cmp(other));
        for (name, fields) in workers {
            let hash = fields.get(part.word()).and_then(|text| text.parse::<FileHash>().ok());
            let Some(hash) = hash.filter(|hash| matches!(self.has(part, hash), Ok(true))) else { continue };
            match found.iter_mut().find(|(known, _)| *known == hash) {
                Some((_, names)) => names.push(name),
                None => found.push((hash, vec![name])),
            }
        }
        Ok(found)
    }

    async fn scripts(&self, hash: &FileHash) -> Result<Scripts, Trouble> {
        Ok(serde_json::from_slice(&self.files.read(&path(Part::BrowserFiles, hash)?).await?)?)
    }

    /// Every set of scripts that a worker has now; those that wait for the instructor first.
    pub(crate) async fn sets(&self) -> Result<Vec<BrowserFileSet>, Trouble> {
        let accepted = self.broker.accepted_browser_files().await?;
        let mut sets = Vec::new();
        for (hash, workers) in self.of_workers(Part::BrowserFiles).await? {
            let mut files = Vec::new();
            for (path, text) in self.scripts(&hash).await? {
                files.push(BrowserFile { sha256: digest(text.as_bytes())?, size: text.len() as u64, path });
            }
            sets.push(BrowserFileSet { accepted: accepted.contains(&hash), hash, workers, files });
        }
        sets.sort_by_key(|set| set.accepted);
        Ok(sets)
    }

    /// Accepts a set that a worker has now, or takes that back from any. Answers whether that changed anything.
    ///
    /// # Errors
    /// [`Trouble::NotFound`] when there is no such set.
    pub(crate) async fn accept(&self, hash: &FileHash, accepted: bool) -> Result<bool, Trouble> {
        let known = self.of_workers(Part::BrowserFiles).await?.iter().any(|(known, _)| known == hash);
        if accepted && !known {
            return Err(Trouble::NotFound);
        }
        let changed = self.broker.accept_browser_files(hash, accepted).await?;
        self.shown.invalidate_all();
        if changed || accepted { Ok(changed) } else { Err(Trouble::NotFound) }
    }

    /// What every seat has.
    pub(crate) async fn shown(&self) -> Result<Arc<Shown>, Trouble> {
        if let Some(shown) = self.shown.get(&()) {
            return Ok(shown);
        }
        let accepted = self.broker.accepted_browser_files().await?;
        let mut shown = Shown::default();
        for (hash, _) in self.of_workers(Part::BrowserFiles).await? {
            if accepted.contains(&hash) {
                for (path, text) in self.scripts(&hash).await? {
                    shown.scripts.entry(path).or_insert(text);
                }
            }
        }
        for (hash, _) in self.of_workers(Part::Lists).await? {
            let json = self.files.read(&path(Part::Lists, &hash)?).await?;
            add(&mut shown.lists, serde_json::from_slice(&json)?);
        }
        let shown = Arc::new(shown);
        self.shown.insert((), Arc::clone(&shown));
        Ok(shown)
    }
}

/// What one worker has and the ones before it have not.
fn add(lists: &mut Lists, more: Lists) {
    lists.embeddings.extend(more.embeddings);
    lists.embeddings.sort();
    lists.embeddings.dedup();
    for (class, replacement) in more.node_replacements {
        lists.node_replacements.entry(class).or_insert(replacement);
    }
    for (language, texts) in more.i18n {
        lists.i18n.entry(language).or_insert(texts);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_a_custom_nodes_and_stays_in_its_folder() {
        assert!(is_script("/extensions/ComfyUI-Notes/js/notes.js"));
        for other in [
            "/extensions/core/groupNode.js",
            "/extensions/atelier/panel.js",
            "/extensions/notes.js",
            "/extensions/a/../core/x.js",
            "/extensions/a//x.js",
            "/extensions/a/x.html",
            "/assets/index.js",
            "extensions/a/x.js",
        ] {
            assert!(!is_script(other), "{other}");
        }
    }

    #[test]
    fn lists_of_all_workers_are_one_and_the_first_has_the_say() {
        let read = |json: &str| serde_json::from_str::<Lists>(json).unwrap();
        let mut lists = read(r#"{"embeddings":["b"],"node_replacements":{"Old":[1]}}"#);
        add(&mut lists, read(r#"{"embeddings":["a","b"],"node_replacements":{"Old":[2],"Older":[3]}}"#));
        let expected = r#"{"embeddings":["a","b"],"node_replacements":{"Old":[1],"Older":[3]}}"#;
        assert_eq!(lists, read(expected));
    }
}
