//! Position: how many jobs start before this one, if nothing changed from now on, and when it probably starts.

use std::time::Duration;

use queue_protocol::JobId;

use crate::connection::Broker;
use crate::error::BrokerError;
use crate::script::script;

/// What a job in line can expect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prospect {
    /// 1 when it starts next, 2 for the one after.
    pub position: u64,
    /// Soonest and latest start from now; `None` before three jobs have told how long such jobs take, and while no
    /// worker is here.
    pub starts_in: Option<(Duration, Duration)>,
}

impl Broker {
    /// For each job what it can expect; `None` for one that does not wait in line.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] while the store does not answer.
    pub async fn prospects(&self, ids: &[JobId]) -> Result<Vec<Option<Prospect>>, BrokerError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut call = script!("position").call(self);
        for id in ids {
            call = call.arg(id.to_string());
        }
        let reply = call.run().await?;
        let read = |at: usize| -> Result<Option<Prospect>, BrokerError> {
            if reply.text(at)?.is_empty() {
                return Ok(None);
            }
            let starts_in = if reply.text(at + 1)?.is_empty() {
                None
            } else {
                Some((
                    Duration::from_millis(reply.parse(at + 1)?),
                    Duration::from_millis(reply.parse(at + 2)?),
                ))
            };
            Ok(Some(Prospect { position: reply.parse(at)?, starts_in }))
        };
        (0..ids.len()).map(|n| read(3 * n)).collect()
    }

    /// Only the positions.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] while the store does not answer.
    pub async fn positions(&self, ids: &[JobId]) -> Result<Vec<Option<u64>>, BrokerError> {
        let prospects = self.prospects(ids).await?;
        Ok(prospects.into_iter().map(|prospect| Some(prospect?.position)).collect())
    }
}
