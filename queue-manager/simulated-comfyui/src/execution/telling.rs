//! What a run tells: to its client's websocket, and to the history.

use serde_json::{Map, Value, json};

use super::failure::Failure;
use super::run::Run;
use super::value::Made;
use crate::clock::now_ms;

impl Run<'_> {
    /// Sends what an output node shows. The real server sends a cached output's names again, and so does this one.
    pub(super) fn show(&mut self, node: &str, made: &Made, cached: bool) {
        if let Some(shown) = &made.shown {
            self.outputs.insert(node.to_owned(), shown.clone());
        }
        if made.shown.is_some() || cached {
            let executed = json!({
                "node": node,
                "display_node": node,
                "output": made.shown,
                "prompt_id": self.prompt.id,
            });
            self.send_to_client("executed", &executed);
        }
    }

    pub(super) fn tell_interrupted(&mut self, node: &str) {
        let data = json!({
            "prompt_id": self.prompt.id,
            "node_id": node,
            "node_type": self.class(node),
            "executed": self.executed,
        });
        self.message("execution_interrupted", data);
    }

    pub(super) fn tell_failed(&mut self, node: &str, failure: &Failure) {
        let inputs: Map<String, Value> = self
            .inputs(node)
            .0
            .iter()
            .map(|(name, datum)| (name.clone(), json!([datum.describe()])))
            .collect();
        let data = json!({
            "prompt_id": self.prompt.id,
            "node_id": node,
            "node_type": self.class(node),
            "executed": self.executed,
            "exception_message": failure.message,
            "exception_type": failure.kind,
            "traceback": failure.traceback(self.class(node)),
            "current_inputs": inputs,
            "current_outputs": self.prompt.graph.keys().collect::<Vec<_>>(),
        });
        self.message("execution_error", data);
    }

    /// A frame that the history keeps as well.
    pub(super) fn message(&mut self, kind: &'static str, mut data: Value) {
        data["timestamp"] = now_ms().into();
        if kind == "execution_interrupted" {
            self.send(kind, &data);
        } else {
            self.send_to_client(kind, &data);
        }
        self.messages.push((kind, data));
    }

    /// To the job's client; to everybody if the job has none, which is what the real server does with these frames.
    pub(super) fn send(&self, event: &str, data: &Value) {
        self.simulator.sockets.send(self.prompt.client(), event, data);
    }

    /// To the job's client, if it has one.
    pub(super) fn send_to_client(&self, event: &str, data: &Value) {
        if self.prompt.client().is_some() {
            self.send(event, data);
        }
    }
}
