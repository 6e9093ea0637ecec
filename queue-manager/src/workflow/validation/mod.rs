//! The cheap check of a graph against what workers described, in ComfyUI's own words, so that the editor frames the
//! node at once. A false refusal is worse than a missed one, since the worker's ComfyUI checks again: whatever is not
//! understood here passes.

mod links;
mod node;
mod reason;
mod value;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::graph::Graph;
use crate::capabilities::ObjectInfo;
use links::Links;
pub(crate) use reason::{no_such_model, no_such_upload};

/// Nodes that are told one by one. The rest of a graph that is wrong all over counts, but is not listed.
const LISTED: usize = 200;

/// What is wrong in a graph: node id → reasons, as ComfyUI gives them.
#[derive(Debug, Default)]
pub(crate) struct Findings(BTreeMap<String, Vec<Value>>);

/// What the findings mean for a graph's output nodes.
#[derive(Debug)]
pub(crate) struct Verdict {
    /// Whether any output node can run.
    pub(crate) survives: bool,
    /// ComfyUI's `node_errors`.
    pub(crate) node_errors: Map<String, Value>,
    /// ComfyUI's `error.details`: what is wrong with output nodes themselves.
    pub(crate) details: String,
}

impl Findings {
    /// Checks every node by itself. One that any kind of worker would take is fine.
    pub(crate) fn of(graph: &Graph<'_>, kinds: &[Arc<ObjectInfo>]) -> Self {
        let mut findings = Self::default();
        for (id, node) in &graph.nodes {
            let mut judged = kinds.iter().filter(|info| info.classes.contains_key(node.class()));
            let Some(first) = judged.next() else { continue };
            let reasons = node::reasons(graph, node, first);
            if !reasons.is_empty() && judged.all(|info| !node::reasons(graph, node, info).is_empty()) {
                findings.0.insert(id.clone(), reasons);
            }
        }
        findings
    }

    /// Adds a reason about one input, in place of what was found there before.
    pub(crate) fn put(&mut self, node: &str, reason: Value) {
        let reasons = self.0.entry(node.to_owned()).or_default();
        reasons.retain(|other| other["extra_info"]["input_name"] != reason["extra_info"]["input_name"]);
        reasons.push(reason);
    }

    /// Weighs the findings. Nodes that no output depends on are left out, unless `all` are to be told.
    pub(crate) fn verdict(
        mut self,
        graph: &Graph<'_>,
        kinds: &[Arc<ObjectInfo>],
        outputs: &[&str],
        all: bool,
    ) -> Verdict {
        let links = Links::of(graph, kinds);
        if let Some(cycle) = links.cycle(outputs) {
            for id in &cycle {
                self.0.entry((*id).to_owned()).or_default().push(reason::cycle(graph, &cycle, id));
            }
        }
        let wrong: Vec<&str> = self.0.keys().map(String::as_str).collect();
        let lost = links.downstream(&wrong);
        let mut node_errors = Map::new();
        for (id, reasons) in &self.0 {
            if node_errors.len() == LISTED || !(all || lost.contains(id.as_str())) {
                continue;
            }
            let reached = links.downstream(&[id]);
            let dependent: Vec<_> = outputs.iter().filter(|output| reached.contains(*output)).collect();
            if all || !dependent.is_empty() {
                let class = graph.nodes.get(id).map(super::graph::Node::class);
                let entry = json!({"errors": reasons, "dependent_outputs": dependent, "class_type": class});
                node_errors.insert(id.clone(), entry);
            }
        }
        let own = outputs.iter().filter_map(|output| self.0.get(*output)).flatten();
        let text = |reason: &Value, name: &str| reason[name].as_str().unwrap_or_default().to_owned();
        let details: Vec<_> = own
            .take(LISTED)
            .map(|reason| format!("{}: {}", text(reason, "message"), text(reason, "details")))
            .collect();
        Verdict {
            survives: outputs.iter().any(|output| !lost.contains(output)),
            node_errors,
            details: details.join("\n"),
        }
    }
}
