//! What the queue itself has to tell a tab about its job: what happens while no worker has it, and that it failed, once
//! that is decided. In ComfyUI's own messages, because an unmodified frontend knows no others.

use queue_broker::Broker;
use queue_protocol::feed::JobChange;
use queue_protocol::link::JobResult;
use queue_protocol::{JobId, JobState, Reason};
use serde_json::{Value, json};

/// The messages for the tab that submitted the job; none for changes that its worker tells.
pub(super) async fn about(broker: &Broker, change: &JobChange) -> Vec<Value> {
    match (change.state, change.reason) {
        (JobState::Pending, Some(Reason::WorkerLost)) => {
            vec![waiting(change.job, "the GPU was lost, your job is back in line and will run again")]
        }
        (JobState::Pending, Some(Reason::Released)) => {
            vec![waiting(change.job, "the GPU stopped, your job is back in line and will run again")]
        }
        (JobState::Pending, Some(Reason::BackingOff)) => {
            vec![waiting(change.job, "the last attempt failed, your job will be tried again")]
        }
        (JobState::Pending, Some(Reason::OnHold)) => {
            vec![waiting(change.job, "no GPU that is here has what your job needs")]
        }
        (JobState::Failed, Some(Reason::Parked)) => parked(broker, change.job).await,
        (JobState::Cancelled, _) if change.worker.is_some() => interrupted(broker, change.job).await,
        _ => Vec::new(),
    }
}

/// The frontend shows a job as waiting for its machine when a notification says these words.
fn waiting(job: JobId, why: &str) -> Value {
    json!({"type": "notification", "data": {"id": job, "value": format!("Waiting for a machine: {why}")}})
}

fn ended(job: JobId) -> Value {
    json!({"type": "executing", "data": {"node": null, "prompt_id": job}})
}

/// A running job that was cancelled: its worker has said so, unless it died before it could.
async fn interrupted(broker: &Broker, job: JobId) -> Vec<Value> {
    let result = broker.result(job).await.ok().flatten().unwrap_or_default();
    if message(&result, "execution_interrupted").is_some() {
        return Vec::new();
    }
    let data = json!({"prompt_id": job, "node_id": "", "node_type": "", "executed": []});
    vec![json!({"type": "execution_interrupted", "data": data}), ended(job)]
}

async fn parked(broker: &Broker, job: JobId) -> Vec<Value> {
    let result = broker.result(job).await.ok().flatten().unwrap_or_default();
    failure(job, &result, None)
}

/// That a job failed for good. The frontend shows an error only of a job that started.
pub(crate) fn failure(job: JobId, result: &JobResult, ended_at: Option<u64>) -> Vec<Value> {
    let began = message(result, "execution_start").is_some();
    let start = json!({"type": "execution_start", "data": {"prompt_id": job, "timestamp": ended_at}});
    let error = json!({"type": "execution_error", "data": execution_error(job, result, ended_at)});
    let start = (!began).then_some(start);
    start.into_iter().chain([error, ended(job)]).collect()
}

/// ComfyUI's own `execution_error`, or one made from what is known; one without a node is shown as the service's.
pub(super) fn execution_error(job: JobId, result: &JobResult, ended_at: Option<u64>) -> Value {
    message(result, "execution_error").unwrap_or_else(|| {
        let error = result.error.clone().unwrap_or_default();
        json!({
            "prompt_id": job, "node_id": error.node_id, "node_type": error.node_type, "executed": [],
            "exception_message": error.exception_message, "exception_type": error.exception_type,
            "traceback": error.traceback, "current_inputs": {}, "current_outputs": [], "timestamp": ended_at,
        })
    })
}

/// What ComfyUI said under one name.
fn message(result: &JobResult, kind: &str) -> Option<Value> {
    result.messages.iter().find_map(|message| {
        let (said, data): (String, Value) = serde_json::from_str(message.get()).ok()?;
        (said == kind).then_some(data)
    })
}
