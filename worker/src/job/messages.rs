//! What is said to the tab, in ComfyUI's own messages.

use std::time::{SystemTime, UNIX_EPOCH};

use queue_protocol::limits;
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
    /// A message as ComfyUI sent it, byte for byte. One that the link cannot carry is left out: the job's end and its
    /// files do not depend on it.
    pub(super) fn pass_on(&self, kind: &str, text: String) {
        if text.len() > limits::MESSAGE {
            tracing::warn!(job.id = %self.lease.job, kind, bytes = text.len(), "a message is too large to be passed on");
            return;
        }
        if let Ok(frame) = RawValue::from_string(text) {
            self.outbox.push(Waiting { lease: self.lease, kind: kind.to_owned(), frame });
        }
    }

    /// A preview as ComfyUI sent it; answers whether the link can carry it. A node that sends whole pictures to a socket does
    /// so as previews.
    pub(super) fn preview(&self, frame: Vec<u8>) -> bool {
        let fits = frame.len() <= limits::MESSAGE;
        if fits {
            self.outbox.preview(self.lease, frame);
        }
        fits
    }

    /// A message of ours, or one whose file names changed.
    pub(super) fn say(&self, kind: &str, data: &Value) {
        self.pass_on(kind, json!({"type": kind, "data": data}).to_string());
    }

    /// An output whose own message was missed.
    pub(super) fn executed(&self, node: &str, output: &Value) {
        let id = self.lease.job;
        self.say("executed", &json!({"node": node, "display_node": node, "output": output, "prompt_id": id}));
    }

    /// The last message of every job.
    pub(super) fn ended(&self) {
        self.say("executing", &json!({"node": null, "prompt_id": self.lease.job}));
    }

    /// A job that was stopped before ComfyUI began it; what is left of it is that it was said.
    pub(super) fn interrupted(&self) -> JobResult {
        let data = json!({
            "prompt_id": self.lease.job, "node_id": "", "node_type": "", "executed": [], "timestamp": now_ms(),
        });
        self.say("execution_interrupted", &data);
        self.ended();
        let said = to_raw_value(&("execution_interrupted", data)).ok();
        JobResult { messages: said.into_iter().collect(), ..JobResult::default() }
    }
}

/// A failure of the service: it belongs to no node.
pub(super) fn service_error(kind: &str, message: &str) -> JobError {
    JobError { exception_type: kind.to_owned(), exception_message: message.to_owned(), ..JobError::default() }
}

/// ComfyUI's refusal of a graph as one error: the first node it names, and what it says of it.
pub(super) fn refusal(answer: &Value) -> JobError {
    let first = answer["node_errors"].as_object().and_then(|nodes| nodes.iter().next());
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    match first {
        Some((node, about)) => {
            let error = &about["errors"][0];
            let (message, details) = (text(&error["message"]), text(&error["details"]));
            JobError {
                node_id: node.clone(),
                node_type: text(&about["class_type"]),
                exception_message: if details.is_empty() { message } else { format!("{message}: {details}") },
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

/// A history entry as the queue keeps it, within what the link carries: first its messages go, then what nodes said
/// in place of files.
pub(super) fn result(entry: &Entry) -> JobResult {
    let raw = |value: &Value| to_raw_value(value).ok();
    let mut result = JobResult {
        outputs: entry
            .outputs
            .iter()
            .filter_map(|(node, output)| Some((node.clone(), raw(output)?)))
            .collect(),
        messages: entry.status.messages.iter().filter_map(|message| to_raw_value(message).ok()).collect(),
        meta: entry.meta.as_ref().and_then(raw),
        error: None,
    };
    let bytes = |result: &JobResult| {
        let outputs: usize = result.outputs.values().map(|output| output.get().len()).sum();
        let messages: usize = result.messages.iter().map(|message| message.get().len()).sum();
        outputs + messages + result.meta.as_ref().map_or(0, |meta| meta.get().len())
    };
    if bytes(&result) > limits::MESSAGE {
        (result.messages, result.meta) = (Vec::new(), None);
    }
    let mut left = limits::MESSAGE;
    result.outputs.retain(|node, output| {
        let fits = output.get().len() <= left;
        if fits {
            left -= output.get().len();
        } else {
            tracing::warn!(node, bytes = output.get().len(), "an output is too large to be kept");
        }
        fits
    });
    result
}

/// An error cut down to what the link carries.
pub(super) fn within_limits(mut error: JobError) -> JobError {
    const LONGEST: usize = 64 * 1024;
    let cut = |text: &mut String| {
        if text.len() > LONGEST {
            *text = text.chars().take(LONGEST / 4).collect();
        }
    };
    cut(&mut error.exception_message);
    error.traceback.truncate(200);
    error.traceback.iter_mut().for_each(cut);
    if error.traceback.iter().map(String::len).sum::<usize>() > limits::MESSAGE / 2 {
        error.traceback.clear();
    }
    error
}

#[cfg(test)]
mod tests {
    use queue_protocol::{JobId, LeaseToken};
    use tokio::time::Instant;

    use super::*;
    use crate::outbox::Due;

    #[test]
    fn a_refusal_names_the_node_and_what_is_wrong() {
        let error = refusal(&json!({
            "error": {"type": "prompt_outputs_failed_validation", "message": "Prompt outputs failed validation"},
            "node_errors": {"4": {"class_type": "EmptyImage", "errors": [
                {"type": "value_smaller_than_min", "message": "Value 0 smaller than min of 1", "details": "width"}]}},
        }));
        assert_eq!((error.node_id.as_str(), error.exception_type.as_str()), ("4", "value_smaller_than_min"));
        assert_eq!(error.exception_message, "Value 0 smaller than min of 1: width");
    }

    #[test]
    fn a_preview_larger_than_the_link_carries_is_left_out() {
        let outbox = Outbox::default();
        let messages =
            Messages { lease: HeldLease { job: JobId::random(), token: LeaseToken(1) }, outbox: &outbox };
        assert!(!messages.preview(vec![0; limits::MESSAGE + 1]));
        let now = Instant::now();
        assert!(matches!(outbox.due(now), Due::Nothing(None)));
        assert!(messages.preview(vec![0; limits::MESSAGE]));
        assert!(matches!(outbox.due(now), Due::Preview(..)));
    }

    #[test]
    fn a_result_always_fits_the_link() {
        let big = "x".repeat(3 * limits::MESSAGE);
        let entry: Entry = serde_json::from_value(json!({
            "outputs": {"1": {"text": [big]}, "2": {"images": [{"filename": "a.png", "type": "output"}]}},
            "status": {"status_str": "success", "messages": [["execution_start", {"x": big}]]},
        }))
        .unwrap();
        let result = result(&entry);
        assert!(serde_json::to_string(&result).unwrap().len() < limits::LINK_FRAME);
        assert_eq!(result.outputs.keys().collect::<Vec<_>>(), ["2"], "files are kept");
    }
}
