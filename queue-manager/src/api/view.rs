//! Jobs as the API shows them.

use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use queue_broker::Broker;
use queue_broker::jobs::StoredJob;
use queue_broker::prospects::{Outlook, Prospect};
use queue_protocol::Reason;
use queue_protocol::api::{Job, OutputFile, StartsIn};
use queue_protocol::link::JobResult;
use serde::Deserialize;

use crate::capabilities::Capabilities;
use crate::identity::Caller;
use crate::problem::Trouble;

/// Stored jobs with position, files and error. Files' addresses are the owner's seat's.
pub(crate) async fn jobs(
    broker: &Broker,
    capabilities: &Capabilities,
    stored: Vec<StoredJob>,
) -> Result<Vec<Job>, Trouble> {
    let ids: Vec<_> = stored.iter().map(|job| job.id).collect();
    let outlook = if ids.is_empty() { Outlook::default() } else { broker.outlook(&ids).await? };
    with_outlook(broker, capabilities, stored, &outlook).await
}

/// The same for a list: names of files are their owner's.
pub(crate) async fn listed(
    broker: &Broker,
    capabilities: &Capabilities,
    caller: &Caller,
    stored: Vec<StoredJob>,
) -> Result<Vec<Job>, Trouble> {
    let mut jobs = jobs(broker, capabilities, stored).await?;
    for job in jobs.iter_mut().filter(|job| job.participant != caller.name) {
        job.outputs.clear();
    }
    Ok(jobs)
}

/// One job, with its files for its owner and for whoever opened it.
pub(crate) async fn one(
    broker: &Broker,
    capabilities: &Capabilities,
    caller: &Caller,
    stored: StoredJob,
) -> Result<Job, Trouble> {
    let shown = stored.participant == caller.name || broker.is_open_to(&caller.name, stored.id).await?;
    let mut job = jobs(broker, capabilities, vec![stored]).await?.pop().ok_or(Trouble::NotFound)?;
    if !shown {
        job.outputs.clear();
    }
    Ok(job)
}

/// The same, with what was asked before.
pub(crate) async fn with_outlook(
    broker: &Broker,
    capabilities: &Capabilities,
    stored: Vec<StoredJob>,
    outlook: &Outlook,
) -> Result<Vec<Job>, Trouble> {
    let mut jobs = Vec::with_capacity(stored.len());
    for (job, prospect) in stored.into_iter().zip(&outlook.jobs) {
        let result = if job.state.is_end() { broker.result(job.id).await? } else { None };
        let on_hold = job.reason == Some(Reason::OnHold);
        let missing = if on_hold { capabilities.missing(job.id).await? } else { Vec::new() };
        jobs.push(Job { missing, ..view(job, *prospect, result) });
    }
    Ok(jobs)
}

pub(super) fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn view(job: StoredJob, prospect: Prospect, result: Option<JobResult>) -> Job {
    let place = prospect.place;
    let outputs = result.as_ref().map(|result| outputs(&job, result)).unwrap_or_default();
    Job {
        id: job.id,
        participant: job.participant,
        state: job.state,
        reason: job.reason,
        lane: job.lane,
        position: place.map(|place| place.position),
        people_ahead: place.map(|place| place.people_ahead),
        starts_in: place
            .and_then(|place| place.starts_in)
            .map(|(soonest, latest)| StartsIn { soonest_ms: ms(soonest), latest_ms: ms(latest) }),
        usual_ms: prospect.usual.map(ms),
        attempts: job.attempts,
        worker: job.worker,
        missing: Vec::new(),
        retry_of: job.retry_of,
        cancel_at: job.cancel_at,
        submitted_at: job.submitted_at,
        started_at: job.started_at,
        ended_at: job.ended_at,
        files: outputs.len() as u64,
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

impl FileReference {
    /// Its name below the folder of its job: the first folder of an output's reference is the job itself.
    pub(crate) fn in_its_job(&self) -> String {
        match self.subfolder.split_once('/') {
            Some((_, inner)) => format!("{inner}/{}", self.filename),
            None => self.filename.clone(),
        }
    }
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
