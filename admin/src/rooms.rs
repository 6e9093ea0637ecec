//! The room as the queue-manager last told it, shared by everyone who watches: twenty viewers ask no more than one. Kept
//! for some seconds, so that a page can be told what is new since it was made; it is all asked again after a restart.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex as Lock, OnceLock, PoisonError};

use queue_client::ClientError;
use queue_client::api::Api;
use queue_protocol::JobId;
use queue_protocol::api::Room;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::zones::Frame;

/// Versions that are kept: a page opens its live feed seconds after it was made.
const KEPT: usize = 16;

/// The room at one moment.
pub(crate) struct Seen {
    pub(crate) room: Room,
    /// Names this version to the viewers of this process.
    pub(crate) version: String,
    asked: Instant,
    open: OnceLock<Frame>,
    hidden: OnceLock<Frame>,
}

impl Seen {
    /// Rendered, once for everybody.
    pub(crate) fn frame(&self, hide_names: bool) -> &Frame {
        let frame = if hide_names { &self.hidden } else { &self.open };
        frame.get_or_init(|| Frame::of(&self.room, hide_names))
    }
}

/// What is known of the room. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Rooms {
    api: Api,
    kept: Arc<Lock<VecDeque<Arc<Seen>>>>,
    /// One question at a time; the number of the next version.
    asking: Arc<Mutex<u64>>,
    /// Tells versions of this process from those of one before.
    life: Arc<str>,
}

impl Rooms {
    pub(crate) fn new(api: Api) -> Self {
        let life = JobId::random().to_string().chars().take(8).collect::<String>();
        Self { api, kept: Arc::default(), asking: Arc::default(), life: life.into() }
    }

    /// The room as it was at `moment` or later. Asked with the caller's own token, unless somebody else just did.
    pub(crate) async fn since(&self, token: &str, moment: Instant) -> Result<Arc<Seen>, ClientError> {
        let mut number = self.asking.lock().await;
        let latest = self.kept.lock().unwrap_or_else(PoisonError::into_inner).back().cloned();
        if let Some(latest) = latest.filter(|seen| seen.asked >= moment) {
            return Ok(latest);
        }
        let asked = Instant::now();
        let room: Room = self.api.get(token, "/room").await?;
        *number += 1;
        let version = format!("{}-{number}", self.life);
        let seen = Arc::new(Seen { room, version, asked, open: OnceLock::new(), hidden: OnceLock::new() });
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_back(Arc::clone(&seen));
        if kept.len() > KEPT {
            kept.pop_front();
        }
        Ok(seen)
    }

    /// A version that a page says it has.
    pub(crate) fn known(&self, version: &str) -> Option<Arc<Seen>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().find(|seen| seen.version == version).cloned()
    }
}
