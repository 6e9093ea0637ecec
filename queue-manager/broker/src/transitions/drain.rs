//! Drain, resume and forget: what the instructor does with a worker.

use queue_protocol::{JobId, WorkerName};

use crate::connection::Broker;
use crate::error::BrokerError;
use crate::script::script;

/// What is wanted of a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkerOrder {
    /// Finish what runs, then claim nothing more.
    Drain,
    /// Claim again.
    Resume,
    /// Be listed no more; refused while it is connected or a job is lent to it.
    Forget,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ordered {
    /// Done, or it was so already.
    Done,
    /// It holds this job; nothing was changed.
    Busy(JobId),
    /// It is connected, so it cannot be forgotten; nothing was changed.
    Here,
    /// There is no such worker.
    Unknown,
}

impl Broker {
    /// Drains, resumes or forgets a worker.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`]: done or not; say it again.
    pub async fn order_worker(
        &self,
        worker: &WorkerName,
        order: WorkerOrder,
    ) -> Result<Ordered, BrokerError> {
        let word = match order {
            WorkerOrder::Drain => "drain",
            WorkerOrder::Resume => "resume",
            WorkerOrder::Forget => "forget",
        };
        let reply = script!("drain").call(self).arg(worker.as_str()).arg(word).run().await?;
        match reply.word() {
            "done" => Ok(Ordered::Done),
            "busy" => Ok(Ordered::Busy(reply.parse(1)?)),
            "here" => Ok(Ordered::Here),
            "unknown" => Ok(Ordered::Unknown),
            _ => Err(reply.unexpected()),
        }
    }
}
