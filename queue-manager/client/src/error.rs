//! What can go wrong on the way to the queue-manager, by what the caller can do about it.

use thiserror::Error;

/// No variant says that a job changed: only the queue-manager's answers do.
#[derive(Debug, Error)]
pub enum ClientError {
    /// It did not answer, or the connection broke: try again later.
    #[error("the queue-manager cannot be reached: {0}")]
    Unreachable(String),
    /// It answered that it could not, of a disk that is full or of a bug of its own: it may be able to later, or never.
    #[error("the queue-manager could not do it: {0}")]
    Unable(String),
    /// What was sent is larger than it takes: trying again will not help.
    #[error("it is larger than the queue-manager takes")]
    TooLarge,
    /// The token or session is not, or no longer, valid: trying again will not help.
    #[error("the queue-manager refused the credentials")]
    Refused,
    /// The lease is over.
    #[error("the lease is over")]
    LeaseOver,
    /// Another process has this worker's link.
    #[error("another process has this worker's link")]
    Replaced,
    /// It said why not, in a sentence for a person.
    #[error("{detail}")]
    Told {
        /// The HTTP status.
        status: u16,
        /// The sentence.
        detail: String,
    },
    /// It answered something we do not understand.
    #[error("the queue-manager answered something unexpected: {0}")]
    Unexpected(String),
}

impl ClientError {
    /// What did not work, down to its first cause: "error sending request" alone helps nobody.
    pub(crate) fn unreachable(error: impl std::error::Error) -> Self {
        let causes = std::iter::successors(error.source(), |cause| cause.source());
        let words = std::iter::once(error.to_string()).chain(causes.map(ToString::to_string));
        let mut words: Vec<_> = words.collect();
        // Some errors repeat their cause.
        words.dedup_by(|next, one| one.contains(next.as_str()));
        Self::Unreachable(words.join(": "))
    }

    /// What it means that a transfer was answered with no success.
    pub(crate) fn of_transfer(status: u16, url: impl std::fmt::Display) -> Self {
        match status {
            413 => Self::TooLarge,
            500 | 507 => Self::Unable(format!("{status} for {url}")),
            _ => Self::of_status(status, url),
        }
    }

    /// What an answer that is no success means.
    pub(crate) fn of_status(status: u16, url: impl std::fmt::Display) -> Self {
        match status {
            401 | 403 => Self::Refused,
            410 => Self::LeaseOver,
            400..500 => Self::Unexpected(format!("{status} for {url}")),
            _ => Self::Unreachable(format!("{status} for {url}")),
        }
    }
}

impl From<reqwest::Error> for ClientError {
    fn from(error: reqwest::Error) -> Self {
        match (error.status(), error.url()) {
            (Some(status), Some(url)) => Self::of_status(status.as_u16(), url),
            _ => Self::unreachable(error),
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
            _ => Self::unreachable(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transfer_is_sent_again_for_ever_only_to_a_queue_manager_that_is_away() {
        let of = |status| ClientError::of_transfer(status, "a file");
        assert!(matches!(of(413), ClientError::TooLarge));
        assert!(matches!((of(500), of(507)), (ClientError::Unable(_), ClientError::Unable(_))));
        assert!(matches!((of(502), of(503)), (ClientError::Unreachable(_), ClientError::Unreachable(_))));
        assert!(matches!((of(404), of(410)), (ClientError::Unexpected(_), ClientError::LeaseOver)));
    }
}
