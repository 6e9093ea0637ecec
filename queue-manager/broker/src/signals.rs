//! What other processes and scripts tell us over pub/sub. A hint, never the truth: after a gap everyone takes a new
//! snapshot.

use std::time::Duration;

use futures_util::StreamExt;
use queue_protocol::api::{Message, Role};
use queue_protocol::feed::{JobChange, QueueChange};
use queue_protocol::link::HeldLease;
use queue_protocol::{AccountName, JobId, LeaseToken, Reason, WorkerName};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::connection::Broker;
use crate::error::BrokerError;
use crate::frames::ExecutionFrame;
use crate::sessions::SecretHash;
use crate::shared_connection::in_time;
use crate::transitions::record::StoredMessage;

/// After such a silence the store is asked for a sign of life: a server that hangs, or a connection that broke without
/// a word, looks like a quiet room.
const SILENCE: Duration = Duration::from_secs(5);

/// One thing heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signal {
    /// Listening began or began again: whatever happened before was not heard.
    Listening,
    /// A job changed. `room` is the change's number in the instructor's feed.
    Change {
        /// The change, numbered in its owner's feed.
        change: JobChange,
        /// Its number in the room's feed.
        room: u64,
        /// Whether state and reason are what they were, and only its place is another.
        as_before: bool,
    },
    /// Settings or workers changed.
    Queue(QueueChange),
    /// The instructor said something.
    Message(Message),
    /// A message for a tab.
    Frame(ExecutionFrame),
    /// There may be work for this idle worker.
    Wake(WorkerName),
    /// This worker is to interrupt this job.
    Cancel(WorkerName, HeldLease),
    /// This worker is to claim nothing more, or may claim again.
    Drain(WorkerName, bool),
    /// Every session of this account ended; the role is what it had until then.
    SignedOut(AccountName, Role),
    /// This one session ended.
    SessionOver(SecretHash),
    /// A token of this worker is worth nothing any more.
    Revoked(WorkerName),
}

/// Who must prove anew who they are.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Door {
    SignedOut { signed_out: AccountName, role: Role },
    SessionOver { session_over: SecretHash },
    Revoked { revoked: WorkerName },
}

impl Door {
    pub(crate) fn encode(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

#[derive(Deserialize)]
struct Announced {
    epoch: String,
    n: String,
    room: String,
    job: JobId,
    participant: String,
    state: String,
    reason: String,
    worker: String,
    client: String,
    #[serde(default)]
    as_before: bool,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum ToWorkers {
    Wake { wake: WorkerName },
    Cancel { cancel: WorkerName, job: JobId, token: String },
    Drain { drain: WorkerName },
    Resume { resume: WorkerName },
    Forget { forget: WorkerName },
}

#[derive(Deserialize)]
struct AnnouncedQueue {
    epoch: String,
    room: String,
    queue: String,
}

#[derive(Deserialize)]
struct AnnouncedMessage {
    message: String,
    id: String,
    at: String,
}

fn change(json: &[u8]) -> Option<Signal> {
    if let Ok(said) = serde_json::from_slice::<AnnouncedMessage>(json) {
        let StoredMessage { to, text } = serde_json::from_str(&said.message).ok()?;
        let (id, at) = (said.id.parse().ok()?, said.at.parse().ok()?);
        return Some(Signal::Message(Message { id, at, to, text }));
    }
    if let Ok(said) = serde_json::from_slice::<AnnouncedQueue>(json) {
        let n = said.room.parse().ok()?;
        return Some(Signal::Queue(QueueChange { epoch: said.epoch, n, what: said.queue }));
    }
    let said: Announced = serde_json::from_slice(json).ok()?;
    Some(Signal::Change {
        room: said.room.parse().ok()?,
        as_before: said.as_before,
        change: JobChange {
            epoch: said.epoch,
            n: said.n.parse().ok()?,
            job: said.job,
            participant: said.participant.parse().ok()?,
            state: said.state.parse().ok()?,
            reason: Reason::from_word(&said.reason),
            worker: said.worker.parse().ok(),
            client: said.client.parse().ok(),
        },
    })
}

fn to_worker(json: &[u8]) -> Option<Signal> {
    Some(match serde_json::from_slice(json).ok()? {
        ToWorkers::Wake { wake } => Signal::Wake(wake),
        ToWorkers::Drain { drain } => Signal::Drain(drain, true),
        ToWorkers::Resume { resume } => Signal::Drain(resume, false),
        ToWorkers::Forget { forget } => Signal::Drain(forget, true),
        ToWorkers::Cancel { cancel, job, token } => {
            Signal::Cancel(cancel, HeldLease { job, token: LeaseToken(token.parse().ok()?) })
        }
    })
}

fn door(json: &[u8]) -> Option<Signal> {
    Some(match serde_json::from_slice(json).ok()? {
        Door::SignedOut { signed_out, role } => Signal::SignedOut(signed_out, role),
        Door::SessionOver { session_over } => Signal::SessionOver(session_over),
        Door::Revoked { revoked } => Signal::Revoked(revoked),
    })
}

impl Broker {
    /// Listens until the receiver is gone; a broken connection is made again for ever. A full channel makes it wait,
    /// and Redis drops a subscriber that waits too long: then it listens anew and says so.
    pub async fn listen(&self, heard: mpsc::Sender<Signal>) {
        while !heard.is_closed() {
            if let Err(error) = self.listen_once(&heard).await {
                tracing::warn!(%error, "lost the store's announcements; listening again");
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    async fn listen_once(&self, heard: &mpsc::Sender<Signal>) -> Result<(), BrokerError> {
        let (feed, frames, doors) = (self.keys.feed(), self.keys.frames(), self.keys.doors());
        let channels = [&feed, &frames, &doors, &self.keys.worker_channel()];
        let pubsub = self.listeners.subscribe(&channels).await?;
        if heard.send(Signal::Listening).await.is_err() {
            return Ok(());
        }
        let (mut asking, mut messages) = pubsub.split();
        loop {
            let message = match timeout(SILENCE, messages.next()).await {
                Ok(Some(message)) => message,
                Ok(None) => return Ok(()),
                Err(_) => {
                    in_time(asking.ping::<redis::Value>()).await?;
                    continue;
                }
            };
            let bytes = message.get_payload_bytes();
            let signal = match message.get_channel_name() {
                name if name == feed => change(bytes),
                name if name == doors => door(bytes),
                name if name == frames => ExecutionFrame::decode(bytes).ok().map(Signal::Frame),
                _ => to_worker(bytes),
            };
            let Some(signal) = signal else {
                tracing::error!(channel = message.get_channel_name(), "an announcement nobody understands");
                continue;
            };
            if heard.send(signal).await.is_err() {
                return Ok(());
            }
        }
    }
}
