//! Everything that can go wrong in a request, by what the caller can do, and its three dialects: problem+json on our
//! own API, ComfyUI's JSON on a seat's paths, a plain word on the worker link.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use queue_broker::BrokerError;
use queue_protocol::api::Problem;
use queue_protocol::limits;
use serde_json::{Map, Value, json};
use thiserror::Error;

use crate::workflow::Refusal;

/// What went wrong. No job has changed unless a variant says so.
#[derive(Debug, Error)]
pub enum Trouble {
    /// Nobody is signed in, or with a session that ended.
    #[error("Sign in first.")]
    NotSignedIn,
    /// The name or the password is wrong; which of them is not said.
    #[error("That name and password do not go together.")]
    WrongPassword,
    /// Too many verifications for one account at once; the password was not looked at.
    #[error("Others are just signing in with this name. Try again in a few seconds.")]
    SlowDown,
    /// Only the instructor may.
    #[error("Only the instructor may do this.")]
    Forbidden,
    /// A token that was made for less.
    #[error("This token was not made for that. Sign in, or make one with another scope.")]
    OutOfScope,
    /// Too many requests of one account.
    #[error("Too many requests at once. Wait a few seconds.")]
    TooFast,
    /// As many as may do this at once, or this account itself, do it.
    #[error("{0}")]
    Busy(&'static str),
    /// As many tabs and feeds of one account as it may have.
    #[error("You have {0} tabs or feeds open, which is the limit. Close one first.")]
    TooManySockets(usize),
    /// The job or the worker is in a state where this cannot be done. Nothing was changed.
    #[error("{0}")]
    WrongState(String),
    /// A body that does not say it is JSON.
    #[error("Send JSON, with Content-Type: application/json.")]
    NotJson,
    /// The path exists, the method does not.
    #[error("There is no such method here.")]
    WrongMethod,
    /// There is no such thing, or it is somebody else's.
    #[error("There is nothing here by that name.")]
    NotFound,
    /// The claim that a worker names is over.
    #[error("This lease is over.")]
    LeaseOver,
    /// The path has a spelling that two servers could read as two paths.
    #[error("This path has characters that are not allowed.")]
    BadPath,
    /// A path that leads out of the folder it belongs to.
    #[error("This path leads out of its folder.")]
    Outside,
    /// An unsafe request that did not come from our own pages.
    #[error("This request came from another site and was refused.")]
    CrossSite,
    /// The request cannot be understood.
    #[error("{0}")]
    BadRequest(String),
    /// The workflow cannot be accepted.
    #[error("{0}")]
    Workflow(Refusal),
    /// The body is larger than the limit.
    #[error("The request is larger than the limit of {0} bytes.")]
    TooLarge(usize),
    /// The id belongs to another job.
    #[error("This id belongs to another job. Leave it out or choose a new one.")]
    IdTaken,
    /// The line is full.
    #[error("{0}")]
    LineFull(String),
    /// The queue store does not answer. The outcome is unknown: submit again with the same id.
    #[error("The queue store is not answering. Running jobs go on; try again in a moment.")]
    StoreAway,
    /// A participant's container does not answer.
    #[error(
        "Your own ComfyUI does not answer; it may be starting. Try again in a minute, or tell your instructor."
    )]
    ContainerAway,
    /// The participant has as much as they may.
    #[error("{0}")]
    Full(String),
    /// The store or the disk is full.
    #[error("There is no room to store this. Tell your instructor.")]
    NoRoom,
    /// A bug of ours; the log has the cause.
    #[error("Something went wrong on our side.")]
    Bug,
}

impl Trouble {
    /// Status and stable word.
    #[must_use]
    pub fn status_and_code(&self) -> (StatusCode, &'static str) {
        match self {
            Self::NotSignedIn => (StatusCode::UNAUTHORIZED, "not_signed_in"),
            Self::WrongPassword => (StatusCode::UNAUTHORIZED, "wrong_password"),
            Self::SlowDown => (StatusCode::TOO_MANY_REQUESTS, "slow_down"),
            Self::Forbidden => (StatusCode::FORBIDDEN, "forbidden"),
            Self::OutOfScope => (StatusCode::FORBIDDEN, "out_of_scope"),
            Self::TooFast => (StatusCode::TOO_MANY_REQUESTS, "too_fast"),
            Self::Busy(_) => (StatusCode::TOO_MANY_REQUESTS, "busy"),
            Self::TooManySockets(_) => (StatusCode::TOO_MANY_REQUESTS, "too_many_sockets"),
            Self::WrongState(_) => (StatusCode::CONFLICT, "wrong_state"),
            Self::NotJson => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_json"),
            Self::WrongMethod => (StatusCode::METHOD_NOT_ALLOWED, "wrong_method"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not_found"),
            Self::LeaseOver => (StatusCode::GONE, "lease_over"),
            Self::BadPath => (StatusCode::BAD_REQUEST, "bad_path"),
            Self::Outside => (StatusCode::FORBIDDEN, "outside"),
            Self::CrossSite => (StatusCode::FORBIDDEN, "cross_site"),
            Self::BadRequest(_) => (StatusCode::BAD_REQUEST, "bad_request"),
            Self::Workflow(refusal) => (StatusCode::BAD_REQUEST, refusal.code()),
            Self::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
            Self::IdTaken => (StatusCode::BAD_REQUEST, "id_taken"),
            Self::LineFull(_) => (StatusCode::TOO_MANY_REQUESTS, "line_full"),
            Self::StoreAway => (StatusCode::SERVICE_UNAVAILABLE, "store_away"),
            Self::ContainerAway => (StatusCode::BAD_GATEWAY, "container_away"),
            Self::Full(_) => (StatusCode::INSUFFICIENT_STORAGE, "full"),
            Self::NoRoom => (StatusCode::INSUFFICIENT_STORAGE, "no_room"),
            Self::Bug => (StatusCode::INTERNAL_SERVER_ERROR, "bug"),
        }
    }

    fn with_headers(&self, mut response: Response) -> Response {
        let headers = response.headers_mut();
        match self {
            Self::NotSignedIn => {
                let challenge = HeaderValue::from_static("Basic realm=\"Atelier\", charset=\"UTF-8\"");
                headers.insert(header::WWW_AUTHENTICATE, challenge);
            }
            Self::SlowDown
            | Self::TooFast
            | Self::Busy(_)
            | Self::TooManySockets(_)
            | Self::LineFull(_)
            | Self::StoreAway
            | Self::ContainerAway => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
            }
            _ => {}
        }
        response
    }

    /// What is wrong with which node, in ComfyUI's form.
    fn node_errors(&self) -> Map<String, Value> {
        match self {
            Self::Workflow(refusal) => refusal.node_errors(),
            _ => Map::new(),
        }
    }

    /// The body that ComfyUI's frontend reads and shows.
    #[must_use]
    pub fn as_comfyui(&self) -> Value {
        let (_, code) = self.status_and_code();
        let (details, extra_info) = match self {
            Self::Workflow(refusal) => (refusal.details(), refusal.extra_info()),
            _ => (String::new(), json!({})),
        };
        json!({
            "error": {"type": code, "message": self.to_string(), "details": details, "extra_info": extra_info},
            "node_errors": self.node_errors(),
        })
    }
}

impl IntoResponse for Trouble {
    fn into_response(self) -> Response {
        let (status, code) = self.status_and_code();
        let problem = Problem {
            kind: "about:blank".to_owned(),
            title: status.canonical_reason().unwrap_or_default().to_owned(),
            status: status.as_u16(),
            detail: self.to_string(),
            code: code.to_owned(),
            node_errors: self.node_errors().into_iter().collect(),
        };
        let kind = [(header::CONTENT_TYPE, "application/problem+json")];
        self.with_headers((status, kind, Json(problem)).into_response())
    }
}

/// The same trouble in ComfyUI's dialect, for every route of a seat.
#[derive(Debug)]
pub struct SeatTrouble(pub Trouble);

impl<E: Into<Trouble>> From<E> for SeatTrouble {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for SeatTrouble {
    fn into_response(self) -> Response {
        let (status, _) = self.0.status_and_code();
        let body = Json(self.0.as_comfyui());
        self.0.with_headers((status, body).into_response())
    }
}

impl From<BrokerError> for Trouble {
    fn from(error: BrokerError) -> Self {
        match error {
            BrokerError::Unavailable(cause) => {
                tracing::warn!(%cause, "the queue store did not answer a request");
                Self::StoreAway
            }
            BrokerError::Full(cause) => {
                tracing::error!(%cause, "the queue store has no room");
                Self::NoRoom
            }
            BrokerError::Corrupt(what) => {
                tracing::error!(what, "the queue store answered something unexpected");
                Self::Bug
            }
        }
    }
}

impl From<std::io::Error> for Trouble {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::NotFound => Self::NotFound,
            std::io::ErrorKind::ConnectionAborted => {
                Self::BadRequest("What was sent breaks off in the middle.".to_owned())
            }
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                tracing::error!(%error, "the disk is full");
                Self::NoRoom
            }
            std::io::ErrorKind::FileTooLarge => Self::TooLarge(limits::FILE),
            std::io::ErrorKind::NotADirectory
            | std::io::ErrorKind::IsADirectory
            | std::io::ErrorKind::AlreadyExists => {
                Self::BadRequest("A file or a folder with this name is in the way.".to_owned())
            }
            _ => {
                tracing::error!(%error, "a file could not be moved");
                Self::Bug
            }
        }
    }
}

impl From<serde_json::Error> for Trouble {
    fn from(error: serde_json::Error) -> Self {
        Self::BadRequest(format!("The JSON could not be read: {error}."))
    }
}

impl From<queue_protocol::InvalidId> for Trouble {
    fn from(_: queue_protocol::InvalidId) -> Self {
        Self::NotFound
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_no_room_and_no_bug() {
        let full = Trouble::from(std::io::Error::from(std::io::ErrorKind::StorageFull));
        assert_eq!(full.status_and_code(), (StatusCode::INSUFFICIENT_STORAGE, "no_room"));
    }

    #[test]
    fn a_file_that_is_too_large_is_said_to_be_that_and_no_bug() {
        let large = Trouble::from(std::io::Error::from(std::io::ErrorKind::FileTooLarge));
        assert_eq!(large.status_and_code(), (StatusCode::PAYLOAD_TOO_LARGE, "too_large"));
    }

    #[test]
    fn each_dialect_says_the_same() {
        let api = Trouble::LineFull("Full.".to_owned()).into_response();
        let seat = SeatTrouble(Trouble::LineFull("Full.".to_owned())).into_response();
        for answer in [api, seat] {
            assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
            assert!(answer.headers().contains_key(header::RETRY_AFTER));
        }
    }
}
