//! What is said to the tab, in ComfyUI's own messages.

use std::time::{SystemTime, UNIX_EPOCH};

use queue_protocol::link::{HeldLease, JobError, JobResult};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

use crate::comfyui::history::Entry;
use crate::outbox::{Outbox, Waiting};

/// Says things about one job.
pub(super) struct Messages<'a> {
    pub(super) lease: HeldLease,
    pub(super) outbox: &'a Outbox,
}

#[expect(
    clippy::disallowed_methods,
    reason = "a timestamp to show, as ComfyUI's messages carry; nothing is decided by it"
)]
fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

impl Messages<'_> {
    /// A message as ComfyUI sent it, byte for byte.
    pub(super) fn pass_on(&self, kind: &str, text: String) {
        if let Ok(frame) = RawValue::from_string(text) {
            self.outbox.push(Waiting {
                lease: self.lease,
                kind: kind.to_owned(),
                frame,
            });
        }
    }

    /// A message of ours, or one whose file names changed.
    pub(super) fn say(&self, kind: &str, data: &Value) {
        self.pass_on(kind, json!({"type": kind, "data": data}).to_string());
    }

    /// An output whose own message was missed.
    pub(super) fn executed(&self, node: &str, output: &Value) {
        let id = self.lease.job;
        self.say(
            "executed",
            &json!({"node": node, "display_node": node, "output": output, "prompt_id": id}),
        );
    }

    /// The last message of every job.
    pub(super) fn ended(&self) {
        self.say("executing", &json!({"node": null, "prompt_id": self.lease.job}));
    }

    /// A job that was stopped before ComfyUI began it.
    pub(super) fn interrupted(&self) {
        let data = json!({
            "prompt_id": self.lease.job, "node_id": "", "node_type": "", "executed": [], "timestamp": now_ms(),
        });
        self.say("execution_interrupted", &data);
        self.ended();
    }

    /// A failure that ComfyUI itself did not announce. The frontend shows an error only of a job that started.
    pub(super) fn failed(&self, error: &JobError) {
        let id = self.lease.job;
        self.say(
            "execution_start",
            &json!({"prompt_id": id, "timestamp": now_ms()}),
        );
        let data = json!({
            "prompt_id": id, "node_id": error.node_id, "node_type": error.node_type, "executed": [],
            "exception_message": error.exception_message, "exception_type": error.exception_type,
            "traceback": error.traceback, "current_inputs": {}, "current_outputs": [], "timestamp": now_ms(),
        });
        self.say("execution_error", &data);
        self.ended();
    }
}

/// A failure of the service: it belongs to no node.
pub(super) fn service_error(kind: &str, message: &str) -> JobError {
    JobError {
        exception_type: kind.to_owned(),
        exception_message: message.to_owned(),
        ..JobError::default()
    }
}

/// ComfyUI's refusal of a graph as one error: the first node it names, and what it says of it.
pub(super) fn refusal(answer: &Value) -> JobError {
    let first = answer["node_errors"]
        .as_object()
        .and_then(|nodes| nodes.iter().next());
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    match first {
        Some((node, about)) => {
            let error = &about["errors"][0];
            let (message, details) = (text(&error["message"]), text(&error["details"]));
            JobError {
                node_id: node.clone(),
                node_type: text(&about["class_type"]),
                exception_message: if details.is_empty() {
                    message
                } else {
                    format!("{message}: {details}")
                },
                exception_type: text(&error["type"]),
                traceback: Vec::new(),
            }
        }
        None => JobError {
            node_id: text(&answer["error"]["extra_info"]["node_id"]),
            node_type: text(&answer["error"]["extra_info"]["class_type"]),
            exception_message: text(&answer["error"]["message"]),
            exception_type: text(&answer["error"]["type"]),
            traceback: Vec::new(),
        },
    }
}

/// A history entry as the queue keeps it.
pub(super) fn result(entry: Entry) -> JobResult {
    JobResult {
        outputs: entry
            .outputs
            .iter()
            .filter_map(|(node, output)| Some((node.clone(), to_raw_value(output).ok()?)))
            .collect(),
        messages: entry
            .status
            .messages
            .iter()
            .filter_map(|message| to_raw_value(message).ok())
            .collect(),
        meta: entry.meta.and_then(|meta| to_raw_value(&meta).ok()),
        error: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_node_and_what_is_wrong() {
        let error = refusal(&json!({
            "error": {"type": "prompt_outputs_failed_validation", "message": "Prompt outputs failed validation"},
            "node_errors": {"4": {"class_type": "EmptyImage", "errors": [
                {"type": "value_smaller_than_min", "message": "Value 0 smaller than min of 1", "details": "width"}]}},
        }));
        assert_eq!(
            (error.node_id.as_str(), error.exception_type.as_str()),
            ("4", "value_smaller_than_min")
        );
        assert_eq!(error.exception_message, "Value 0 smaller than min of 1: width");
    }
}
