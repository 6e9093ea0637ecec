//! What the queue itself has to tell a tab about its job: things that happen while no worker has it. In ComfyUI's own
//! messages, because an unmodified frontend knows no others.

use queue_broker::Broker;
use queue_protocol::feed::JobChange;
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
        (JobState::Failed, Some(Reason::Parked)) => parked(broker, change.job).await,
        // A running job that was cancelled; its worker says the same, unless it died before it could.
        (JobState::Cancelled, _) if change.worker.is_some() => interrupted(change.job),
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

fn interrupted(job: JobId) -> Vec<Value> {
    let data = json!({"prompt_id": job, "node_id": "", "node_type": "", "executed": []});
    vec![json!({"type": "execution_interrupted", "data": data}), ended(job)]
}

async fn parked(broker: &Broker, job: JobId) -> Vec<Value> {
    let error = broker.result(job).await.ok().flatten().and_then(|result| result.error).unwrap_or_default();
    let data = json!({
        "prompt_id": job, "node_id": error.node_id, "node_type": error.node_type, "executed": [],
        "exception_message": error.exception_message, "exception_type": error.exception_type,
        "traceback": error.traceback, "current_inputs": {}, "current_outputs": [],
    });
    let start = json!({"type": "execution_start", "data": {"prompt_id": job}});
    vec![start, json!({"type": "execution_error", "data": data}), ended(job)]
}
