//! Claim: the next job is lent to one worker, with a lease and a token.

use std::time::Duration;

use queue_protocol::link::BoundInput;
use queue_protocol::{AccountName, ClientId, JobId, LeaseToken, NeedsId, WorkerName, timings};
use uuid::Uuid;

use super::reap::parked_result;
use super::teach::asked;
use crate::connection::Broker;
use crate::error::BrokerError;
use crate::{compressed, script::script};

/// How a claim ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Claimed {
    /// A job, lent.
    Lent(Box<Lent>),
    /// Nothing can be decided before this worker's kind has been taught about these needs; nothing was lent.
    Ask(Vec<(NeedsId, String)>),
    /// Nothing this worker may run; it stands in the idle list and will be woken.
    Idle,
    /// The worker is draining and gets nothing more.
    Draining,
}

/// Whether the worker was asked what it holds and did not name the job that it was lent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forgotten {
    /// It restarted: counts as a crash delivery of that job.
    Yes,
    /// It was not asked, or it holds nothing.
    No,
}

/// A job under a lease.
#[derive(Debug, PartialEq, Eq)]
pub struct Lent {
    /// The job.
    pub job: JobId,
    /// The owner.
    pub participant: AccountName,
    /// The fence of this claim.
    pub token: LeaseToken,
    /// Claims of this job so far, this one included.
    pub attempt: u32,
    /// The submitted bytes; `None` when they are in the file store.
    pub body: Option<Vec<u8>>,
    /// Uploaded files the graph names.
    pub inputs: Vec<BoundInput>,
    /// The tab that submitted it.
    pub client: Option<ClientId>,
    /// Since it was submitted.
    pub waited: Duration,
    /// Keys of paid nodes, as they were sealed.
    pub sealed: Option<Vec<u8>>,
    /// The place of the last message that this claim had for the tab; 0 before the first. See [`crate::frames::Place`].
    pub said: u64,
}

impl Broker {
    /// Lends the next job that this worker's kind can run. A worker that still holds a job gets that one again, with
    /// the same token: its answer was lost, or the worker restarted.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`]: a job may be lent or not; the next claim of the same worker answers it again.
    pub async fn claim(
        &self,
        worker: &WorkerName,
        lease: Duration,
        forgotten: Forgotten,
    ) -> Result<Claimed, BrokerError> {
        let lease_ms = u64::try_from(lease.as_millis()).unwrap_or(u64::MAX);
        let mut call = script!("claim").call(self).arg(worker.as_str()).arg(lease_ms);
        // A name of its own, so that one crash counts once however often the call is sent.
        call = call.arg(if forgotten == Forgotten::Yes { Uuid::new_v4().to_string() } else { String::new() });
        call = call.arg(timings::CRASHES_BEFORE_PARKED).arg(parked_result()?);
        let reply = call.run().await?;
        match reply.word() {
            "ask" => return asked(&reply).map(Claimed::Ask),
            "idle" => return Ok(Claimed::Idle),
            "draining" => return Ok(Claimed::Draining),
            "lent" => {}
            _ => return Err(reply.unexpected()),
        }
        let packed = reply.bytes(5)?;
        let body = if packed.is_empty() { None } else { Some(compressed::unpack(packed)?) };
        let inputs = match reply.text(6)? {
            "" => Vec::new(),
            json => serde_json::from_str(json).map_err(|_| reply.unexpected())?,
        };
        Ok(Claimed::Lent(Box::new(Lent {
            job: reply.parse(1)?,
            participant: reply.parse(2)?,
            token: reply.parse(3)?,
            attempt: reply.parse(4)?,
            body,
            inputs,
            client: reply.text(7)?.parse().ok(),
            waited: Duration::from_millis(reply.parse(8)?),
            sealed: Some(reply.bytes(9)?.to_vec()).filter(|sealed| !sealed.is_empty()),
            said: reply.parse(10)?,
        })))
    }
}
