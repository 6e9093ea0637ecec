//! The queue itself: every transition is one script, every key is made here, and nothing else talks to Redis.

pub mod accounts;
pub mod connection;
pub mod error;
pub mod frames;
pub mod jobs;
pub mod joining;
pub mod lineup;
pub mod once;
pub mod person_tokens;
pub mod prospects;
pub mod room;
pub mod sessions;
pub mod signals;
pub mod store;
pub mod tokens;
pub mod totals;
pub mod transitions;
pub mod workers;

mod compressed;
mod keys;
mod reply;
mod script;
mod shared_connection;

pub use connection::Broker;
pub use error::BrokerError;
pub use store::Store;
