//! Renew: a lease ends one lease from now, and the answer carries what the worker should know.

use std::time::Duration;

use queue_protocol::WorkerName;
use queue_protocol::link::HeldLease;

use crate::connection::Broker;
use crate::error::BrokerError;
use crate::script::script;

/// How a renewal ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewed {
    /// The lease goes on.
    Renewed,
    /// The lease goes on, and the job is to be interrupted.
    Stopping,
    /// The lease is over; nothing was changed.
    Lost,
}

impl Broker {
    /// Renews one lease.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`]: renewed or not; renewing again is harmless.
    pub async fn renew(
        &self,
        worker: &WorkerName,
        held: HeldLease,
        lease: Duration,
    ) -> Result<Renewed, BrokerError> {
        let reply = script!("renew")
            .call(self)
            .arg(worker.as_str())
            .arg(held.job.to_string())
            .arg(held.token.0)
            .arg(u64::try_from(lease.as_millis()).unwrap_or(u64::MAX))
            .run()
            .await?;
        match reply.word() {
            "renewed" => Ok(Renewed::Renewed),
            "stopping" => Ok(Renewed::Stopping),
            "lost" => Ok(Renewed::Lost),
            _ => Err(reply.unexpected()),
        }
    }
}
