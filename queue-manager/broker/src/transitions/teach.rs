//! Teach: what a kind of worker can run, class by class.

use queue_protocol::{FileHash, NeedsId};

use crate::connection::Broker;
use crate::error::BrokerError;
use crate::reply::Reply;
use crate::script::script;

/// Classes of needs with their JSON, behind the first word of an answer.
pub(super) fn asked(reply: &Reply) -> Result<Vec<(NeedsId, String)>, BrokerError> {
    (1..reply.len()).step_by(2).map(|at| Ok((reply.parse(at)?, reply.text(at + 1)?.to_owned()))).collect()
}

impl Broker {
    /// Notes which of these classes a kind of worker (the hash of its `object_info`) can run. Jobs go on hold or come
    /// back accordingly.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`]: noted or not; the next claim asks again.
    pub async fn teach(&self, kind: &FileHash, classes: &[(NeedsId, bool)]) -> Result<(), BrokerError> {
        let mut call = script!("teach").call(self).arg(kind.as_str());
        for (needs, can) in classes {
            call = call.arg(needs.as_str()).arg(if *can { "1" } else { "0" });
        }
        call.run().await.map(drop)
    }
}
