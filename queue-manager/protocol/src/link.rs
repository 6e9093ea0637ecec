//! The worker link: every message in both directions. Text frames are JSON, one message each, tagged by name
//! (`{"renew": {…}}`); an unknown message closes the link with a reason.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::ids::{AccountName, FileHash, JobId, LeaseToken, WorkerName};
use crate::job::FailureKind;
use crate::secret::Secret;
use crate::timings::Timings;

/// A claim as both sides name it in every later message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeldLease {
    /// The job that is lent.
    pub job: JobId,
    /// The token of that claim; an older one is answered `lost`.
    pub token: LeaseToken,
}

/// What a worker says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum FromWorker {
    /// First message of every connection.
    Hello(Hello),
    /// Nothing runs here: lend me a job when there is one. Answered by `job`, now or later.
    Ready,
    /// Lend me nothing until I say `ready` again. What runs goes on.
    Unready(Unready),
    /// Still alive, and still at these jobs.
    Renew(Renew),
    /// One ComfyUI message, for the tab that submitted the job.
    Event(Event),
    /// The job ended well.
    Finished(Finished),
    /// The job ended badly.
    Failed(Failed),
    /// Given back unharmed; it goes to the head of its line.
    Released(HeldLease),
}

/// What a worker is told.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ToWorker {
    /// Answer to `hello`.
    Welcome(Welcome),
    /// A job and its lease. Sent again with the same token when the worker does not list it in `hello`.
    Job(Box<Offer>),
    /// Interrupt this job and report how it ended.
    Cancel(HeldLease),
    /// This lease is not yours any more: stop, and throw the files away.
    Lost(HeldLease),
    /// The end you reported is stored (or was known already); forget the job.
    Settled(HeldLease),
    /// What probably comes next: its inputs may be fetched now. The hint ends with the next hint and the next `job`.
    Next(Next),
    /// Finish what runs, then claim nothing until `resume`.
    Drain,
    /// Claim again: say `ready` when you are.
    Resume,
    /// A newer link with this worker's token is open. This one is over, and what it holds is the newer one's.
    Replaced,
}

/// Why a worker takes no job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unready {
    /// It was told to stop, and goes when what runs has ended.
    Leaving,
    /// Its ComfyUI does not answer.
    ComfyuiAway,
    /// Its ComfyUI goes on with a prompt that it was told to stop.
    ComfyuiStuck,
}

impl Unready {
    /// The word that Redis, the API and the pages use.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Leaving => "leaving",
            Self::ComfyuiAway => "comfyui_away",
            Self::ComfyuiStuck => "comfyui_stuck",
        }
    }
}

/// Who the worker is and what it still holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hello {
    /// The worker's own version.
    pub version: String,
    /// Name of the GPU, as ComfyUI tells it.
    pub gpu: String,
    /// Memory of the GPU in bytes; 0 when unknown.
    pub vram_total: u64,
    /// ComfyUI's version; ends in `-simulated` for the simulated one.
    pub comfyui_version: String,
    /// SHA-256 of the `object_info` this worker serves; sent once per hash over HTTP.
    pub object_info: FileHash,
    /// SHA-256 of each further part of its description; sent once per hash over HTTP.
    pub parts: BTreeMap<Part, FileHash>,
    /// Claims this process still works on.
    pub leases: Vec<HeldLease>,
    /// Whether this process was `replaced` before: then it takes its place back only when no other link is open, so that
    /// two processes with one token do not throw each other out for ever.
    pub yielding: bool,
}

/// What else a ComfyUI has for a tab, beside its `object_info`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The scripts of its custom nodes that a browser loads: path (`/extensions/NAME/x.js`) → text.
    BrowserFiles,
    /// What its custom nodes list for the editor: [`Lists`].
    Lists,
}

impl Part {
    /// Both.
    pub const ALL: [Self; 2] = [Self::BrowserFiles, Self::Lists];

    /// The word that paths and Redis use.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::BrowserFiles => "browser_files",
            Self::Lists => "lists",
        }
    }
}

/// Data of custom nodes that the editor asks for, as ComfyUI answers it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Lists {
    /// Names of embeddings.
    pub embeddings: Vec<String>,
    /// Class → what replaces it.
    pub node_replacements: BTreeMap<String, serde_json::Value>,
    /// Language → texts.
    pub i18n: BTreeMap<String, serde_json::Value>,
}

/// A sign of life, every `renew_every_ms`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Renew {
    /// Claims this process works on.
    pub leases: Vec<HeldLease>,
    /// Whether ComfyUI answered within the last poll.
    pub comfyui_alive: bool,
    /// Free memory of the GPU in bytes; 0 when unknown.
    pub vram_free: u64,
}

/// One text message of ComfyUI, as it sent it but for file references, which name the job's own files.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// The job the message belongs to.
    pub job: JobId,
    /// The claim it was made under.
    pub token: LeaseToken,
    /// Grows with every message of the claim, from [`Offer::said`]. A message that may not have arrived is sent again on the next link
    /// with the same number, and is told once.
    pub number: u64,
    /// `{"type": …, "data": {…}}`.
    pub frame: Box<RawValue>,
}

/// A job that ended well.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finished {
    /// The job.
    pub job: JobId,
    /// The claim.
    pub token: LeaseToken,
    /// What it left.
    pub result: JobResult,
}

/// A job that ended badly.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failed {
    /// The job.
    pub job: JobId,
    /// The claim.
    pub token: LeaseToken,
    /// What kind of failure, which decides whether the job may run again.
    pub kind: FailureKind,
    /// What it left, with the error.
    pub result: JobResult,
}

/// What a job left, in ComfyUI's own shapes, so that history and events need no translation.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobResult {
    /// Node id → that node's output (`{"images": [{filename, subfolder, type}], …}`).
    #[serde(default)]
    pub outputs: BTreeMap<String, Box<RawValue>>,
    /// ComfyUI's status messages (`["execution_start", {…}]`), oldest first.
    #[serde(default)]
    pub messages: Vec<Box<RawValue>>,
    /// ComfyUI's display data per node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meta: Option<Box<RawValue>>,
    /// Why it ended badly; `None` when it ended well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<JobError>,
}

/// The words of a failure, in the fields that ComfyUI's frontend shows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct JobError {
    /// The node that failed; empty for a failure of the service.
    pub node_id: String,
    /// Its class.
    pub node_type: String,
    /// One sentence for a person.
    pub exception_message: String,
    /// The error's type, e.g. `torch.OutOfMemoryError`.
    pub exception_type: String,
    /// Lines of a traceback; may be empty.
    pub traceback: Vec<String>,
}

/// Answer to `hello`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Welcome {
    /// The name behind the worker's token.
    pub worker: WorkerName,
    /// Durations to live by.
    pub timings: Timings,
    /// Whether the `object_info` with the announced hash must still be sent before `ready`.
    pub send_object_info: bool,
    /// Further parts that must still be sent, at any time.
    pub send_parts: Vec<Part>,
}

/// A job with everything the worker needs to run it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Offer {
    /// The job, which is also the `prompt_id` at ComfyUI.
    pub job: JobId,
    /// The claim.
    pub token: LeaseToken,
    /// Whose job; names the folder its inputs go to.
    pub participant: AccountName,
    /// How many times the job was claimed, this time included.
    pub attempt: u32,
    /// The stored request body; `None` when it is larger than [`crate::limits::BODY_ON_LINK`] and is to be
    /// fetched over HTTP.
    pub body: Option<Box<RawValue>>,
    /// Uploaded files the graph names.
    pub inputs: Vec<BoundInput>,
    /// Keys of paid nodes for the prompt's `extra_data`; to be kept nowhere and said to nobody else.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub keys: BTreeMap<String, Secret>,
    /// The number of this claim's last message that is known; the next one has a larger one. Above 0 for a worker that
    /// was restarted, or took another's place, and goes on with the same claim.
    pub said: u64,
}

/// The job that a worker will probably be lent next, as far as it may know it: what to fetch, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Next {
    /// The job.
    pub job: JobId,
    /// The content of its inputs, each once.
    pub inputs: Vec<HintedInput>,
}

/// The content of an input, without the name it has in somebody's workflow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HintedInput {
    /// The content.
    pub sha256: FileHash,
    /// Bytes.
    pub size: u64,
}

/// An input whose name was bound to its content when the job was submitted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BoundInput {
    /// Node of the graph.
    pub node: String,
    /// Input of that node.
    pub input: String,
    /// The name as the graph has it.
    pub name: String,
    /// The content.
    pub sha256: FileHash,
    /// Bytes.
    pub size: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_keeps_the_bytes_of_its_frame() {
        let frame = r#"{"type":"executing","data":{"node":null,  "prompt_id":"x"}}"#;
        let job = "7f2c1b9e-0a55-4b7c-9f56-0e6c56b1f001";
        let text = format!(r#"{{"event":{{"job":"{job}","token":7,"number":1,"frame":{frame}}}}}"#);
        let FromWorker::Event(event) = serde_json::from_str(&text).unwrap() else { panic!("an event") };
        assert_eq!(event.frame.get(), frame);
        assert_eq!(serde_json::to_string(&FromWorker::Event(event)).unwrap(), text);
    }

    #[test]
    fn a_message_or_field_nobody_knows_is_refused() {
        assert!(serde_json::from_str::<FromWorker>(r#"{"hallo":{}}"#).is_err());
        let extra = r#"{"released":{"job":"7f2c1b9e-0a55-4b7c-9f56-0e6c56b1f001","token":1,"why":"x"}}"#;
        assert!(serde_json::from_str::<FromWorker>(extra).is_err());
    }

    #[test]
    fn the_wire_form_is_pinned() {
        let hello = FromWorker::Hello(Hello {
            version: "0.1.0".into(),
            gpu: "simulated GPU".into(),
            vram_total: 0,
            comfyui_version: "0.28.0-simulated".into(),
            object_info: "0".repeat(64).parse().unwrap(),
            parts: BTreeMap::from([(Part::BrowserFiles, "1".repeat(64).parse().unwrap())]),
            leases: vec![],
            yielding: false,
        });
        insta::assert_json_snapshot!(hello);
        let welcome = ToWorker::Welcome(Welcome {
            worker: "gpu-1".parse().unwrap(),
            timings: Timings::standard(),
            send_object_info: true,
            send_parts: vec![Part::Lists],
        });
        insta::assert_json_snapshot!(welcome);
        insta::assert_json_snapshot!(FromWorker::Unready(Unready::ComfyuiStuck));
        let next = ToWorker::Next(Next {
            job: JobId::from_bytes([7; 16]),
            inputs: vec![HintedInput { sha256: "1".repeat(64).parse().unwrap(), size: 12 }],
        });
        insta::assert_json_snapshot!(next);
    }
}
