//! Release: a job goes back to the head of its line, unharmed.

use queue_protocol::WorkerName;
use queue_protocol::link::HeldLease;

use super::finish::Settled;
use crate::connection::Broker;
use crate::error::BrokerError;
use crate::script::script;

impl Broker {
    /// Gives a job back.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`]: given back or not; say it again.
    pub async fn release(&self, worker: &WorkerName, held: HeldLease) -> Result<Settled, BrokerError> {
        let reply = script!("release")
            .call(self)
            .arg(worker.as_str())
            .arg(held.job.to_string())
            .arg(held.token.0)
            .run()
            .await?;
        Settled::read(&reply)
    }
}
