//! The cumulative `progress_state` of one run.

use serde_json::{Map, Value, json};

/// What is known of every node so far.
#[derive(Debug)]
pub(crate) struct Progress {
    prompt_id: String,
    nodes: Map<String, Value>,
}

impl Progress {
    pub(crate) fn new(prompt_id: &str) -> Self {
        Self { prompt_id: prompt_id.to_owned(), nodes: Map::new() }
    }

    /// A node begins: 0.0 of 1.0, until it says how many steps it has.
    pub(crate) fn start(&mut self, node: &str) -> Value {
        self.set(node, &json!(0.0), &json!(1.0), "running")
    }

    /// A node has done `value` of `max` steps.
    pub(crate) fn step(&mut self, node: &str, value: u64, max: u64) -> Value {
        self.set(node, &value.into(), &max.into(), "running")
    }

    /// A node is done; one that never began, because it was cached, counts as 1 of 1.
    pub(crate) fn finish(&mut self, node: &str) -> Value {
        let max = self.nodes.get(node).map_or_else(|| json!(1), |entry| entry["max"].clone());
        self.set(node, &max, &max, "finished")
    }

    fn set(&mut self, node: &str, value: &Value, max: &Value, state: &str) -> Value {
        let entry = json!({
            "value": value,
            "max": max,
            "state": state,
            "node_id": node,
            "prompt_id": self.prompt_id,
            "display_node_id": node,
            "parent_node_id": null,
            "real_node_id": node,
        });
        self.nodes.insert(node.to_owned(), entry);
        json!({"prompt_id": self.prompt_id, "nodes": self.nodes})
    }
}
