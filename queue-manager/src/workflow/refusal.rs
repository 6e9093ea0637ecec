//! Why a workflow is not accepted, in ComfyUI's words where it has them.

use serde_json::{Map, Value, json};
use thiserror::Error;

/// Nothing was stored.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// No graph in the request.
    #[error("No prompt provided")]
    NoPrompt,
    /// The id is no canonical UUID.
    #[error("prompt_id must be a valid UUID")]
    InvalidId,
    /// The frontend's own file format instead of the API format.
    #[error(
        "This is a workflow saved for the editor. Export it with \"Export (API)\" in ComfyUI's menu, or open it in \
         your tab and click Run."
    )]
    UiFormat,
    /// A node that is none.
    #[error("Node '{}' has no class_type. The workflow may be corrupted or in another format.",
        title.clone().unwrap_or_else(|| format!("ID #{node}")))]
    NoClass {
        /// Its id.
        node: String,
        /// Its title in the editor.
        title: Option<String>,
    },
    /// A class that no worker seen has.
    #[error("Node '{}' not found. No GPU of this workshop has it.", title.as_ref().unwrap_or(class))]
    UnknownClass {
        /// The node.
        node: String,
        /// Its class.
        class: String,
        /// Its title in the editor.
        title: Option<String>,
    },
    /// A class that may not run in this workshop.
    #[error("Node '{}' may not run in this workshop.", title.as_ref().unwrap_or(class))]
    NotAllowed {
        /// The node.
        node: String,
        /// Its class.
        class: String,
        /// Its title in the editor.
        title: Option<String>,
    },
    /// No output node can run.
    #[error("Prompt outputs failed validation")]
    Invalid {
        /// Why, in ComfyUI's form.
        node_errors: Map<String, Value>,
        /// What is wrong with output nodes themselves.
        details: String,
    },
    /// A link to a node that is not in the graph.
    #[error("Input '{input}' of node '{node}' is linked to node '{target}', which is not in the workflow.")]
    BrokenLink {
        /// The node.
        node: String,
        /// Its class.
        class: String,
        /// The input.
        input: String,
        /// The node that is missing.
        target: String,
    },
    /// More uploaded files than the limit.
    #[error("The workflow names more than {limit} uploaded files.", limit = queue_protocol::limits::INPUTS)]
    TooManyInputs,
    /// No output node.
    #[error("Prompt has no outputs")]
    NoOutputs,
    /// More nodes than the limit.
    #[error("The workflow has {0} nodes; the limit is {limit}.", limit = queue_protocol::limits::NODES)]
    TooManyNodes(usize),
    /// Nested deeper than the limit.
    #[error("The workflow is nested deeper than {limit} levels.", limit = queue_protocol::limits::DEPTH)]
    TooDeep,
}

impl Refusal {
    /// ComfyUI's `error.type`, or ours where it has none.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoPrompt => "no_prompt",
            Self::InvalidId => "invalid_prompt_id",
            Self::UiFormat => "workflow_format_ui",
            Self::NoClass { .. } | Self::UnknownClass { .. } => "missing_node_type",
            Self::NotAllowed { .. } => "node_not_allowed",
            Self::Invalid { .. } | Self::BrokenLink { .. } => "prompt_outputs_failed_validation",
            Self::TooManyInputs => "too_many_inputs",
            Self::NoOutputs => "prompt_no_outputs",
            Self::TooManyNodes(_) => "too_many_nodes",
            Self::TooDeep => "too_deep",
        }
    }

    /// ComfyUI's `error.details`.
    #[must_use]
    pub fn details(&self) -> String {
        match self {
            Self::NoPrompt => self.to_string(),
            Self::InvalidId => {
                "prompt_id must be a UUID string in canonical lowercase hyphenated form; omit it to \
                                let the server generate one"
                    .to_owned()
            }
            Self::NoClass { node, .. } | Self::UnknownClass { node, .. } | Self::NotAllowed { node, .. } => {
                format!("Node ID '#{node}'")
            }
            Self::Invalid { details, .. } => details.clone(),
            _ => String::new(),
        }
    }

    /// ComfyUI's `error.extra_info`.
    #[must_use]
    pub fn extra_info(&self) -> Value {
        let about = |node: &str, class: Option<&str>, title: Option<&str>| json!({"node_id": node, "class_type": class, "node_title": title});
        match self {
            Self::NoClass { node, title } => about(node, None, title.as_deref()),
            Self::UnknownClass { node, class, title } | Self::NotAllowed { node, class, title } => {
                about(node, Some(class), Some(title.as_ref().unwrap_or(class)))
            }
            _ => json!({}),
        }
    }

    /// ComfyUI's `node_errors`, which frame the node in the editor.
    #[must_use]
    pub fn node_errors(&self) -> Map<String, Value> {
        match self {
            Self::Invalid { node_errors, .. } => node_errors.clone(),
            Self::BrokenLink { node, class, input, target } => {
                let about = json!({
                    "class_type": class,
                    "dependent_outputs": [],
                    "errors": [{
                        "type": "bad_linked_input",
                        "message": "Bad linked input",
                        "details": format!("{input} is linked to node '{target}', which is not in the workflow"),
                        "extra_info": {"input_name": input, "received_value": target},
                    }],
                });
                Map::from_iter([(node.clone(), about)])
            }
            _ => Map::new(),
        }
    }
}
