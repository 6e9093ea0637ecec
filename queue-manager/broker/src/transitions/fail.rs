//! Fail: a job ends badly, or goes back in line where its kind of failure allows another attempt.

use queue_protocol::link::{HeldLease, JobResult};
use queue_protocol::{FailureKind, WorkerName, timings};

use super::finish::{Settled, result_json};
use crate::connection::Broker;
use crate::error::BrokerError;
use crate::script::script;

const fn word(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::Validation => "validation",
        FailureKind::Run => "run",
        FailureKind::OutOfMemory => "out_of_memory",
        FailureKind::Interrupted => "interrupted",
        FailureKind::ComfyuiLost => "comfyui_lost",
        FailureKind::Files => "files",
    }
}

impl Broker {
    /// Ends a job badly. A job that was asked to stop ends cancelled, whatever went wrong meanwhile.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`]: ended or not; say it again.
    pub async fn fail(
        &self,
        worker: &WorkerName,
        held: HeldLease,
        kind: FailureKind,
        result: &JobResult,
    ) -> Result<Settled, BrokerError> {
        let reply = script!("fail")
            .call(self)
            .arg(worker.as_str())
            .arg(held.job.to_string())
            .arg(held.token.0)
            .arg(word(kind))
            .arg(result_json(result)?)
            .arg(timings::CRASHES_BEFORE_PARKED)
            .run()
            .await?;
        Settled::read(&reply)
    }
}
