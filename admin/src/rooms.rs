//! The room as the queue-manager last told it, shared by those who watch: twenty viewers ask hardly more than one. Only
//! whoever was given the room for their own token shares it. Kept for some seconds, so that a page can be told what is new
//! since it was made; it is all asked again after a restart.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex as Lock, OnceLock, PoisonError};
use std::time::Duration;

use queue_client::ClientError;
use queue_client::api::Api;
use queue_protocol::api::Room;
use queue_protocol::{JobId, timings};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::zones::Frame;

/// Versions that are kept: a page opens its live feed seconds after it was made.
const KEPT: usize = 16;
/// Whoever was given the room for their own token is believed for as long as the queue-manager believes an open feed.
/// Theirs ends sooner if their session does.
const BELIEVED: Duration = timings::SOCKET_CHECK_EVERY;

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

/// A viewer's token, and when the queue-manager last gave the room for it.
pub(crate) struct Ticket {
    token: String,
    given: Option<Instant>,
}

impl Ticket {
    pub(crate) fn new(token: String) -> Self {
        Self { token, given: None }
    }
}

/// What is known of the room. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Rooms {
    api: Api,
    kept: Arc<Lock<Kept>>,
    /// One question at a time of those who share.
    asking: Arc<Mutex<()>>,
    /// Tells versions of this process from those of one before.
    life: Arc<str>,
}

#[derive(Default)]
struct Kept {
    rooms: VecDeque<Arc<Seen>>,
    /// Of the newest version.
    number: u64,
}

impl Rooms {
    pub(crate) fn new(api: Api) -> Self {
        let life = JobId::random().to_string().chars().take(8).collect::<String>();
        Self { api, kept: Arc::default(), asking: Arc::default(), life: life.into() }
    }

    /// The room as it is now, asked with the caller's own token: nobody is shown what somebody else may see, and nobody
    /// waits for anybody else's question.
    pub(crate) async fn now(&self, token: &str) -> Result<Arc<Seen>, ClientError> {
        let asked = Instant::now();
        let room: Room = self.api.get(token, "/room").await?;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.number += 1;
        let version = format!("{}-{}", self.life, kept.number);
        let seen = Arc::new(Seen { room, version, asked, open: OnceLock::new(), hidden: OnceLock::new() });
        kept.rooms.push_back(Arc::clone(&seen));
        if kept.rooms.len() > KEPT {
            kept.rooms.pop_front();
        }
        Ok(seen)
    }

    /// The room as it was at `moment` or later. Somebody else's will do for a viewer who was just given it for their own
    /// token; everybody else asks anew.
    pub(crate) async fn since(&self, ticket: &mut Ticket, moment: Instant) -> Result<Arc<Seen>, ClientError> {
        let shares = ticket.given.is_some_and(|given| given.elapsed() < BELIEVED);
        let _one_at_a_time = if shares { Some(self.asking.lock().await) } else { None };
        if let Some(latest) = self.latest().filter(|seen| shares && seen.asked >= moment) {
            return Ok(latest);
        }
        let seen = self.now(&ticket.token).await?;
        ticket.given = Some(seen.asked);
        Ok(seen)
    }

    fn latest(&self) -> Option<Arc<Seen>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.rooms.iter().max_by_key(|seen| seen.asked).cloned()
    }

    /// A version that a page says it has.
    pub(crate) fn known(&self, version: &str) -> Option<Arc<Seen>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.rooms.iter().find(|seen| seen.version == version).cloned()
    }
}
