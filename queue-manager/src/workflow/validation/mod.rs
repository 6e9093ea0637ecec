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
pub(crate) use node::is_comfyuis_own;
pub(crate) use reason::{no_such_model, no_such_upload};

/// Nodes that are told one by one. The rest of a graph that is wrong all over counts, but is not listed.
const LISTED: usize = 100;
/// Links that are walked to tell which outputs depend on each of them.
const WALKED: usize = 2_000_000;

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
        let listed = LISTED.min(1 + WALKED / links.count().max(1));
        let mut node_errors = Map::new();
        for (id, reasons) in &self.0 {
            if node_errors.len() == listed || !(all || lost.contains(id.as_str())) {
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

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;

    /// One class of ComfyUI's own, one of somebody else's, and one whose inputs come and go.
    const CLASSES: &str = r#"{
        "Own": {"python_module": "nodes", "output": ["IMAGE"], "output_node": true, "input": {
            "required": {"size": ["INT", {"min": 1, "max": 10}]},
            "optional": {"image": ["IMAGE"], "mode": [["a", "b"]], "many": ["COMBO", {"options": ["a"], "multiselect": true}],
                "far": ["COMBO", {"remote": {"route": "/x"}}]}}},
        "Other": {"python_module": "custom_nodes.other", "output": ["ODD"], "output_node": false, "input": {
            "required": {"size": ["INT", {"min": 1, "max": 10}], "mode": [["a", "b"]]}}},
        "Open": {"python_module": "nodes", "output": ["ODD"], "output_node": true, "input": {
            "required": {"images": ["COMFY_AUTOGROW_V3", {}], "size": ["INT", {"min": 1}]}}}
    }"#;

    fn check(graph: &Value, kinds: &[&str]) -> Verdict {
        let kinds: Vec<_> =
            kinds.iter().map(|json| Arc::new(ObjectInfo::read(json.as_bytes()).unwrap())).collect();
        let raw = RawValue::from_string(graph.to_string()).unwrap();
        let graph = Graph::read(&raw).unwrap();
        let outputs: Vec<_> = graph
            .nodes
            .iter()
            .filter(|(_, node)| node.class() != "Other")
            .map(|(id, _)| id.as_str())
            .collect();
        Findings::of(&graph, &kinds).verdict(&graph, &kinds, &outputs, false)
    }

    fn own(inputs: &Value) -> Vec<String> {
        let verdict = check(&json!({"1": {"class_type": "Own", "inputs": inputs}}), &[CLASSES]);
        assert_eq!(verdict.survives, verdict.node_errors.is_empty());
        let errors = verdict.node_errors.get("1").and_then(|entry| entry["errors"].as_array().cloned());
        errors.unwrap_or_default().iter().map(|error| error["type"].as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn each_wrong_value_has_its_reason() {
        assert_eq!(own(&json!({})), ["required_input_missing"]);
        assert_eq!(own(&json!({"size": 0})), ["value_smaller_than_min"]);
        assert_eq!(own(&json!({"size": "11"})), ["value_bigger_than_max"]);
        assert_eq!(own(&json!({"size": "x", "mode": "c"})), ["invalid_input_type", "value_not_in_list"]);
        assert_eq!(own(&json!({"size": 1, "image": ["1"]})), ["bad_linked_input"]);
        assert_eq!(own(&json!({"size": 1, "image": ["7", 0]})), ["bad_linked_input"]);
        assert_eq!(own(&json!({"size": 1, "image": ["1", 0]})), ["dependency_cycle"]);
        let fine =
            json!({"size": 1.9, "mode": "a", "many": {"__value__": ["x"]}, "far": "x", "image": ["x", "y"]});
        assert_eq!(own(&fine), Vec::<String>::new());
    }

    #[test]
    fn other_peoples_classes_are_held_to_what_comfyui_asks_of_all() {
        let other = |inputs: Value| {
            let graph = json!({"1": {"class_type": "Own", "inputs": {"size": 1, "image": ["2", 0]}},
                "2": {"class_type": "Other", "inputs": inputs}});
            check(&graph, &[CLASSES]).node_errors
        };
        assert!(other(json!({"size": 99, "mode": "its own check may take it"})).is_empty());
        assert_eq!(other(json!({"size": 1}))["2"]["errors"][0]["type"], "required_input_missing");
        let open = json!({"1": {"class_type": "Open", "inputs": {"images.image0": ["1", 0]}}});
        let verdict = check(&open, &[CLASSES]);
        assert_eq!(verdict.node_errors["1"]["errors"][0]["type"], "dependency_cycle");
    }

    #[test]
    fn a_node_that_any_worker_would_take_is_fine() {
        let wider = CLASSES.replace(r#""max": 10"#, r#""max": 100"#);
        let graph = json!({"1": {"class_type": "Own", "inputs": {"size": 50}}});
        assert!(!check(&graph, &[CLASSES]).survives);
        assert!(check(&graph, &[CLASSES, &wider]).survives);
    }

    #[test]
    fn a_long_chain_that_is_wrong_all_over_is_weighed_without_recursion() {
        let nodes = queue_protocol::limits::NODES;
        let node = |n: usize| json!({"class_type": "Own", "inputs": {"image": [(n + 1).to_string(), 0]}});
        let graph: Map<String, Value> = (0..nodes).map(|n| (n.to_string(), node(n))).collect();
        let verdict = check(&graph.into(), &[CLASSES]);
        assert!(!verdict.survives);
        assert_eq!(verdict.node_errors.len(), LISTED);
    }
}
