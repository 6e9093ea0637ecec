//! What earlier prompts made, by the rules of the real server.
//!
//! A node's key is its class and all its inputs, declared or not, with links replaced by the keys of what they lead
//! to. Hidden inputs are not part of it: two people with the same graph share a key, and the second one is handed the
//! first one's file, workflow included. That is the real server's fault, kept here because a worker must defend
//! against it; an input that no node declares changes the key.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::value::Made;
use crate::folder::Folder;

/// A node's key; equal keys mean that the earlier result is used again.
pub(crate) type Key = [u8; 32];

/// What earlier prompts made. It holds no more than the nodes of the newest prompt.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    made: HashMap<Key, Arc<Made>>,
    /// The random part of `PreviewImage`'s file names, per node.
    temp_prefixes: HashMap<String, String>,
}

impl Cache {
    /// Drops what the prompt with these keys does not use.
    pub(crate) fn keep_only(&mut self, keys: &HashMap<String, Key>) {
        let used: HashSet<&Key> = keys.values().collect();
        self.made.retain(|key, _| used.contains(key));
        self.temp_prefixes.retain(|node, _| keys.contains_key(node));
    }

    pub(crate) fn get(&self, key: &Key) -> Option<Arc<Made>> {
        self.made.get(key).cloned()
    }

    pub(crate) fn put(&mut self, key: Key, made: Arc<Made>) {
        self.made.insert(key, made);
    }

    /// The random part of one preview node's file names; it stays as long as the node does.
    pub(crate) fn temp_prefix(&mut self, node: &str) -> String {
        self.temp_prefixes.entry(node.to_owned()).or_insert_with(random_letters).clone()
    }
}

/// The keys of all nodes that have one; nodes with dangling links or in a cycle have none.
pub(crate) fn keys(graph: &Map<String, Value>, folder: &Folder) -> HashMap<String, Key> {
    let mut found = HashMap::new();
    for id in graph.keys() {
        key(graph, folder, id, &mut found, &mut Vec::new());
    }
    found
}

fn key(
    graph: &Map<String, Value>,
    folder: &Folder,
    id: &str,
    found: &mut HashMap<String, Key>,
    path: &mut Vec<String>,
) -> Option<Key> {
    if let Some(key) = found.get(id) {
        return Some(*key);
    }
    if path.iter().any(|visited| visited == id) {
        return None;
    }
    path.push(id.to_owned());
    let node = graph.get(id)?;
    let class = node["class_type"].as_str()?;
    let mut inputs: Vec<(&String, &Value)> = node["inputs"].as_object()?.iter().collect();
    inputs.sort_by_key(|(name, _)| *name);
    let mut hash = Sha256::new();
    hash.update(class);
    if class == "LoadImage" {
        hash.update(changed(folder, &node["inputs"]["image"]).unwrap_or_default());
    }
    for (name, value) in inputs {
        hash.update([0]);
        hash.update(name);
        if let Some((from, slot)) = link(value) {
            hash.update([1]);
            hash.update(key(graph, folder, from, found, path)?);
            hash.update(slot.to_le_bytes());
        } else {
            hash.update([2]);
            hash.update(value.to_string());
        }
    }
    path.pop();
    let key = hash.finalize().into();
    found.insert(id.to_owned(), key);
    Some(key)
}

/// The hash of the file that `LoadImage` reads: when the file changes, so does the key.
pub(crate) fn changed(folder: &Folder, image: &Value) -> Option<String> {
    let bytes = std::fs::read(folder.named(image.as_str()?)?).ok()?;
    Some(hex(&Sha256::digest(bytes)))
}

/// Reads `[node id, output slot]`.
pub(crate) fn link(value: &Value) -> Option<(&str, usize)> {
    let [Value::String(from), slot] = value.as_array()?.as_slice() else {
        return None;
    };
    Some((from, usize::try_from(slot.as_u64()?).ok()?))
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing into a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Five letters, as in `ComfyUI_temp_abcde_00001_.png`.
fn random_letters() -> String {
    let random = uuid::Uuid::new_v4();
    random.as_bytes().iter().take(5).map(|byte| char::from(b'a' + byte % 26)).collect()
}
