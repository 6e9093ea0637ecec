//! The graph of a workflow, with values left as the text they came in.

use std::collections::BTreeMap;

use queue_protocol::limits;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::refusal::Refusal;

/// Node id → node.
#[derive(Debug)]
pub struct Graph<'a> {
    /// The nodes.
    pub nodes: BTreeMap<String, Node<'a>>,
}

/// One node.
#[derive(Debug, Deserialize)]
pub struct Node<'a> {
    /// Its class; a node without one is refused.
    #[serde(default)]
    pub class_type: Option<String>,
    /// Input name → value as text.
    #[serde(borrow, default)]
    pub inputs: BTreeMap<String, &'a RawValue>,
    /// What the editor remembers of it.
    #[serde(borrow, rename = "_meta", default)]
    meta: Option<&'a RawValue>,
}

impl<'a> Graph<'a> {
    /// Reads a graph in ComfyUI's API format.
    ///
    /// # Errors
    /// When it is the UI's format, empty, too large, or has a node without a class.
    pub fn read(json: &'a RawValue) -> Result<Self, Refusal> {
        let parts: BTreeMap<String, &'a RawValue> =
            serde_json::from_str(json.get()).map_err(|_| Refusal::NoPrompt)?;
        if parts.contains_key("nodes") && parts.contains_key("links") {
            return Err(Refusal::UiFormat);
        }
        if parts.len() > limits::NODES {
            return Err(Refusal::TooManyNodes(parts.len()));
        }
        let mut nodes = BTreeMap::new();
        for (id, part) in parts {
            let no_class = |title| Refusal::NoClass { node: id.clone(), title };
            let node: Node<'a> = serde_json::from_str(part.get()).map_err(|_| no_class(None))?;
            if node.class_type.is_none() {
                return Err(no_class(node.title()));
            }
            nodes.insert(id, node);
        }
        if nodes.is_empty() {
            return Err(Refusal::NoOutputs);
        }
        Ok(Self { nodes })
    }

    /// A link, `["node", slot]`, to a node that is not there. The editor never makes one.
    #[must_use]
    pub fn broken_link(&self) -> Option<Refusal> {
        self.nodes.iter().find_map(|(id, node)| {
            node.inputs.iter().find_map(|(input, value)| {
                let (target, _): (String, u64) = serde_json::from_str(value.get()).ok()?;
                let (node, class, input) = (id.clone(), node.class().to_owned(), input.clone());
                let missing = !self.nodes.contains_key(&target);
                missing.then_some(Refusal::BrokenLink { node, class, input, target })
            })
        })
    }

    /// Every input whose value is a text: (node id, node, input name, text). ComfyUI takes `{"__value__": …}` for what is in
    /// it.
    pub fn texts(&self) -> impl Iterator<Item = (&str, &Node<'a>, &str, String)> {
        self.nodes.iter().flat_map(|(id, node)| {
            node.inputs
                .iter()
                .filter_map(move |(input, value)| Some((id.as_str(), node, input.as_str(), text_of(value)?)))
        })
    }
}

/// The text that a value is, also one in ComfyUI's wrapping.
pub(crate) fn text_of(value: &RawValue) -> Option<String> {
    #[derive(Deserialize)]
    struct Wrapped {
        __value__: String,
    }
    match value.get().as_bytes().first()? {
        b'"' => serde_json::from_str(value.get()).ok(),
        b'{' => serde_json::from_str::<Wrapped>(value.get()).ok().map(|wrapped| wrapped.__value__),
        _ => None,
    }
}

impl Node<'_> {
    /// The class; empty for none, which a read graph does not have.
    #[must_use]
    pub fn class(&self) -> &str {
        self.class_type.as_deref().unwrap_or_default()
    }

    /// The title it has in the editor.
    #[must_use]
    pub fn title(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Meta {
            title: String,
        }
        Some(serde_json::from_str::<Meta>(self.meta?.get()).ok()?.title)
    }
}
