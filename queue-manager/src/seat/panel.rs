//! The workshop panel: a small extension of ComfyUI's editor, and what its tabs are told. State in words, place, time,
//! reason, the instructor's messages. Nothing that runs a job depends on it.

use std::time::Duration;

use axum::http::header;
use axum::response::{IntoResponse, Response};
use queue_broker::Broker;
use queue_protocol::api::{Job, Message, QueueStatus};
use queue_protocol::{AccountName, JobId, JobState, Reason};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::Instant;

use super::input::Named;
use crate::api::view;
use crate::capabilities::Capabilities;
use crate::hub::Hub;
use crate::problem::{SeatTrouble, Trouble};
use crate::wording::{self, Words};

/// The message by which a tab asks for this, and by which it is told.
pub(super) const KIND: &str = "workshop";

/// What `extensions` lists.
pub(super) const SCRIPT: &str = "/extensions/atelier/panel.js";

/// Between two messages to one tab.
const PACE: Duration = Duration::from_millis(500);

/// A range of start times grows old by itself.
const REFRESH: Duration = Duration::from_secs(10);

/// Ended jobs that are looked at, besides all that wait or run.
const LOOKED_AT: usize = 50;

/// Jobs that are listed while they wait or run, and once they ended.
const GOING_ON: usize = 30;
const ENDED: usize = 10;

/// For how long a message of the instructor is shown to a tab that comes.
const MESSAGES_FOR: u64 = 60 * 60 * 1_000;

/// One job in the panel.
#[derive(Serialize)]
struct Row {
    id: JobId,
    state: JobState,
    reason: Option<Reason>,
    text: String,
    detail: String,
    /// ms since 1970 by the store's clock; `at` of the whole says what that clock shows.
    started_at: Option<u64>,
    usual_ms: Option<u64>,
    submitted_at: u64,
    pictures: Vec<String>,
    error: Option<String>,
}

impl Row {
    fn of(job: Job, queue: &QueueStatus) -> Self {
        let Words { text, detail } = wording::about(&job, queue);
        let is_picture = |name: &str| mime_guess::from_path(name).first_or_octet_stream().type_() == "image";
        let pictures =
            job.outputs.into_iter().filter(|file| file.kind == "output" && is_picture(&file.filename));
        Self {
            id: job.id,
            state: job.state,
            reason: job.reason,
            text,
            detail,
            started_at: job.started_at.filter(|_| job.state == JobState::Running),
            usual_ms: job.usual_ms,
            submitted_at: job.submitted_at,
            pictures: pictures.map(|file| file.url).take(4).collect(),
            error: job.error.map(|error| error.exception_message),
        }
    }
}

/// What one tab's panel shows, told when it changes.
pub(super) struct Panel {
    broker: Broker,
    capabilities: Capabilities,
    participant: AccountName,
    moved: watch::Receiver<u64>,
    epoch: String,
    waits: bool,
    stale: bool,
    not_before: Instant,
    told: Value,
}

impl Panel {
    pub(super) async fn open(
        broker: Broker,
        capabilities: Capabilities,
        hub: &Hub,
        participant: AccountName,
    ) -> Result<Self, Trouble> {
        let epoch = broker.feed_position(Some(&participant)).await?.epoch;
        Ok(Self {
            broker,
            capabilities,
            participant,
            moved: hub.moved(),
            epoch,
            waits: false,
            stale: true,
            not_before: Instant::now(),
            told: Value::Null,
        })
    }

    /// Something of one's own changed.
    pub(super) fn changed(&mut self) {
        self.stale = true;
    }

    /// The store may be another one than before.
    pub(super) async fn listening_again(&mut self) {
        if let Ok(position) = self.broker.feed_position(Some(&self.participant)).await {
            self.epoch = position.epoch;
        }
        self.stale = true;
    }

    /// Waits until there may be something to tell. Safe to drop while waiting.
    pub(super) async fn due(&mut self) {
        if !self.stale {
            // What others do changes the place of what waits, and nothing else.
            if self.waits {
                let _ = tokio::time::timeout(REFRESH, self.moved.changed()).await;
            } else {
                std::future::pending::<()>().await;
            }
            self.stale = true;
        }
        tokio::time::sleep_until(self.not_before).await;
    }

    /// What to tell; `None` when it is what was told last.
    pub(super) async fn message(&mut self) -> Result<Option<Value>, Trouble> {
        self.stale = false;
        self.moved.mark_unchanged();
        self.not_before = Instant::now() + PACE;
        let (at, data) = self.look().await?;
        if data == self.told {
            return Ok(None);
        }
        let message = json!({"type": KIND, "data": {"at": at, "line": &data}});
        self.told = data;
        Ok(Some(message))
    }

    async fn look(&mut self) -> Result<(u64, Value), Trouble> {
        let mut stored = self.broker.jobs_of(&self.participant, LOOKED_AT).await?;
        let mut left = ENDED;
        stored.retain(|job| {
            !job.state.is_end() || {
                left = left.saturating_sub(1);
                left > 0
            }
        });
        let ids: Vec<_> = stored.iter().map(|job| job.id).collect();
        let outlook = self.broker.outlook(&ids).await?;
        let queue = self.broker.status().await?;
        let mut jobs = view::with_outlook(&self.broker, &self.capabilities, stored, &outlook).await?;
        self.waits = jobs.iter().any(|job| job.state == JobState::Pending);
        // Newest first among those that ended; what goes on in the order in which it ends.
        jobs.sort_by_key(|job| match job.state {
            JobState::Running => (0, 0),
            JobState::Pending => (1, job.position.unwrap_or(u64::MAX)),
            _ => (2, u64::MAX - job.submitted_at),
        });
        let going_on = jobs.iter().filter(|job| !job.state.is_end()).count();
        let more = going_on.saturating_sub(GOING_ON);
        let ended = jobs.split_off(going_on);
        let listed = jobs.into_iter().take(GOING_ON).chain(ended);
        let rows: Vec<_> = listed.map(|job| Row::of(job, &queue)).collect();
        let (mine, all) = self.broker.gpu_time_of(&self.participant).await?;
        let data = json!({
            "epoch": self.epoch,
            "mode": queue.mode,
            "paused": queue.paused,
            "simulated": self.broker.has_simulated_worker().await?,
            "jobs": rows,
            "more": more,
            // In whole minutes: what changes by the second would be news to every tab.
            "gpu_minutes": {"mine": mine / 60_000, "all": (all / 60_000).max(mine / 60_000)},
            "messages": self.messages(outlook.at).await?,
        });
        Ok((outlook.at, data))
    }

    async fn messages(&self, now: u64) -> Result<Vec<Message>, Trouble> {
        let mut messages = self.broker.messages().await?;
        messages.retain(|message| {
            message.to.as_ref().is_none_or(|to| *to == self.participant) && message.at + MESSAGES_FOR > now
        });
        messages.truncate(3);
        Ok(messages)
    }
}

/// The panel's own files; the same for everyone.
pub(super) async fn file(Named(name): Named) -> Result<Response, SeatTrouble> {
    const SCRIPT: &str = "text/javascript; charset=utf-8";
    let (kind, text) = match name.as_str() {
        "panel.js" => (SCRIPT, include_str!("panel/panel.js")),
        "bar.js" => (SCRIPT, include_str!("panel/bar.js")),
        "list.js" => (SCRIPT, include_str!("panel/list.js")),
        "words.js" => (SCRIPT, include_str!("panel/words.js")),
        "sent.js" => (SCRIPT, include_str!("panel/sent.js")),
        "panel.css" => ("text/css; charset=utf-8", include_str!("panel/panel.css")),
        _ => return Err(SeatTrouble(Trouble::NotFound)),
    };
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "no-cache"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    Ok((headers, text).into_response())
}
