//! The workshop's totals, in O(1), and the numbers of feeds.

use std::collections::HashMap;
use std::time::Duration;

use queue_protocol::api::{Caps, Demo, QueueStatus};
use queue_protocol::{AccountName, Mode, limits, timings};

use crate::connection::{Broker, run_id};
use crate::error::BrokerError;

/// Counters, settings, the store's time, workers.
type TotalsRead = (HashMap<String, i64>, [Option<String>; 4], (u64, u64), u64);

/// Where a feed stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedPosition {
    /// Which life of the store: the id of its process.
    pub epoch: String,
    /// The last change.
    pub n: u64,
}

/// `participant until jobs`, as the script wrote it.
fn read_demo(text: &str) -> Option<Demo> {
    let mut words = text.split(' ');
    let participant = words.next()?.parse().ok()?;
    Some(Demo { participant, until: words.next()?.parse().ok()?, jobs: words.next()?.parse().ok()? })
}

impl Broker {
    /// Totals of jobs and workers.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] while the store does not answer.
    pub async fn status(&self) -> Result<QueueStatus, BrokerError> {
        let mut connection = self.connection.clone();
        let (counts, settings, (seconds, micros), total): TotalsRead = redis::pipe()
            .hgetall(self.keys.counts())
            .cmd("HMGET")
            .arg(self.keys.settings())
            .arg("mode")
            .arg("paused")
            .arg("demo")
            .arg("one_each")
            .cmd("TIME")
            .zcard(self.keys.workers())
            .query_async(&mut connection)
            .await?;
        let now_ms = i64::try_from(seconds * 1000 + micros / 1000).unwrap_or_default() + self.clock_offset_ms;
        let lease_ms = i64::try_from(timings::LEASE.as_millis()).unwrap_or_default();
        let active: u64 = redis::cmd("ZCOUNT")
            .arg(self.keys.workers())
            .arg(now_ms - lease_ms)
            .arg("+inf")
            .query_async(&mut connection)
            .await?;
        let count = |state: &str| u64::try_from(counts.get(state).copied().unwrap_or_default()).unwrap_or(0);
        let [mode, paused, demo, one_each] = settings;
        let demo = demo.and_then(|text| read_demo(&text));
        Ok(QueueStatus {
            mode: mode.and_then(|word| word.parse().ok()).unwrap_or(Mode::Fifo),
            paused: paused.is_some_and(|word| word == "1"),
            demo: demo.filter(|demo| i64::try_from(demo.until).is_ok_and(|until| until > now_ms)),
            one_each: one_each.is_some_and(|word| word == "1"),
            pending_jobs: count("pending"),
            running_jobs: count("running"),
            completed_jobs: count("completed"),
            failed_jobs: count("failed"),
            total_workers: total,
            active_workers: active,
            queue_depth: count("pending") + count("running"),
        })
    }

    /// The caps that hold: those somebody set for the workshop or for one participant, else the usual ones.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] while the store does not answer.
    pub async fn caps(&self, whose: Option<&AccountName>) -> Result<Caps, BrokerError> {
        let mut connection = self.connection.clone();
        let mut pipeline = redis::pipe();
        pipeline.hgetall(self.keys.settings());
        if let Some(who) = whose {
            pipeline.hgetall(self.keys.caps(who));
        }
        let set: Vec<HashMap<String, String>> = pipeline.query_async(&mut connection).await?;
        let set = |name: &str| set.iter().rev().find_map(|set| set.get(name)?.parse::<u64>().ok());
        let small = |name, usual: u32| Some(set(name).and_then(|n| u32::try_from(n).ok()).unwrap_or(usual));
        Ok(Caps {
            waiting_per_participant: small("waiting_per_participant", limits::WAITING_PER_PARTICIPANT),
            bytes_per_participant: set("bytes_per_participant").or(Some(limits::BYTES_PER_PARTICIPANT)),
            running_per_participant: small("running_per_participant", limits::RUNNING_PER_PARTICIPANT),
            waiting: small("waiting", limits::WAITING),
            bytes: set("bytes").or(Some(limits::WAITING_BYTES)),
        })
    }

    /// The number a snapshot of this feed must carry; read it before what the snapshot shows. `None` names the
    /// room's feed.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] while the store does not answer.
    pub async fn feed_position(
        &self,
        participant: Option<&AccountName>,
    ) -> Result<FeedPosition, BrokerError> {
        let mut connection = self.connection.clone();
        let (info, n): (String, Option<u64>) = redis::pipe()
            .cmd("INFO")
            .arg("server")
            .get(self.keys.seq(participant.map_or("@room", AccountName::as_str)))
            .query_async(&mut connection)
            .await?;
        Ok(FeedPosition { epoch: run_id(&info)?, n: n.unwrap_or_default() })
    }

    /// How long ago any queue-manager last looked for leases that ended; `None` before the first time.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] while the store does not answer.
    pub async fn since_reaped(&self) -> Result<Option<Duration>, BrokerError> {
        let mut connection = self.connection.clone();
        let ((seconds, micros), reaped): ((u64, u64), Option<u64>) =
            redis::pipe().cmd("TIME").get(self.keys.reaped()).query_async(&mut connection).await?;
        let now_ms = seconds * 1000 + micros / 1000;
        Ok(reaped.map(|at_ms| Duration::from_millis(now_ms.saturating_sub(at_ms))))
    }
}
