//! Refusing prompts, with the error documents of the real server.

mod convert;
mod inputs;
mod reasons;

use serde_json::{Map, Value, json};

use crate::catalogue::Catalogue;
use crate::folder::Folder;
use inputs::Validator;

/// A prompt that may run.
#[derive(Debug)]
pub(crate) struct Accepted {
    /// The graph with its numbers converted to the declared types.
    pub(crate) graph: Map<String, Value>,
    /// The outputs that are fine.
    pub(crate) outputs: Vec<String>,
    /// Why other outputs are not.
    pub(crate) node_errors: Map<String, Value>,
}

/// The body of a 400: `{"error": …, "node_errors": …}`.
#[derive(Debug)]
pub(crate) struct Refused(pub(crate) Value);

impl Refused {
    pub(crate) fn new(kind: &str, message: &str, details: &str, extra_info: Value) -> Self {
        let extra_info = if extra_info.is_null() { json!({}) } else { extra_info };
        let error = json!({"type": kind, "message": message, "details": details, "extra_info": extra_info});
        Self(json!({"error": error, "node_errors": {}}))
    }
}

/// Checks a graph; with `targets`, only those of its output nodes.
pub(crate) fn validate(
    graph: Map<String, Value>,
    targets: Option<&[String]>,
    catalogue: &Catalogue,
    folder: &Folder,
) -> Result<Accepted, Refused> {
    let mut outputs = Vec::new();
    for (id, node) in &graph {
        let class = known_class(id, node, catalogue)?;
        if catalogue.is_output(class) && targets.is_none_or(|targets| targets.contains(id)) {
            outputs.push(id.clone());
        }
    }
    if outputs.is_empty() {
        return Err(Refused::new("prompt_no_outputs", "Prompt has no outputs", "", Value::Null));
    }
    let mut validator = Validator::new(graph, catalogue, folder);
    let mut fine = Vec::new();
    let mut node_errors = Map::new();
    for output in outputs {
        if validator.check_output(&output) {
            fine.push(output);
        } else {
            validator.collect(&output, &mut node_errors);
        }
    }
    if fine.is_empty() {
        let mut refused = Refused::new(
            "prompt_outputs_failed_validation",
            "Prompt outputs failed validation",
            "",
            Value::Null,
        );
        refused.0["node_errors"] = node_errors.into();
        return Err(refused);
    }
    Ok(Accepted { graph: validator.into_graph(), outputs: fine, node_errors })
}

fn known_class<'a>(id: &str, node: &'a Value, catalogue: &Catalogue) -> Result<&'a str, Refused> {
    let class = node["class_type"].as_str();
    let message = match class {
        Some(class) if catalogue.knows(class) => return Ok(class),
        Some(class) => format!("Node '{class}' not found. The custom node may not be installed."),
        None => format!(
            "Node 'ID #{id}' has no class_type. The workflow may be corrupted or a custom node is missing."
        ),
    };
    let about = json!({"node_id": id, "class_type": class, "node_title": node["_meta"]["title"]});
    Err(Refused::new("missing_node_type", &message, &format!("Node ID '#{id}'"), about))
}
