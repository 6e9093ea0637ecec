//! The calling side of the queue-manager: the worker link, its file routes, and the API that the dashboard uses.

pub mod api;
pub mod error;
pub mod link;
pub mod proxy;
pub mod transfer;

mod way;

pub use error::ClientError;
pub use proxy::Proxy;
