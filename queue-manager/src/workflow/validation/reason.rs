//! The form of every reason, and its words.

use serde_json::{Value, json};

use super::value::python_repr;
use crate::workflow::graph::Graph;

/// Longer lists of choices are not repeated in an error.
const LONGEST_LIST: usize = 20;

/// One declared input, as a reason names it.
pub(super) struct Input<'a> {
    pub(super) name: &'a str,
    /// A word, or a list of choices.
    pub(super) kind: &'a Value,
    pub(super) options: &'a Value,
}

impl Input<'_> {
    fn config(&self) -> Value {
        let options = if self.options.is_null() { json!({}) } else { self.options.clone() };
        json!([self.kind, options])
    }

    fn received(&self, value: &Value) -> Value {
        json!({"input_name": self.name, "input_config": self.config(), "received_value": value})
    }
}

fn reason(kind: &str, message: &str, details: &str, extra_info: Value) -> Value {
    let mut reason = json!({"type": kind, "message": message, "details": details});
    reason["extra_info"] = extra_info;
    reason
}

pub(super) fn missing(name: &str) -> Value {
    let info = json!({"input_name": name});
    reason("required_input_missing", "Required input is missing", name, info)
}

pub(super) fn no_link(input: &Input<'_>, value: &Value) -> Value {
    let message = "Bad linked input, must be a length-2 list of [node_id, slot_index]";
    reason("bad_linked_input", message, input.name, input.received(value))
}

/// A link to a node that is not there. The real server raises an exception here and frames the node after this one.
pub(super) fn dangling(input: &Input<'_>, value: &Value, to: &str) -> Value {
    let details = format!("{} is linked to node '{to}', which is not in the workflow", input.name);
    reason("bad_linked_input", "Bad linked input", &details, input.received(value))
}

pub(super) fn mismatch(input: &Input<'_>, wanted: &str, received: &str, link: &Value) -> Value {
    let details = format!("{}, received_type({received}) mismatch input_type({wanted})", input.name);
    let info = json!({
        "input_name": input.name, "input_config": input.config(), "received_type": received, "linked_node": link,
    });
    reason("return_type_mismatch", "Return type mismatch between linked nodes", &details, info)
}

pub(super) fn wrong_type(input: &Input<'_>, kind: &str, value: &Value, why: &str) -> Value {
    let mut info = input.received(value);
    info["exception_message"] = why.into();
    let message = format!("Failed to convert an input value to a {kind} value");
    let details = format!("{}, {}, {why}", input.name, super::value::python_str(value));
    reason("invalid_input_type", &message, &details, info)
}

/// `limit` is `min` or `max`.
pub(super) fn out_of_range(input: &Input<'_>, value: &Value, limit: &str) -> Value {
    let (kind, word) = match limit {
        "min" => ("value_smaller_than_min", "smaller"),
        _ => ("value_bigger_than_max", "bigger"),
    };
    let message = format!("Value {value} {word} than {limit} of {}", input.options[limit]);
    reason(kind, &message, input.name, input.received(value))
}

pub(super) fn not_in_list(input: &Input<'_>, value: &Value, choices: &[Value]) -> Value {
    let mut info = input.received(value);
    let list = if choices.len() > LONGEST_LIST {
        info["input_config"] = Value::Null;
        format!("(list of length {})", choices.len())
    } else {
        let choices: Vec<_> = choices.iter().map(python_repr).collect();
        format!("[{}]", choices.join(", "))
    };
    let details = format!("{}: {} not in {list}", input.name, python_repr(value));
    reason("value_not_in_list", "Value not in list", &details, info)
}

/// `at` is in the circle, whose nodes take from each other in this order.
pub(super) fn cycle(graph: &Graph<'_>, cycle: &[&str], at: &str) -> Value {
    let class = |id: &str| graph.nodes.get(id).map_or("", |node| node.class()).to_owned();
    let named: Vec<_> = cycle.iter().chain(cycle.first()).map(|id| format!("{id} ({})", class(id))).collect();
    let info = json!({"node_id": at, "cycle_nodes": cycle});
    reason("dependency_cycle", "Dependency cycle detected", &named.join(" -> "), info)
}

/// A model that no worker has.
pub(crate) fn no_such_model(input: &str, model: &str) -> Value {
    let details = format!("{input}: '{model}' is on no GPU of this workshop");
    let info = json!({"input_name": input, "input_config": null, "received_value": model});
    reason("value_not_in_list", "Value not in list", &details, info)
}

/// A file that the participant did not upload.
pub(crate) fn no_such_upload(input: &str, name: &str) -> Value {
    let details = format!("{input} - '{name}' is none of your uploads");
    let info = json!({"input_name": input});
    reason("custom_validation_failed", "Custom validation failed for node", &details, info)
}
