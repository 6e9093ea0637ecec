//! Reap: leases that ended are taken back.

use std::time::Duration;

use queue_protocol::link::{JobError, JobResult};
use queue_protocol::{JobId, JobState, timings};

use super::finish::result_json;
use crate::connection::Broker;
use crate::error::BrokerError;
use crate::script::script;

/// What one reap did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reaped {
    /// There had been an outage: every lease moved forward by this many ms at most, nothing was taken back.
    Moved(u64),
    /// At most 50 of each at a time.
    Did {
        /// Jobs whose lease ended, with the state each is in now.
        taken_back: Vec<(JobId, JobState)>,
        /// Jobs whose wait for the next attempt or for a delayed cancel is over.
        due: Vec<JobId>,
    },
}

/// What a parked job leaves: the reason, in words for its owner.
pub(super) fn parked_result() -> Result<String, BrokerError> {
    let message = format!(
        "This job took down its GPU {} times and was parked. Change the workflow before running it again.",
        timings::CRASHES_BEFORE_PARKED
    );
    let error =
        JobError { exception_type: "Parked".to_owned(), exception_message: message, ..JobError::default() };
    result_json(&JobResult { error: Some(error), ..JobResult::default() })
}

impl Broker {
    /// Takes back leases that ended; `lease` is how long one lasts. Several queue-managers may do so at once.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`]: the next reap does what this one did not.
    pub async fn reap(&self, lease: Duration) -> Result<Reaped, BrokerError> {
        let gap_ms = u64::try_from(timings::OUTAGE_GAP.as_millis()).unwrap_or(u64::MAX);
        let reply = script!("reap")
            .call(self)
            .arg(gap_ms)
            .arg(timings::CRASHES_BEFORE_PARKED)
            .arg(parked_result()?)
            .arg(u64::try_from(lease.as_millis()).unwrap_or(u64::MAX))
            .run()
            .await?;
        match reply.word() {
            "moved" => Ok(Reaped::Moved(reply.parse(1)?)),
            "reaped" => {
                let dues = 2 + 2 * reply.parse::<usize>(1)?;
                let taken_back = (2..dues).step_by(2).map(|at| Ok((reply.parse(at)?, reply.parse(at + 1)?)));
                Ok(Reaped::Did {
                    taken_back: taken_back.collect::<Result<_, BrokerError>>()?,
                    due: (dues..reply.len()).map(|at| reply.parse(at)).collect::<Result<_, _>>()?,
                })
            }
            _ => Err(reply.unexpected()),
        }
    }
}
