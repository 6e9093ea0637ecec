//! Which node classes may run here. A workflow is code: nodes that evaluate what they are given, or that read and write
//! wherever they are told, reach everybody's files on a shared GPU.

use std::collections::HashSet;

use super::graph::Graph;
use super::refusal::Refusal;

/// Classes that are refused as long as nobody says otherwise. By name, so it is a fence and no wall: a worker with other
/// custom nodes needs its own list, or a list of what is allowed.
pub const REFUSED: &[&str] = &[
    // Evaluate Python or shell text.
    "FL_CodeNode",
    "SrlEval",
    "NodePython",
    "PythonCodeNode",
    "ShellCodeNode",
    // Read any path of the machine.
    "VHS_LoadVideoPath",
    "VHS_LoadVideoFFmpegPath",
    "VHS_LoadImagePath",
    "VHS_LoadImagesPath",
    "VHS_LoadAudio",
    // Read or write folders and models that all jobs share.
    "LoadImageDataSetFromFolder",
    "LoadImageTextDataSetFromFolder",
    "LoadImageSetFromFolderNode",
    "LoadImageTextSetFromFolderNode",
    "LoadTrainingDataset",
    "SaveImageDataSetToFolder",
    "SaveImageTextDataSetToFolder",
    "SaveTrainingDataset",
    "CheckpointSave",
    "CLIPSave",
    "LoraSave",
    "ModelSave",
    "SaveLoRA",
    "SaveLoRANode",
    "VAESave",
];

/// Which classes may run.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// Only these, when there are any.
    pub allowed: HashSet<String>,
    /// None of these.
    pub refused: HashSet<String>,
}

impl Policy {
    /// From lists with commas, as settings hold them.
    #[must_use]
    pub fn of(allowed: &[String], refused: &[String]) -> Self {
        let set = |list: &[String]| {
            let names = list.iter().map(|name| name.trim()).filter(|name| !name.is_empty());
            names.map(ToOwned::to_owned).collect()
        };
        Self { allowed: set(allowed), refused: set(refused) }
    }

    /// # Errors
    /// [`Refusal::NotAllowed`] for the first node that may not run.
    pub fn check(&self, graph: &Graph<'_>) -> Result<(), Refusal> {
        let fine = |class: &str| {
            !self.refused.contains(class) && (self.allowed.is_empty() || self.allowed.contains(class))
        };
        match graph.nodes.iter().find(|(_, node)| !fine(node.class())) {
            None => Ok(()),
            Some((id, node)) => {
                let (class, title) = (node.class().to_owned(), node.title());
                Err(Refusal::NotAllowed { node: id.clone(), class, title })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;

    #[test]
    fn what_is_refused_is_refused_and_a_list_of_the_allowed_refuses_the_rest() {
        let json: Box<RawValue> =
            serde_json::from_str(r#"{"1": {"class_type": "A"}, "2": {"class_type": "B"}}"#).unwrap();
        let graph = Graph::read(&json).unwrap();
        let verdict = |allowed: &str, refused: &str| {
            let list = |text: &str| text.split(',').map(ToOwned::to_owned).collect::<Vec<_>>();
            Policy::of(&list(allowed), &list(refused)).check(&graph).is_ok()
        };
        assert!(verdict("", "") && verdict("", "C") && verdict("A, B", ""));
        assert!(!verdict("", "C,B") && !verdict("A", "") && !verdict("A,B", "A"));
    }
}
