//! What the nodes of one job may know of it.

use serde_json::Value;

use super::cache;
use crate::folder::Folder;
use crate::queue::Prompt;

/// What the nodes of one job may know of it.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) folder: Folder,
    /// The graph, with the hashes of loaded files noted in it, as the real server embeds it.
    pub(crate) graph: Value,
    pub(crate) extra_pnginfo: Option<Value>,
    /// Whether sampler steps come with pictures.
    pub(crate) previews: bool,
}

impl Job {
    pub(crate) fn of(prompt: &Prompt, folder: &Folder) -> Self {
        let mut graph = prompt.graph.clone();
        for node in graph.values_mut() {
            if node["class_type"] == "LoadImage"
                && let Some(hash) = cache::changed(folder, &node["inputs"]["image"])
                && let Some(node) = node.as_object_mut()
            {
                node.insert("is_changed".to_owned(), Value::Array(vec![hash.into()]));
            }
        }
        let method = prompt.extra_data.get("preview_method").and_then(Value::as_str);
        Self {
            folder: folder.clone(),
            graph: Value::Object(graph),
            extra_pnginfo: prompt.extra_data.get("extra_pnginfo").cloned(),
            previews: matches!(method, Some("latent2rgb" | "taesd" | "auto")),
        }
    }
}
