//! The first page: the room's totals, live.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use queue_client::ClientError;
use queue_client::api::Api;
use queue_protocol::api::QueueStatus;
use queue_protocol::feed::{FeedMessage, Snapshot};

use crate::app::Notice;
use crate::session::Token;
use crate::sign_in::render;
use crate::wording::{headline, mode};

/// What the page says, in words and numbers only.
#[derive(Template)]
#[template(path = "overview.html")]
struct Overview {
    notice: &'static str,
    simulated: bool,
    headline: String,
    mode: &'static str,
    counts: Vec<Count>,
}

struct Count {
    name: &'static str,
    label: &'static str,
    value: u64,
}

impl Overview {
    fn of(status: &QueueStatus, simulated: bool, notice: &'static str) -> Self {
        let count = |name, label, value| Count { name, label, value };
        Self {
            notice,
            simulated,
            headline: headline(status),
            mode: mode(status.mode),
            counts: vec![
                count("pending_jobs", "waiting", status.pending_jobs),
                count("running_jobs", "running", status.running_jobs),
                count("completed_jobs", "done", status.completed_jobs),
                count("failed_jobs", "failed", status.failed_jobs),
                count("active_workers", "GPUs connected", status.active_workers),
            ],
        }
    }
}

pub(crate) async fn page(State(api): State<Api>, State(notice): State<Notice>, token: Token) -> Response {
    let Token(Some(token)) = token else {
        return Redirect::to("/sign-in").into_response();
    };
    match first_snapshot(&api, &token).await {
        Ok(snapshot) => render(&Overview::of(&snapshot.counts, snapshot.simulated, notice.0)),
        Err(ClientError::Refused) => Redirect::to("/sign-in").into_response(),
        Err(error) => {
            tracing::warn!(%error, "the queue-manager did not answer");
            Redirect::to("/sign-in?failed=away").into_response()
        }
    }
}

/// The feed's snapshot needs a valid session, so the page is never shown without one.
async fn first_snapshot(api: &Api, token: &str) -> Result<Snapshot, ClientError> {
    match api.feed(token).await?.next().await? {
        Some(FeedMessage::Snapshot(snapshot)) => Ok(snapshot),
        _ => Err(ClientError::Unexpected("the feed began without a snapshot".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_says_what_the_queue_says() {
        let status = QueueStatus {
            mode: queue_protocol::Mode::RoundRobin,
            paused: false,
            pending_jobs: 3,
            running_jobs: 1,
            completed_jobs: 0,
            failed_jobs: 0,
            total_workers: 1,
            active_workers: 1,
            queue_depth: 4,
        };
        let html = Overview::of(&status, false, "").render().unwrap();
        assert!(html.contains("turn by turn") && html.contains("3 jobs waiting, 1 running."));
    }
}
