//! Jobs as the API shows them.

use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use queue_broker::jobs::StoredJob;
use queue_broker::transitions::position::Prospect;
use queue_broker::{Broker, BrokerError};
use queue_protocol::api::{Job, OutputFile, StartsIn};
use queue_protocol::link::JobResult;
use serde::Deserialize;

/// Stored jobs with position, files and error. Files' addresses are the owner's seat's.
pub(crate) async fn jobs(broker: &Broker, stored: Vec<StoredJob>) -> Result<Vec<Job>, BrokerError> {
    let ids: Vec<_> = stored.iter().map(|job| job.id).collect();
    let prospects = broker.prospects(&ids).await?;
    let mut jobs = Vec::with_capacity(stored.len());
    for (job, prospect) in stored.into_iter().zip(prospects) {
        let result = if job.state.is_end() { broker.result(job.id).await? } else { None };
        jobs.push(view(job, prospect, result));
    }
    Ok(jobs)
}

pub(super) fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn view(job: StoredJob, prospect: Option<Prospect>, result: Option<JobResult>) -> Job {
    let outputs = result.as_ref().map(|result| outputs(&job, result)).unwrap_or_default();
    Job {
        id: job.id,
        participant: job.participant,
        state: job.state,
        reason: job.reason,
        lane: job.lane,
        position: prospect.map(|prospect| prospect.position),
        starts_in: prospect
            .and_then(|prospect| prospect.starts_in)
            .map(|(soonest, latest)| StartsIn { soonest_ms: ms(soonest), latest_ms: ms(latest) }),
        attempts: job.attempts,
        worker: job.worker,
        retry_of: job.retry_of,
        cancel_at: job.cancel_at,
        submitted_at: job.submitted_at,
        started_at: job.started_at,
        ended_at: job.ended_at,
        outputs,
        error: result.and_then(|result| result.error),
    }
}

/// A file reference as ComfyUI writes it in a node's output.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct FileReference {
    pub(crate) filename: String,
    #[serde(default)]
    pub(crate) subfolder: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
}

/// Every file reference of a result: (node, name of the list it stood in, reference).
pub(crate) fn references(result: &JobResult) -> Vec<(String, String, FileReference)> {
    let mut found = Vec::new();
    for (node, output) in &result.outputs {
        let Ok(lists) = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(output.get())
        else {
            continue;
        };
        for (list, items) in lists {
            for item in items.as_array().into_iter().flatten() {
                let reference = serde_json::from_value::<FileReference>(item.clone());
                if let Some(reference) =
                    reference.ok().filter(|file| matches!(file.kind.as_str(), "output" | "temp"))
                {
                    found.push((node.clone(), list.clone(), reference));
                }
            }
        }
    }
    found
}

fn outputs(job: &StoredJob, result: &JobResult) -> Vec<OutputFile> {
    let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    references(result)
        .into_iter()
        .map(|(node, _, file)| OutputFile {
            node,
            url: format!(
                "/{}/api/view?filename={}&subfolder={}&type={}",
                job.participant,
                encode(&file.filename),
                encode(&file.subfolder),
                encode(&file.kind)
            ),
            filename: file.filename,
            kind: file.kind,
        })
        .collect()
}
