//! Bodies that nobody sends by mistake.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use testkit::graphs;

/// A workflow that is accepted, of exactly so many bytes.
pub(crate) fn large(size: usize) -> String {
    let start = format!("{{\"prompt\":{},\"extra_data\":{{\"filler\":[0", graphs::white_picture());
    let left = size - start.len() - 3;
    format!("{start}{}{}]}}}}", ",0.12345".repeat(left / 8), " ".repeat(left % 8))
}

/// A workflow of so many nodes.
pub(crate) fn wide(nodes: usize) -> String {
    let node = json!({"class_type": "EmptyImage", "inputs": {"width": 64, "height": 48, "batch_size": 1, "color": 0}});
    let graph: serde_json::Map<String, Value> = (0..nodes).map(|n| (n.to_string(), node.clone())).collect();
    json!({"prompt": graph}).to_string()
}

/// So many bytes of spaces, packed as gzip packs them.
pub(crate) fn bomb(size: usize) -> std::io::Result<Vec<u8>> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    let piece = vec![b' '; 1024 * 1024];
    for _ in 0..size / piece.len() {
        packed.write_all(&piece)?;
    }
    packed.finish()
}
