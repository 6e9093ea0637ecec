//! Demo, clear, dismiss, progress and tick: what the instructor does with the whole room, and what is noted for them.

use std::time::Duration;

use queue_protocol::api::{Minute, Step};
use queue_protocol::link::HeldLease;
use queue_protocol::{AccountName, JobId, WorkerName};
use serde::Deserialize;

use crate::connection::Broker;
use crate::error::BrokerError;
use crate::script::script;

/// Minutes that are kept for charts: two days.
const MINUTES: usize = 2_880;
/// Jobs that one clear takes out before it lets others have their turn.
const AT_ONCE: u64 = 200;

/// How a clear ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cleared {
    /// So many were cancelled.
    Cleared(u64),
    /// Another number waits than was expected; nothing was changed.
    Changed(u64),
}

#[derive(Deserialize)]
struct StoredMinute {
    at: String,
    pending: String,
    running: String,
    workers: String,
    ready_ms: String,
    busy_ms: String,
    submitted: String,
    completed: String,
    failed: String,
    cancelled: String,
    wait_p50: String,
    wait_p95: String,
}

impl StoredMinute {
    fn read(&self) -> Minute {
        let number = |text: &String| text.parse().unwrap_or_default();
        Minute {
            at: number(&self.at) * 60_000,
            pending: number(&self.pending),
            running: number(&self.running),
            workers: number(&self.workers),
            ready_ms: number(&self.ready_ms),
            busy_ms: number(&self.busy_ms),
            submitted: number(&self.submitted),
            completed: number(&self.completed),
            failed: number(&self.failed),
            cancelled: number(&self.cancelled),
            wait_p50: self.wait_p50.parse().ok(),
            wait_p95: self.wait_p95.parse().ok(),
        }
    }
}

impl Broker {
    /// Lets the next jobs of a participant go first, for a while.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`]: begun or not; say it again.
    pub async fn demo(
        &self,
        participant: &AccountName,
        during: Duration,
        jobs: u32,
    ) -> Result<(), BrokerError> {
        let ms = u64::try_from(during.as_millis()).unwrap_or(u64::MAX);
        script!("demo").call(self).arg(participant.as_str()).arg(ms).arg(jobs).run().await.map(drop)
    }

    /// Ends a demonstration: those of its jobs that still wait stand where all jobs do. Answers whose it was; `None` where
    /// there was none, and nothing is left of one.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`]: ended or not; say it again.
    pub async fn end_demo(&self) -> Result<Option<AccountName>, BrokerError> {
        let reply = script!("demo").call(self).arg("").run().await?;
        match reply.word() {
            "off" => reply.parse(1).map(Some),
            "none" => Ok(None),
            _ => Err(reply.unexpected()),
        }
    }

    /// Cancels everything that waits, if exactly so many jobs do. What comes in meanwhile may be cancelled as well.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`]: some may be cancelled; what still waits can be counted and cleared again.
    pub async fn clear(&self, expected: u64) -> Result<Cleared, BrokerError> {
        let (mut cleared, mut expects) = (0, expected.to_string());
        while cleared < expected {
            let reply = script!("clear").call(self).arg(&expects).arg(AT_ONCE).run().await?;
            match reply.word() {
                "changed" => return Ok(Cleared::Changed(reply.parse(1)?)),
                _ if reply.parse::<u64>(1)? == 0 => break,
                _ => cleared += reply.parse::<u64>(1)?,
            }
            expects.clear();
        }
        if expected == 0 {
            let reply = script!("clear").call(self).arg(0).arg(AT_ONCE).run().await?;
            if reply.word() == "changed" {
                return Ok(Cleared::Changed(reply.parse(1)?));
            }
        }
        Ok(Cleared::Cleared(cleared))
    }

    /// Takes failures off the list of problems; the jobs stay as they are. Answers how many were on it.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`]: taken off or not; say it again.
    pub async fn dismiss(&self, ids: &[JobId]) -> Result<u64, BrokerError> {
        let mut call = script!("dismiss").call(self);
        for id in ids {
            call = call.arg(id.to_string());
        }
        call.run().await?.parse(1)
    }

    /// Notes how far a worker is, for those who watch. Answers whether the claim is live.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`]: noted or not; the next step says more.
    pub async fn progress(
        &self,
        worker: &WorkerName,
        held: HeldLease,
        step: &Step,
    ) -> Result<bool, BrokerError> {
        let json = serde_json::to_string(step).map_err(|error| BrokerError::Corrupt(error.to_string()))?;
        let call = script!("progress").call(self).arg(worker.as_str()).arg(held.job.to_string());
        Ok(call.arg(held.token.0).arg(json).run().await?.word() == "noted")
    }

    /// Notes how things stand; to be called every second or so by anyone.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`]: noted or not.
    pub async fn tick(&self) -> Result<(), BrokerError> {
        script!("tick").call(self).arg(MINUTES).run().await.map(drop)
    }

    /// The last minutes, oldest first.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] while the store does not answer.
    pub async fn minutes(&self, at_most: usize) -> Result<Vec<Minute>, BrokerError> {
        let mut connection = self.connection.clone();
        let lines: Vec<String> = redis::cmd("LRANGE")
            .arg(self.keys.minutes())
            .arg(0)
            .arg(isize::try_from(at_most).unwrap_or(isize::MAX) - 1)
            .query_async(&mut connection)
            .await?;
        let read = lines.iter().rev().filter_map(|line| serde_json::from_str::<StoredMinute>(line).ok());
        Ok(read.map(|minute| minute.read()).collect())
    }
}
