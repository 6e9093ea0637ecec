//! What was submitted, read back in the parts that ComfyUI shows.

use queue_broker::jobs::StoredJob;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::files::outputs;
use crate::problem::Trouble;
use crate::workflow::Graph;
use crate::workflow::submit::Door;

/// A stored request body.
#[derive(Deserialize)]
pub(crate) struct StoredBody {
    /// The graph.
    pub(crate) prompt: Box<RawValue>,
    /// What came with it, without the keys of paid nodes.
    #[serde(default)]
    pub(crate) extra_data: Option<Box<RawValue>>,
}

/// The bytes as they were stored, from wherever they are.
pub(crate) async fn bytes(door: &Door, job: &StoredJob) -> Result<Vec<u8>, Trouble> {
    if job.body_in_files {
        return Ok(door
            .files
            .read(&outputs::body_path(&job.participant, &job.body_hash)?)
            .await?);
    }
    door.broker.body(job.id).await?.ok_or(Trouble::NotFound)
}

/// The parts.
pub(super) async fn read(door: &Door, job: &StoredJob) -> Result<StoredBody, Trouble> {
    Ok(serde_json::from_slice(&bytes(door, job).await?)?)
}

impl StoredBody {
    /// ComfyUI's five: number, id, graph, extra data, ids of output nodes.
    pub(super) async fn item(&self, door: &Door, job: &StoredJob) -> Result<serde_json::Value, Trouble> {
        let known = door.capabilities.known().await?;
        let graph = Graph::read(&self.prompt).map_err(Trouble::Workflow)?;
        let outputs: Vec<_> = graph
            .nodes
            .iter()
            .filter(|(_, node)| known.is_output(node.class()))
            .map(|(id, _)| id)
            .collect();
        Ok(serde_json::json!([
            job.seq,
            job.id,
            self.prompt,
            self.extra(job)?,
            outputs
        ]))
    }

    /// `extra_data` as ComfyUI shows it: with the tab's id and the time of submission.
    pub(super) fn extra(&self, job: &StoredJob) -> Result<serde_json::Value, Trouble> {
        let mut extra = match &self.extra_data {
            Some(raw) => serde_json::from_str(raw.get())?,
            None => serde_json::json!({}),
        };
        if let Some(fields) = extra.as_object_mut() {
            fields.insert("create_time".to_owned(), job.submitted_at.into());
            if let Some(client) = &job.client {
                fields.insert("client_id".to_owned(), client.as_str().into());
            }
        }
        Ok(extra)
    }
}
