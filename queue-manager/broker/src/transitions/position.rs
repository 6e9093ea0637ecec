//! Position: how many jobs start before this one, if nothing changed from now on.

use queue_protocol::JobId;

use crate::connection::Broker;
use crate::error::BrokerError;
use crate::script::script;

impl Broker {
    /// For each job 1 when it starts next, 2 for the one after, `None` when it does not wait.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] while the store does not answer.
    pub async fn positions(&self, ids: &[JobId]) -> Result<Vec<Option<u64>>, BrokerError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut call = script!("position").call(self);
        for id in ids {
            call = call.arg(id.to_string());
        }
        let reply = call.run().await?;
        (0..ids.len())
            .map(|at| if reply.text(at)?.is_empty() { Ok(None) } else { reply.parse(at).map(Some) })
            .collect()
    }
}
