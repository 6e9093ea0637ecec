//! Attend and leave: which workers are here, what they are, and which of their links counts.

use queue_protocol::{LinkId, NeedsId, WorkerName};

use super::teach::asked;
use crate::connection::Broker;
use crate::error::BrokerError;
use crate::script::script;

/// How a link asks for its worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// It was just opened: the worker is its own, whoever had it before.
    Open,
    /// It was just opened by a process that lost the worker to another one: only if nobody has it.
    Yield,
    /// It has the worker, and stays.
    Stay,
}

impl Arrival {
    const fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Yield => "yield",
            Self::Stay => "stay",
        }
    }
}

/// What a link that attends is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attended {
    /// Go on. These classes of needs wait, and nobody has told about this kind of worker yet: for [`Broker::teach`].
    Attending(Vec<(NeedsId, String)>),
    /// Claim nothing: the worker is draining.
    Draining,
    /// Close: another link has the worker. Nothing was noted.
    Replaced,
}

impl Broker {
    /// Notes that a worker was heard of on this link, with the fields that changed.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`]: noted or not; the next sign of life notes it.
    pub async fn attend(
        &self,
        worker: &WorkerName,
        link: LinkId,
        arrival: Arrival,
        fields: &[(&str, String)],
    ) -> Result<Attended, BrokerError> {
        let mut call =
            script!("attend").call(self).arg(worker.as_str()).arg(link.to_string()).arg(arrival.word());
        for (name, value) in fields {
            call = call.arg(*name).arg(value);
        }
        let reply = call.run().await?;
        match reply.word() {
            "attending" => Ok(Attended::Attending(asked(&reply)?)),
            "draining" => Ok(Attended::Draining),
            "replaced" => Ok(Attended::Replaced),
            _ => Err(reply.unexpected()),
        }
    }

    /// Notes that a link closed. Its worker's lease runs on; a newer link of the same worker is not touched.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`]: its idle entry ends by itself after 15 s.
    pub async fn leave(&self, worker: &WorkerName, link: LinkId) -> Result<(), BrokerError> {
        script!("leave").call(self).arg(worker.as_str()).arg(link.to_string()).run().await.map(drop)
    }
}
