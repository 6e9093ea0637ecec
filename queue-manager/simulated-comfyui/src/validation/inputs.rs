//! The inputs of one node after the other, upstream first, as the real server walks them.

use serde_json::{Map, Value, json};

use super::convert::{convert, python_str};
use super::reasons::{not_in_list, out_of_range, reason, traceback};
use crate::catalogue::{Catalogue, InputSpec};
use crate::folder::Folder;

/// What is known of one node.
#[derive(Debug)]
struct Verdict {
    id: String,
    valid: bool,
    reasons: Vec<Value>,
}

/// A link to a node that is not there; the real server raises `KeyError` with its id.
struct Dangling(String);

/// Walks the graph and remembers each node's verdict.
pub(super) struct Validator<'a> {
    graph: Map<String, Value>,
    catalogue: &'a Catalogue,
    folder: &'a Folder,
    verdicts: Vec<Verdict>,
    path: Vec<String>,
}

impl<'a> Validator<'a> {
    pub(super) fn new(graph: Map<String, Value>, catalogue: &'a Catalogue, folder: &'a Folder) -> Self {
        Self { graph, catalogue, folder, verdicts: Vec::new(), path: Vec::new() }
    }

    pub(super) fn into_graph(self) -> Map<String, Value> {
        self.graph
    }

    /// Whether everything that an output node needs is fine.
    pub(super) fn check_output(&mut self, output: &str) -> bool {
        self.path.clear();
        match self.check(output) {
            Ok(valid) => valid,
            Err(Dangling(id)) => {
                let reason = reason(
                    "exception_during_validation",
                    "Exception when validating node",
                    &format!("'{id}'"),
                    json!({"exception_type": "KeyError", "traceback": traceback()}),
                );
                self.judge(output, false, vec![reason]);
                false
            }
        }
    }

    /// Adds every verdict with reasons to the answer, as something that `output` depends on.
    pub(super) fn collect(&self, output: &str, node_errors: &mut Map<String, Value>) {
        for verdict in self.verdicts.iter().filter(|verdict| !verdict.valid && !verdict.reasons.is_empty()) {
            let entry = node_errors.entry(verdict.id.clone()).or_insert_with(|| {
                json!({
                    "errors": verdict.reasons,
                    "dependent_outputs": [],
                    "class_type": self.graph[&verdict.id]["class_type"],
                })
            });
            if let Some(outputs) = entry["dependent_outputs"].as_array_mut() {
                outputs.push(output.into());
            }
        }
    }

    fn check(&mut self, id: &str) -> Result<bool, Dangling> {
        if let Some(verdict) = self.verdicts.iter().find(|verdict| verdict.id == id) {
            return Ok(verdict.valid);
        }
        if let Some(start) = self.path.iter().position(|visited| visited == id) {
            self.judge_cycle(start);
            return Ok(false);
        }
        self.path.push(id.to_owned());
        let catalogue = self.catalogue;
        let class = self.class(id);
        let (mut valid, mut reasons) = (true, Vec::new());
        for spec in catalogue.inputs(&class) {
            match self.check_input(id, &class, &spec)? {
                Finding::Fine => {}
                Finding::UpstreamInvalid => valid = false,
                Finding::Reason(reason) => reasons.push(reason),
            }
        }
        self.path.pop();
        let valid = valid && reasons.is_empty();
        self.judge(id, valid, reasons);
        Ok(valid)
    }

    fn check_input(&mut self, id: &str, class: &str, spec: &InputSpec<'_>) -> Result<Finding, Dangling> {
        match self.graph[id]["inputs"].get(spec.name).cloned() {
            None if spec.required => Ok(Finding::Reason(reason(
                "required_input_missing",
                "Required input is missing",
                spec.name,
                json!({"input_name": spec.name}),
            ))),
            None => Ok(Finding::Fine),
            Some(Value::Array(link)) => self.check_link(spec, &link),
            Some(value) => Ok(self.check_literal(id, class, spec, value)),
        }
    }

    fn check_link(&mut self, spec: &InputSpec<'_>, link: &[Value]) -> Result<Finding, Dangling> {
        let [from, slot] = link else {
            return Ok(Finding::Reason(reason(
                "bad_linked_input",
                "Bad linked input, must be a length-2 list of [node_id, slot_index]",
                spec.name,
                json!({"input_name": spec.name, "input_config": spec.config(), "received_value": link}),
            )));
        };
        let from = python_str(from);
        let Some(node) = self.graph.get(&from) else {
            return Err(Dangling(from));
        };
        let class = node["class_type"].as_str().unwrap_or_default();
        let slot = slot.as_u64().and_then(|slot| usize::try_from(slot).ok()).unwrap_or(usize::MAX);
        let received = self.catalogue.output_type(class, slot).unwrap_or("None");
        let wanted = spec.type_word();
        if received != "*" && wanted != "*" && !wanted.split(',').any(|kind| kind == received) {
            let details = format!("{}, received_type({received}) mismatch input_type({wanted})", spec.name);
            return Ok(Finding::Reason(reason(
                "return_type_mismatch",
                "Return type mismatch between linked nodes",
                &details,
                json!({"input_name": spec.name, "input_config": spec.config(), "received_type": received,
                    "linked_node": link}),
            )));
        }
        match self.check(&from) {
            Ok(true) => Ok(Finding::Fine),
            Ok(false) => Ok(Finding::UpstreamInvalid),
            Err(Dangling(missing)) => {
                self.path.retain(|visited| *visited != from);
                let message = format!("'{missing}'");
                let reason = reason(
                    "exception_during_inner_validation",
                    "Exception when validating inner node",
                    &message,
                    json!({"input_name": spec.name, "input_config": spec.config(),
                        "exception_message": message, "exception_type": "KeyError",
                        "traceback": traceback(), "linked_node": link}),
                );
                self.judge(&from, false, vec![reason]);
                Ok(Finding::UpstreamInvalid)
            }
        }
    }

    fn check_literal(&mut self, id: &str, class: &str, spec: &InputSpec<'_>, given: Value) -> Finding {
        let given = given.get("__value__").cloned().unwrap_or(given);
        let value = match convert(&given, spec.type_word()) {
            Ok(value) => value,
            Err(message) => {
                let words = format!("Failed to convert an input value to a {} value", spec.type_word());
                return Finding::Reason(reason(
                    "invalid_input_type",
                    &words,
                    &format!("{}, {}, {message}", spec.name, python_str(&given)),
                    json!({"input_name": spec.name, "input_config": spec.config(),
                        "received_value": given, "exception_message": message}),
                ));
            }
        };
        if let Some(inputs) = self.graph.get_mut(id).and_then(|node| node["inputs"].as_object_mut()) {
            inputs.insert(spec.name.to_owned(), value.clone());
        }
        // LoadImage has a check of its own, which replaces the look into the list.
        let found = if class == "LoadImage" {
            self.missing_file(spec, &value)
        } else {
            out_of_range(spec, &value).or_else(|| not_in_list(spec, &value))
        };
        found.map_or(Finding::Fine, Finding::Reason)
    }

    fn missing_file(&self, spec: &InputSpec<'_>, value: &Value) -> Option<Value> {
        let name = python_str(value);
        if self.folder.named(&name).is_some_and(|path| path.is_file()) {
            return None;
        }
        Some(reason(
            "custom_validation_failed",
            "Custom validation failed for node",
            &format!("{} - Invalid image file: {name}", spec.name),
            json!({"input_name": spec.name}),
        ))
    }

    fn judge_cycle(&mut self, start: usize) {
        let cycle: Vec<String> = self.path[start..].to_vec();
        let named: Vec<String> =
            cycle.iter().chain(cycle.first()).map(|id| format!("{id} ({})", self.class(id))).collect();
        for id in &cycle {
            let reason = reason(
                "dependency_cycle",
                "Dependency cycle detected",
                &named.join(" -> "),
                json!({"node_id": id, "cycle_nodes": cycle}),
            );
            self.judge(id, false, vec![reason]);
        }
    }

    /// The first verdict on a node stands.
    fn judge(&mut self, id: &str, valid: bool, reasons: Vec<Value>) {
        if !self.verdicts.iter().any(|verdict| verdict.id == id) {
            self.verdicts.push(Verdict { id: id.to_owned(), valid, reasons });
        }
    }

    fn class(&self, id: &str) -> String {
        self.graph.get(id).and_then(|node| node["class_type"].as_str()).unwrap_or_default().to_owned()
    }
}

enum Finding {
    Fine,
    UpstreamInvalid,
    Reason(Value),
}
