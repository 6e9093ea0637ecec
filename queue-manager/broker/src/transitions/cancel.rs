//! Cancel: at once for a waiting job, by its worker for a running one.

use std::time::Duration;

use queue_protocol::{AccountName, JobId, JobState};

use crate::connection::Broker;
use crate::error::BrokerError;
use crate::script::script;

/// How a cancel ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancelled {
    /// It waited, and is cancelled.
    Cancelled,
    /// It runs; its worker was told, and it ends when the worker says so.
    Stopping,
    /// It will be cancelled after the delay, unless [`Broker::keep`] takes that back.
    Delayed,
    /// It was over already and stays as it is.
    Ended(JobState),
    /// There is no such job, or it is somebody else's.
    Unknown,
}

impl Broker {
    /// Cancels a job of `owner`; with `None` anyone's, for the instructor. With a delay a waiting job is held meanwhile
    /// and a running one goes on.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`]: cancelled or not; say it again.
    pub async fn cancel(
        &self,
        id: JobId,
        owner: Option<&AccountName>,
        after: Duration,
    ) -> Result<Cancelled, BrokerError> {
        let reply = script!("cancel")
            .call(self)
            .arg(id.to_string())
            .arg(owner.map(AccountName::as_str).unwrap_or_default())
            .arg(u64::try_from(after.as_millis()).unwrap_or(u64::MAX))
            .run()
            .await?;
        match reply.word() {
            "cancelled" => Ok(Cancelled::Cancelled),
            "stopping" => Ok(Cancelled::Stopping),
            "delayed" => Ok(Cancelled::Delayed),
            "ended" => Ok(Cancelled::Ended(reply.parse(1)?)),
            "unknown" => Ok(Cancelled::Unknown),
            _ => Err(reply.unexpected()),
        }
    }

    /// Remembers for a minute which jobs of a cause are about to be cancelled, so that all of them can be kept at once.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`]: remembered or not; each can still be kept by itself.
    pub async fn note_cancelling(&self, cause: &str, jobs: &[JobId]) -> Result<(), BrokerError> {
        if jobs.is_empty() {
            return Ok(());
        }
        let mut connection = self.connection.clone();
        let key = self.keys.cancelling(cause);
        let ids: Vec<_> = jobs.iter().map(ToString::to_string).collect();
        redis::pipe()
            .sadd(&key, ids)
            .ignore()
            .cmd("EXPIRE")
            .arg(&key)
            .arg(60)
            .ignore()
            .query_async::<()>(&mut connection)
            .await?;
        Ok(())
    }

    /// Those jobs; each time they are asked for, none are left.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`]: forgotten or not; each can still be kept by itself.
    pub async fn take_cancelling(&self, cause: &str) -> Result<Vec<JobId>, BrokerError> {
        let mut connection = self.connection.clone();
        let key = self.keys.cancelling(cause);
        let (ids,): (Vec<String>,) =
            redis::pipe().atomic().smembers(&key).del(&key).ignore().query_async(&mut connection).await?;
        Ok(ids.iter().filter_map(|id| id.parse().ok()).collect())
    }
}
