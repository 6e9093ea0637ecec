//! What the queue itself has to tell a tab about its job: what happens while no worker has it, and how it ended where no
//! worker tells that. In ComfyUI's own messages, because an unmodified frontend knows no others.

use queue_protocol::feed::JobChange;
use queue_protocol::link::JobResult;
use queue_protocol::{JobId, JobState, Reason};
use serde_json::{Value, json};

/// That a job waits, and what for; nothing of other changes.
pub(super) fn waits(change: &JobChange) -> Option<Value> {
    let why = match (change.state, change.reason?) {
        (JobState::Pending, Reason::WorkerLost) => {
            "the GPU was lost, your job is back in line and will run again"
        }
        (JobState::Pending, Reason::Released) => {
            "the GPU stopped, your job is back in line and will run again"
        }
        (JobState::Pending, Reason::BackingOff) => "the last attempt failed, your job will be tried again",
        (JobState::Pending, Reason::OnHold) => "no GPU that is here has what your job needs",
        _ => return None,
    };
    Some(waiting(change.job, why))
}

/// The frontend shows a job as waiting for its machine when a notification says these words.
fn waiting(job: JobId, why: &str) -> Value {
    json!({"type": "notification", "data": {"id": job, "value": format!("Waiting for a machine: {why}")}})
}

/// That a job is over: failed for good, or cancelled.
pub(super) fn end(job: JobId, state: JobState, result: &JobResult, ended_at: Option<u64>) -> Vec<Value> {
    let ended = json!({"type": "executing", "data": {"node": null, "prompt_id": job}});
    if state == JobState::Failed {
        // The frontend shows an error only of a job that started.
        let began = message(result, "execution_start").is_some();
        let start = json!({"type": "execution_start", "data": {"prompt_id": job, "timestamp": ended_at}});
        let error = json!({"type": "execution_error", "data": execution_error(job, result, ended_at)});
        return (!began).then_some(start).into_iter().chain([error, ended]).collect();
    }
    // The worker of a job that was cancelled has said so, unless it died before it could.
    if message(result, "execution_interrupted").is_some() {
        return Vec::new();
    }
    let data = json!({"prompt_id": job, "node_id": "", "node_type": "", "executed": []});
    vec![json!({"type": "execution_interrupted", "data": data}), ended]
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
