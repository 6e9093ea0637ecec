//! Inputs to ComfyUI, outputs to the queue-manager. Names in the graph and in messages change with them; the stored
//! workflow never does.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use queue_client::ClientError;
use queue_protocol::link::{BoundInput, HeldLease, Offer};
use queue_protocol::{JobId, limits};
use reqwest::Body;
use serde_json::{Value, json};
use tokio::time::Instant;
use tokio_util::io::ReaderStream;

use super::trouble::Trouble;
use super::watch::Silence;
use super::{Orders, Surroundings, graph, orders};
use crate::comfyui::FileName;

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How often a queue-manager that answers that it cannot is asked again about one file: a disk that is full may be emptied,
/// and what is broken stays so.
const TRIES: u32 = 6;

fn local(path: &Path) -> impl Fn(std::io::Error) -> Trouble + '_ {
    move |error| Trouble::Files(format!("{}: {error}", path.display()))
}

/// Moves one job's files. A queue-manager that is away is waited for, as long as the claim lives: a finished film must
/// not fail because of a restart.
pub(super) struct Mover {
    pub(super) with: Surroundings,
    pub(super) lease: HeldLease,
    pub(super) heard: orders::Receiver<Orders>,
}

impl Mover {
    /// For one file, or one question: how often, and for how long, it is tried.
    pub(super) fn patience(&self) -> Patience<'_> {
        Patience { mover: self, pause: FIRST_PAUSE, refused: 0, silence: Silence::default() }
    }

    /// Waits until it is told to end in such a way; without a link, which is gone for good then, the claim is over.
    pub(super) async fn told(&self, when: fn(Orders) -> bool) -> Trouble {
        let mut heard = self.heard.clone();
        match heard.wait_for(|orders| when(*orders)).await.as_deref() {
            Ok(Orders::Stop) => Trouble::Stopped,
            Ok(Orders::LetGo) => Trouble::LetGo,
            Ok(Orders::Run | Orders::Abandon) | Err(_) => Trouble::Abandoned,
        }
    }
}

/// How much more of the trouble with one thing is borne.
pub(super) struct Patience<'a> {
    mover: &'a Mover,
    pause: Duration,
    refused: u32,
    silence: Silence,
}

impl Patience<'_> {
    /// Tries it; `None` when it is time to try again. The end of the claim drops it half done, a stop ends the waiting.
    pub(super) async fn attempt<T, E: Into<Trouble>>(
        &mut self,
        moving: impl Future<Output = Result<T, E>>,
    ) -> Result<Option<T>, Trouble> {
        let moved = tokio::select! {
            biased;
            over = self.mover.told(Orders::end_the_claim) => return Err(over),
            moved = moving => moved.map_err(E::into),
        };
        let trouble = match moved {
            Ok(moved) => return Ok(Some(moved)),
            Err(trouble) => trouble,
        };
        let why = self.bear(trouble)?;
        tracing::warn!(job.id = %self.mover.lease.job, why, "a file waits");
        tokio::select! {
            biased;
            over = self.mover.told(Orders::end_the_job) => return Err(over),
            () = tokio::time::sleep(self.pause) => {}
        }
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        Ok(None)
    }

    /// Why it is tried again, or the trouble that ends it.
    fn bear(&mut self, trouble: Trouble) -> Result<String, Trouble> {
        match trouble {
            Trouble::QueueManagerAway(why) => Ok(why),
            Trouble::ComfyuiSilent(why) if !self.silence.is_too_long(Instant::now()) => Ok(why),
            Trouble::QueueManagerUnable(why) if self.refused + 1 < TRIES => {
                self.refused += 1;
                Ok(why)
            }
            other => Err(other),
        }
    }
}

/// Fetches what the graph names (once per content), gives it to ComfyUI under a name of ours, and puts that name into
/// the graph.
pub(super) async fn place_inputs(mover: &Mover, offer: &Offer, body: &mut Value) -> Result<(), Trouble> {
    let (with, lease) = (&mover.with, mover.lease);
    for input in &offer.inputs {
        let mut patience = mover.patience();
        let path = loop {
            if let Some(path) = patience.attempt(fetch(with, lease, input)).await? {
                break path;
            }
        };
        // `x.png [temp]`
        let plain = input.name.split(" [").next().unwrap_or_default();
        let ending = Path::new(plain).extension().and_then(|e| e.to_str());
        let name =
            ending.map_or_else(|| input.sha256.to_string(), |ending| format!("{}.{ending}", input.sha256));
        let folder = format!("{}/{}", graph::own_folder(&with.worker), offer.participant);
        let file = tokio::fs::File::open(&path).await.map_err(local(&path))?;
        with.comfyui.upload(&folder, &name, Body::wrap_stream(ReaderStream::new(file))).await?;
        body["prompt"][&input.node]["inputs"][&input.input] = json!(format!("{folder}/{name}"));
    }
    Ok(())
}

async fn fetch(with: &Surroundings, lease: HeldLease, input: &BoundInput) -> Result<PathBuf, Trouble> {
    let get = async |path: &Path| with.transfer.input(lease, &input.sha256, path).await;
    Ok(with.cache.get(&input.sha256, input.size, get).await?)
}

/// Files of this job that the queue-manager has, and how they are called there.
#[derive(Debug, Default)]
pub(super) struct Stored(HashMap<FileName, String>);

/// Stores every file that a node's output names and names it as the job's own. Answers how many of them were not
/// stored before.
pub(super) async fn move_outputs(
    mover: &Mover,
    stored: &mut Stored,
    output: &mut Value,
) -> Result<usize, Trouble> {
    let (with, lease) = (&mover.with, mover.lease);
    let mut references = Vec::new();
    find_references(output, &mut references);
    let mut fresh = 0;
    for reference in references {
        let Some(name) = file_name(reference) else {
            continue;
        };
        if !stored.0.contains_key(&name) {
            let mut patience = mover.patience();
            while patience.attempt(store(with, lease, &name)).await?.is_none() {}
            let shown = graph::shown_folder(&with.worker, &name.subfolder);
            stored.0.insert(name.clone(), jobs_folder(lease.job, shown));
            fresh += 1;
        }
        reference["subfolder"] = json!(stored.0[&name]);
    }
    Ok(fresh)
}

fn jobs_folder(job: JobId, subfolder: &str) -> String {
    if subfolder.is_empty() { job.to_string() } else { format!("{job}/{subfolder}") }
}

async fn store(with: &Surroundings, lease: HeldLease, name: &FileName) -> Result<(), Trouble> {
    let file = with.comfyui.file(name).await?;
    let too_large = || {
        let most = limits::FILE / (1024 * 1024 * 1024);
        Trouble::Files(format!(
            "{} is larger than {most} GiB, the most that one file may have.",
            name.filename
        ))
    };
    if file.size.is_some_and(|size| size > limits::FILE as u64) {
        return Err(too_large());
    }
    let folders =
        graph::shown_folder(&with.worker, &name.subfolder).split('/').filter(|part| !part.is_empty());
    let path = folders
        .chain([name.filename.as_str()])
        .map(|part| utf8_percent_encode(part, NON_ALPHANUMERIC).to_string())
        .collect::<Vec<_>>()
        .join("/");
    match with.transfer.output(lease, &name.kind, &path, file.body).await {
        Err(ClientError::TooLarge) => Err(too_large()),
        answered => Ok(answered?),
    }
}

/// Every `{filename, subfolder, type}` in an output, however deep; inputs stay what they are.
fn find_references<'a>(value: &'a mut Value, found: &mut Vec<&'a mut Value>) {
    if file_name(value).is_some() {
        found.push(value);
        return;
    }
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| find_references(item, found)),
        Value::Object(fields) => fields.values_mut().for_each(|item| find_references(item, found)),
        _ => {}
    }
}

fn file_name(value: &Value) -> Option<FileName> {
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    let kind = text("type").filter(|kind| matches!(*kind, "output" | "temp"))?;
    Some(FileName {
        kind: kind.to_owned(),
        subfolder: text("subfolder").unwrap_or_default().to_owned(),
        filename: text("filename")?.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_an_output_is_found_and_nothing_else() {
        let mut output = json!({
            "images": [{"filename": "a.png", "subfolder": "x", "type": "output"}],
            "gifs": [{"filename": "b.mp4", "type": "temp", "frame_rate": 8}],
            "source": {"filename": "in.png", "subfolder": "", "type": "input"},
            "text": ["type"], "animated": [true],
        });
        let mut found = Vec::new();
        find_references(&mut output, &mut found);
        let names: Vec<_> = found.iter().map(|value| file_name(value).unwrap().filename).collect();
        assert_eq!(names, ["a.png", "b.mp4"]);
    }
}
