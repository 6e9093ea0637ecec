//! What a submitted body says, read without making a tree of it: the graph, its needs, the inputs it names.

pub mod depth;
pub mod graph;
pub mod needs;
pub mod policy;
pub mod refusal;
pub mod request;
pub mod submit;
pub(crate) mod validation;

use std::sync::Arc;

use bytes::Bytes;
pub use graph::Graph;
pub use refusal::Refusal;
pub use request::PromptRequest;

use crate::capabilities::ObjectInfo;
use crate::problem::Trouble;

/// Whether a body would pass the check against what one worker described, as if every node of it were an output. For
/// property tests and fuzz targets, which need neither a store nor files.
///
/// # Errors
/// What a door would answer before the check.
pub fn passes(body: &[u8], info: &Arc<ObjectInfo>) -> Result<bool, Trouble> {
    let (body, _) = request::checked(&Bytes::copy_from_slice(body))?;
    let request = PromptRequest::read(&body)?;
    if let Some(refusal) = request.graph.broken_link() {
        return Err(Trouble::Workflow(refusal));
    }
    let outputs: Vec<&str> = request.graph.nodes.keys().map(String::as_str).collect();
    let kinds = std::slice::from_ref(info);
    let findings = validation::Findings::of(&request.graph, kinds);
    Ok(findings.verdict(&request.graph, kinds, &outputs, true).survives)
}
