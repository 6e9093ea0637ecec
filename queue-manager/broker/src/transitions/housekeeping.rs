//! Age, purge and recount: what nobody asks for and the queue needs all the same.

use queue_protocol::{limits, timings};

use crate::connection::Broker;
use crate::error::BrokerError;
use crate::script::script;

impl Broker {
    /// In priority mode, moves up one lane what has waited long. Answers how many jobs moved.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`]: the next call does what this one did not.
    pub async fn age(&self) -> Result<u64, BrokerError> {
        let usual_ms = u64::try_from(timings::AGEING.as_millis()).unwrap_or(u64::MAX);
        script!("age").call(self).arg(usual_ms).run().await?.parse(1)
    }

    /// Forgets records of ended jobs that are too old, and beyond what is kept the oldest of whoever has most; at most 100
    /// at a time. Files stay.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`]: the next call does what this one did not.
    pub async fn purge(&self) -> Result<u64, BrokerError> {
        let usual_ms = u64::try_from(timings::KEEP_ENDED.as_millis()).unwrap_or(u64::MAX);
        script!("purge")
            .call(self)
            .arg(usual_ms)
            .arg(limits::ENDED)
            .arg(limits::ENDED_BYTES)
            .run()
            .await?
            .parse(1)
    }

    /// Counts everything from scratch; a sentence for each thing that does not add up. Reads every job.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] while the store does not answer.
    pub async fn recount(&self) -> Result<Vec<String>, BrokerError> {
        let reply = script!("recount").call(self).run().await?;
        (0..reply.len()).map(|at| reply.text(at).map(ToOwned::to_owned)).collect()
    }
}
