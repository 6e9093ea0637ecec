//! What was submitted, read back in the parts that ComfyUI shows, each left as the text it is: a list of large workflows
//! must not become a list of large trees.

use std::collections::BTreeMap;

use queue_broker::jobs::StoredJob;
use queue_protocol::JobId;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use crate::capabilities::Known;
use crate::files::outputs;
use crate::problem::Trouble;
use crate::workflow::Graph;
use crate::workflow::submit::Door;

/// Bytes of workflows in one list; what is over it is listed without its graph.
const LIST: usize = 32 * 1024 * 1024;

type Fields = BTreeMap<String, Box<RawValue>>;

/// A stored request body.
#[derive(Deserialize)]
pub(crate) struct StoredBody {
    /// The graph.
    pub(crate) prompt: Box<RawValue>,
    /// What came with it, without the keys of paid nodes.
    #[serde(default)]
    extra_data: Option<Fields>,
}

/// ComfyUI's five: number, id, graph, extra data, ids of output nodes.
#[derive(Serialize)]
pub(super) struct Item(u64, JobId, Box<RawValue>, Fields, Vec<String>);

/// The bytes as they were stored, from wherever they are.
pub(crate) async fn bytes(door: &Door, job: &StoredJob) -> Result<Vec<u8>, Trouble> {
    if job.body_in_files {
        return Ok(door.files.read(&outputs::body_path(&job.participant, &job.body_hash)?).await?);
    }
    door.broker.body(job.id).await?.ok_or(Trouble::NotFound)
}

/// Reads bodies for one answer, and counts what it holds.
pub(super) struct Reader<'a> {
    door: &'a Door,
    known: Known,
    held: usize,
}

impl<'a> Reader<'a> {
    pub(super) async fn new(door: &'a Door) -> Result<Self, Trouble> {
        Ok(Self { door, known: door.capabilities.known().await?, held: 0 })
    }

    /// The parts of one body.
    pub(super) async fn body(&mut self, job: &StoredJob) -> Result<StoredBody, Trouble> {
        if self.held > LIST {
            return Ok(StoredBody { prompt: to_raw_value(&serde_json::json!({}))?, extra_data: None });
        }
        let bytes = bytes(self.door, job).await?;
        self.held += bytes.len();
        Ok(serde_json::from_slice(&bytes)?)
    }

    /// One job as `queue` and `history` list it.
    pub(super) async fn item(&mut self, job: &StoredJob) -> Result<Item, Trouble> {
        let body = self.body(job).await?;
        let extra = body.extra(job)?;
        let outputs = match Graph::read(&body.prompt) {
            Ok(graph) => graph
                .nodes
                .iter()
                .filter(|(_, node)| self.known.is_output(node.class()))
                .map(|(id, _)| id.clone())
                .collect(),
            Err(_) => Vec::new(),
        };
        Ok(Item(job.seq, job.id, body.prompt, extra, outputs))
    }
}

impl StoredBody {
    /// `extra_data` as ComfyUI shows it: with the tab's id and the time of submission.
    pub(super) fn extra(&self, job: &StoredJob) -> Result<Fields, Trouble> {
        let mut extra = self.extra_data.clone().unwrap_or_default();
        extra.insert("create_time".to_owned(), to_raw_value(&job.submitted_at)?);
        if let Some(client) = &job.client {
            extra.insert("client_id".to_owned(), to_raw_value(client)?);
        }
        Ok(extra)
    }
}
