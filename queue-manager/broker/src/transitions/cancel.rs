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
}
