//! What a worker must have to run a graph: its node classes and the model files it names.

use std::collections::BTreeSet;

use queue_broker::transitions::submit::Needs;
use queue_protocol::FileHash;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::graph::Graph;
use crate::capabilities::{Capabilities, Known};
use crate::problem::Trouble;

/// Endings by which a text input is known to name a model file.
const MODEL_ENDINGS: [&str; 9] =
    [".safetensors", ".sft", ".ckpt", ".pt", ".pth", ".pt2", ".bin", ".gguf", ".onnx"];

/// Whether a text names a model file.
#[must_use]
pub fn is_model(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    MODEL_ENDINGS.iter().any(|ending| lower.ends_with(ending))
}

/// The classes and models of one job, sorted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requirements {
    /// Node classes.
    pub nodes: BTreeSet<String>,
    /// Model files as the graph names them.
    pub models: BTreeSet<String>,
}

impl Requirements {
    /// What a graph requires.
    #[must_use]
    pub fn of(graph: &Graph<'_>, known: &Known) -> Self {
        Self {
            nodes: graph.nodes.values().map(|node| node.class().to_owned()).collect(),
            models: known.models_named(graph).map(|(_, _, _, model)| model).collect(),
        }
    }

    /// What the one of these kinds of workers that comes nearest has not.
    ///
    /// # Errors
    /// The file system's.
    pub(crate) async fn lacking(
        &self,
        capabilities: &Capabilities,
        kinds: &[FileHash],
    ) -> Result<Vec<String>, Trouble> {
        let mut nearest: Option<Vec<String>> = None;
        for kind in kinds {
            let lacks = capabilities.get(kind).await?.map(|info| info.lacks(self));
            nearest = nearest.into_iter().chain(lacks).min_by_key(Vec::len);
        }
        Ok(nearest.unwrap_or_default())
    }

    /// With the short id that jobs of the same needs share.
    ///
    /// # Errors
    /// Never in practice: strings are always JSON.
    pub fn named(&self) -> Result<Needs, Trouble> {
        let json = serde_json::to_string(self)?;
        let digest = hex::encode(Sha256::digest(json.as_bytes()));
        Ok(Needs { id: digest[..16].parse()?, json })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_classes_and_models_are_one_class_of_needs() {
        let needs = |json: &str| {
            let raw = serde_json::value::RawValue::from_string(json.to_owned()).unwrap();
            Requirements::of(&Graph::read(&raw).unwrap(), &Known::default()).named().unwrap()
        };
        let one = needs(
            r#"{"1":{"class_type":"B","inputs":{"x":1}},"2":{"class_type":"A","inputs":{"m":"a.ckpt"}}}"#,
        );
        let two = needs(
            r#"{"7":{"class_type":"A","inputs":{"m":"a.ckpt"}},"9":{"class_type":"B","inputs":{"x":2}}}"#,
        );
        assert_eq!(one, two);
        assert_eq!(one.json, r#"{"nodes":["A","B"],"models":["a.ckpt"]}"#);
    }
}
