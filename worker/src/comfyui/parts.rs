//! What a ComfyUI has for a tab beside its `object_info`: the scripts of its custom nodes, and what these list. A ComfyUI
//! that does not answer here, as older ones do, has none; jobs do not depend on it.

use std::collections::BTreeMap;

use queue_protocol::link::{Lists, Part};
use queue_protocol::{FileHash, limits};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::{Comfyui, ComfyuiError};

/// Scripts of the frontend itself, which a seat has of its own.
const FRONTENDS_OWN: &str = "/extensions/core/";

/// One part as it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// SHA-256 of the text.
    pub hash: FileHash,
    /// The text: the same for the same content, whatever the order in which ComfyUI lists it.
    pub json: Vec<u8>,
}

impl Described {
    fn of(part: Part, content: &impl Serialize) -> Option<Self> {
        let json = serde_json::to_vec(content).ok()?;
        if json.len() > limits::PART {
            tracing::warn!(part = part.word(), bytes = json.len(), "too large for tabs; they do without");
            return None;
        }
        let hash = hex::encode(Sha256::digest(&json)).parse().ok()?;
        Some(Self { hash, json })
    }
}

impl Comfyui {
    /// Every part that there is.
    pub(super) async fn parts(&self) -> BTreeMap<Part, Described> {
        let (files, lists) = (self.browser_files().await, self.lists().await);
        let files = Described::of(Part::BrowserFiles, &files).filter(|_| !files.is_empty());
        let lists = Described::of(Part::Lists, &lists).filter(|_| lists != Lists::default());
        let parts = [(Part::BrowserFiles, files), (Part::Lists, lists)];
        parts.into_iter().filter_map(|(part, described)| Some((part, described?))).collect()
    }

    async fn asked<T: DeserializeOwned + Default>(&self, path: &str) -> T {
        let answer = async { Ok::<T, ComfyuiError>(self.get(path).await?.json().await?) };
        answer.await.unwrap_or_else(|error| {
            tracing::debug!(path, %error, "ComfyUI does not say this");
            T::default()
        })
    }

    async fn lists(&self) -> Lists {
        let mut embeddings: Vec<String> = self.asked("/embeddings").await;
        embeddings.sort();
        let node_replacements = self.asked("/node_replacements").await;
        Lists { embeddings, node_replacements, i18n: self.asked("/i18n").await }
    }

    /// The scripts of custom nodes. One that cannot be read is left out.
    async fn browser_files(&self) -> BTreeMap<String, String> {
        let listed: Vec<String> = self.asked("/extensions").await;
        let custom = listed.into_iter().filter(|path| is_custom(path));
        let (mut files, mut bytes) = (BTreeMap::new(), 0);
        for path in custom {
            match self.script(&path).await {
                Ok(text) => {
                    bytes += text.len();
                    files.insert(path, text);
                }
                Err(error) => tracing::warn!(path, %error, "a script of a custom node cannot be read"),
            }
            if bytes > limits::PART {
                break;
            }
        }
        files
    }

    async fn script(&self, path: &str) -> Result<String, ComfyuiError> {
        let bytes = self.get(path).await?.bytes().await?;
        String::from_utf8(bytes.to_vec()).map_err(|_| ComfyuiError::Unexpected("it is no text".to_owned()))
    }
}

fn is_custom(path: &str) -> bool {
    path.starts_with("/extensions/") && !path.starts_with(FRONTENDS_OWN) && !path.contains(['?', '#'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_scripts_of_custom_nodes_are_sent() {
        assert!(is_custom("/extensions/ComfyUI-Notes/js/notes.js"));
        for other in [
            "/extensions/core/groupNode.js",
            "/scripts/app.js",
            "https://elsewhere/x.js",
            "/extensions/a.js?x",
        ] {
            assert!(!is_custom(other), "{other}");
        }
    }

    #[test]
    fn the_same_scripts_are_one_set_and_another_byte_is_another() {
        let set = |text: &str| {
            let files = BTreeMap::from([("/extensions/a/a.js", text), ("/extensions/b/b.js", "b")]);
            Described::of(Part::BrowserFiles, &files).unwrap().hash
        };
        assert_eq!(set("a"), set("a"));
        assert_ne!(set("a"), set("A"));
        assert!(Described::of(Part::BrowserFiles, &"x".repeat(limits::PART)).is_none());
    }
}
