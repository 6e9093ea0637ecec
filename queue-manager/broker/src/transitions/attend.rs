//! Attend and leave: which workers are here, and what they are.

use queue_protocol::{NeedsId, WorkerName};

use super::teach::asked;

use crate::connection::Broker;
use crate::error::BrokerError;
use crate::script::script;

impl Broker {
    /// Notes that a worker was heard of, with the fields that changed. Answers the classes of needs that wait and that
    /// nobody has told about this kind of worker yet: for [`Broker::teach`].
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`]: noted or not; the next sign of life notes it.
    pub async fn attend(
        &self,
        worker: &WorkerName,
        fields: &[(&str, String)],
    ) -> Result<Vec<(NeedsId, String)>, BrokerError> {
        let mut call = script!("attend").call(self).arg(worker.as_str());
        for (name, value) in fields {
            call = call.arg(*name).arg(value);
        }
        asked(&call.run().await?)
    }

    /// Notes that a worker's link closed. Its lease runs on.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`]: its idle entry ends by itself after 15 s.
    pub async fn leave(&self, worker: &WorkerName) -> Result<(), BrokerError> {
        script!("leave").call(self).arg(worker.as_str()).run().await.map(drop)
    }
}
