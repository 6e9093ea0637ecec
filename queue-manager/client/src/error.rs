//! What can go wrong on the way to the queue-manager, by what the caller can do about it.

use thiserror::Error;

/// No variant says that a job changed: only the queue-manager's answers do.
#[derive(Debug, Error)]
pub enum ClientError {
    /// It did not answer, or the connection broke: try again later.
    #[error("the queue-manager cannot be reached: {0}")]
    Unreachable(String),
    /// The token or session is not, or no longer, valid: trying again will not help.
    #[error("the queue-manager refused the credentials")]
    Refused,
    /// The lease is over.
    #[error("the lease is over")]
    LeaseOver,
    /// It answered something we do not understand.
    #[error("the queue-manager answered something unexpected: {0}")]
    Unexpected(String),
}

impl From<reqwest::Error> for ClientError {
    fn from(error: reqwest::Error) -> Self {
        match error.status().map(|status| status.as_u16()) {
            Some(401 | 403) => Self::Refused,
            Some(410) => Self::LeaseOver,
            Some(status) if status < 500 => Self::Unexpected(error.to_string()),
            _ => Self::Unreachable(error.to_string()),
        }
    }
}

impl From<tokio_tungstenite::tungstenite::Error> for ClientError {
    fn from(error: tokio_tungstenite::tungstenite::Error) -> Self {
        match &error {
            tokio_tungstenite::tungstenite::Error::Http(response)
                if matches!(response.status().as_u16(), 401 | 403) =>
            {
                Self::Refused
            }
            _ => Self::Unreachable(error.to_string()),
        }
    }
}
