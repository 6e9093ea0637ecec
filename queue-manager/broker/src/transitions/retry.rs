//! Retry: an ended job once more, as a new one.

use queue_protocol::{AccountName, JobId, JobState};

use super::submit::{Full, USUAL_CAPS};
use crate::connection::Broker;
use crate::error::BrokerError;
use crate::script::script;

/// How a retry ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retried {
    /// The new job is stored.
    Accepted {
        /// Its arrival number.
        number: u64,
        /// As for a submit.
        untaught: bool,
    },
    /// This very retry was asked for before: nothing was changed.
    Repeated(JobState),
    /// The new id belongs to another job: nothing was stored.
    Conflict,
    /// There is no room for it: nothing was stored.
    Full(Full),
    /// The old job is not over yet.
    NotEnded(JobState),
    /// Its nodes need the keys that came with it, which are gone: only its tab can run it again.
    NeedsKeys,
    /// There is no such job, or it is somebody else's.
    Unknown,
}

impl Broker {
    /// Submits an ended job of `owner` (anyone's with `None`) again under a new id. The old one stays as it is.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`]: stored or not; say it again with the same new id.
    pub async fn retry(
        &self,
        old: JobId,
        owner: Option<&AccountName>,
        new: JobId,
    ) -> Result<Retried, BrokerError> {
        let reply = script!("retry")
            .call(self)
            .arg(old.to_string())
            .arg(owner.map(AccountName::as_str).unwrap_or_default())
            .arg(new.to_string())
            .arg(&USUAL_CAPS)
            .run()
            .await?;
        match reply.word() {
            "accepted" => Ok(Retried::Accepted { number: reply.parse(1)?, untaught: reply.text(2)? == "1" }),
            "repeated" => Ok(Retried::Repeated(reply.parse(1)?)),
            "conflict" => Ok(Retried::Conflict),
            "full" => Ok(Retried::Full(Full::read(&reply)?)),
            "not_ended" => Ok(Retried::NotEnded(reply.parse(1)?)),
            "keys" => Ok(Retried::NeedsKeys),
            "unknown" => Ok(Retried::Unknown),
            _ => Err(reply.unexpected()),
        }
    }
}
