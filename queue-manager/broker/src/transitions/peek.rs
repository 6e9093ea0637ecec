//! Peek: what a worker will probably get next.

use queue_protocol::link::BoundInput;
use queue_protocol::{JobId, WorkerName};

use crate::connection::Broker;
use crate::error::BrokerError;
use crate::script::script;

impl Broker {
    /// The job that a claim of this worker would lend now, and its inputs. Takes nothing.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] while the store does not answer.
    pub async fn peek(&self, worker: &WorkerName) -> Result<Option<(JobId, Vec<BoundInput>)>, BrokerError> {
        let reply = script!("peek").call(self).arg(worker.as_str()).run().await?;
        match reply.word() {
            "none" => Ok(None),
            "next" => {
                let inputs = match reply.text(2)? {
                    "" => Vec::new(),
                    json => serde_json::from_str(json).map_err(|_| reply.unexpected())?,
                };
                Ok(Some((reply.parse(1)?, inputs)))
            }
            _ => Err(reply.unexpected()),
        }
    }
}
