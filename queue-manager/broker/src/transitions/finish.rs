//! Finish: a job ends well, once.

use queue_protocol::link::{HeldLease, JobResult};
use queue_protocol::{JobState, WorkerName};

use crate::connection::Broker;
use crate::error::BrokerError;
use crate::reply::Reply;
use crate::script::script;

/// How a worker's report of an end was taken. Shared by finish, fail and release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// The job is over, by this report or by the same one sent before.
    Ended(JobState),
    /// The job is back in its line.
    Again,
    /// The claim is over; nothing was changed, and the files of that attempt are void.
    Lost,
}

impl Settled {
    pub(super) fn read(reply: &Reply) -> Result<Self, BrokerError> {
        match reply.word() {
            "settled" => Ok(Self::Ended(reply.parse(1)?)),
            "again" | "released" => Ok(Self::Again),
            "lost" => Ok(Self::Lost),
            _ => Err(reply.unexpected()),
        }
    }
}

pub(super) fn result_json(result: &JobResult) -> Result<String, BrokerError> {
    serde_json::to_string(result).map_err(|e| BrokerError::Corrupt(e.to_string()))
}

impl Broker {
    /// Ends a job well. Said twice, it answers the same.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`]: ended or not; say it again.
    pub async fn finish(
        &self,
        worker: &WorkerName,
        held: HeldLease,
        result: &JobResult,
    ) -> Result<Settled, BrokerError> {
        let reply = script!("finish")
            .call(self)
            .arg(worker.as_str())
            .arg(held.job.to_string())
            .arg(held.token.0)
            .arg(result_json(result)?)
            .run()
            .await?;
        Settled::read(&reply)
    }
}
