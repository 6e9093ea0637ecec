//! Why a workflow is not accepted, in ComfyUI's words where it has them.

use serde_json::{Value, json};
use thiserror::Error;

/// Nothing was stored.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// No graph in the request.
    #[error("No prompt provided")]
    NoPrompt,
    /// The id is no canonical UUID.
    #[error("prompt_id must be a canonical lower-case hyphenated UUID")]
    InvalidId,
    /// The frontend's own file format instead of the API format.
    #[error(
        "This is a workflow saved for the editor. Export it with \"Export (API)\" in ComfyUI's menu, or open it in \
         your tab and click Run."
    )]
    UiFormat,
    /// A node that is none.
    #[error("Node '{node}' has no class_type. The workflow may be corrupted or in another format.")]
    NoClass {
        /// Its id.
        node: String,
    },
    /// A class that no worker seen has.
    #[error("Node '{class}' not found. No GPU of this workshop has it.")]
    UnknownClass {
        /// The node.
        node: String,
        /// Its class.
        class: String,
    },
    /// A model that no worker seen has.
    #[error("Prompt outputs failed validation")]
    UnknownModel {
        /// The node.
        node: String,
        /// Its class.
        class: String,
        /// The input.
        input: String,
        /// The model's name.
        model: String,
    },
    /// A file that the participant did not upload.
    #[error("Prompt outputs failed validation")]
    UnknownFile {
        /// The node.
        node: String,
        /// Its class.
        class: String,
        /// The input.
        input: String,
        /// The file's name.
        name: String,
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
            Self::UnknownModel { .. } | Self::UnknownFile { .. } | Self::BrokenLink { .. } => {
                "prompt_outputs_failed_validation"
            }
            Self::TooManyInputs => "too_many_inputs",
            Self::NoOutputs => "prompt_no_outputs",
            Self::TooManyNodes(_) => "too_many_nodes",
            Self::TooDeep => "too_deep",
        }
    }

    /// ComfyUI's `node_errors`, which frame the node in the editor.
    #[must_use]
    pub fn node_errors(&self) -> Value {
        let (node, class, input, value, kind, details) = match self {
            Self::UnknownModel { node, class, input, model } => {
                let details = format!("{input}: '{model}' is on no GPU of this workshop");
                (node, class, input, model, ("value_not_in_list", "Value not in list"), details)
            }
            Self::UnknownFile { node, class, input, name } => {
                let details = format!("{input} - '{name}' is none of your uploads");
                (
                    node,
                    class,
                    input,
                    name,
                    ("custom_validation_failed", "Custom validation failed for node"),
                    details,
                )
            }
            Self::BrokenLink { node, class, input, target } => {
                let details = format!("{input} is linked to node '{target}', which is not in the workflow");
                (node, class, input, target, ("bad_linked_input", "Bad linked input"), details)
            }
            _ => return json!({}),
        };
        json!({ node: {
            "class_type": class,
            "dependent_outputs": [],
            "errors": [{
                "type": kind.0,
                "message": kind.1,
                "details": details,
                "extra_info": {"input_name": input, "received_value": value},
            }],
        }})
    }
}
