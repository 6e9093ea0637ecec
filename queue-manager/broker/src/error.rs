//! What can go wrong between us and the store, by what the caller can do about it.

use thiserror::Error;

/// Refusals that belong to the queue's rules are answers of each transition, not errors.
#[derive(Debug, Error)]
pub enum BrokerError {
    /// The store did not answer, or refused to write. The outcome is unknown; every transition may be sent again.
    #[error("the queue store is not answering: {0}")]
    Unavailable(#[source] redis::RedisError),
    /// The store is full or cannot write to its disk. Nothing was stored.
    #[error("the queue store has no room: {0}")]
    Full(#[source] redis::RedisError),
    /// What the store holds or a script answered makes no sense. This is a bug; the job is as it was.
    #[error("the queue store answered something unexpected: {0}")]
    Corrupt(String),
}

impl From<redis::RedisError> for BrokerError {
    fn from(error: redis::RedisError) -> Self {
        match error.code() {
            Some("OOM" | "MISCONF") => Self::Full(error),
            // Scripts answer in words; an error reply of one is a bug and not an outage.
            Some("ERR") => Self::Corrupt(error.to_string()),
            _ => Self::Unavailable(error),
        }
    }
}
