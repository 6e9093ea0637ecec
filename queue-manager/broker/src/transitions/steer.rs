//! Hold, keep, prioritise and move: what the owner and the instructor do with a job that waits.

use queue_protocol::{AccountName, JobId, JobState, Lane};

use crate::connection::Broker;
use crate::error::BrokerError;
use crate::reply::Reply;
use crate::script::script;

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Steered {
    /// Done, or it was so already.
    Done,
    /// The job is in this state, where that cannot be done; nothing was changed.
    Refused(JobState),
    /// There is no such job, or it is somebody else's.
    Unknown,
}

impl Steered {
    fn read(reply: &Reply) -> Result<Self, BrokerError> {
        match reply.word() {
            "done" | "kept" => Ok(Self::Done),
            "refused" | "late" => Ok(Self::Refused(reply.parse(1)?)),
            "unknown" => Ok(Self::Unknown),
            _ => Err(reply.unexpected()),
        }
    }
}

fn named(owner: Option<&AccountName>) -> &str {
    owner.map(AccountName::as_str).unwrap_or_default()
}

/// Where `owner` is `None` anyone's job is meant, for the instructor.
impl Broker {
    /// Puts a waiting job aside, or back to its own place.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`]: done or not; say it again.
    pub async fn hold(
        &self,
        id: JobId,
        owner: Option<&AccountName>,
        aside: bool,
    ) -> Result<Steered, BrokerError> {
        let call = script!("hold").call(self).arg(id.to_string()).arg(named(owner));
        Steered::read(&call.arg(if aside { "1" } else { "" }).run().await?)
    }

    /// Takes a delayed cancel back.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`]: done or not; say it again.
    pub async fn keep(&self, id: JobId, owner: Option<&AccountName>) -> Result<Steered, BrokerError> {
        Steered::read(&script!("keep").call(self).arg(id.to_string()).arg(named(owner)).run().await?)
    }

    /// Moves a waiting job to another lane.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`]: done or not; say it again.
    pub async fn prioritise(&self, id: JobId, lane: Lane) -> Result<Steered, BrokerError> {
        Steered::read(&script!("prioritise").call(self).arg(id.to_string()).arg(lane.word()).run().await?)
    }

    /// Moves a waiting job to a place in its owner's line, 0 for the first.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`]: done or not; say it again.
    pub async fn move_to(
        &self,
        id: JobId,
        owner: Option<&AccountName>,
        place: u32,
    ) -> Result<Steered, BrokerError> {
        let call = script!("move").call(self).arg(id.to_string()).arg(named(owner));
        Steered::read(&call.arg(place).run().await?)
    }
}
