//! What a submitted body says, read without making a tree of it: the graph, its needs, the inputs it names.

pub mod depth;
pub mod graph;
pub mod needs;
pub mod policy;
pub mod refusal;
pub mod request;
pub mod submit;
pub(crate) mod validation;

pub use graph::Graph;
pub use refusal::Refusal;
pub use request::PromptRequest;
