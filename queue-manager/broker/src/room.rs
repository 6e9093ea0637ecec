//! Reading the room at a glance: who has what, who waits where, what happened to a job.

use std::collections::HashMap;

use queue_protocol::api::{JobEvent, Usage};
use queue_protocol::{AccountName, JobId, NeedsId};

use crate::connection::Broker;
use crate::error::BrokerError;
use crate::jobs::StoredJob;

/// Failures that are read to group them.
const FAILURES: isize = 200;

/// What a list of people shows of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonFacts {
    /// What the instructor calls them.
    pub label: String,
    /// Where they sit.
    pub seat: Option<u32>,
    /// When they are signed out everywhere, while that can be taken back; in ms since 1970.
    pub signing_out_at: Option<u64>,
    /// Whether they were heard of lately.
    pub here: bool,
    /// Jobs that wait.
    pub waiting: u64,
    /// What they had.
    pub used: Usage,
    /// Their latest job.
    pub latest: Option<JobId>,
}

/// What the workshop's GPUs did so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GpuTime {
    /// GPU time there was, in ms.
    pub ready_ms: u64,
    /// GPU time that was used, in ms.
    pub busy_ms: u64,
}

type PersonRead =
    (HashMap<String, String>, bool, Option<u64>, HashMap<String, u64>, Vec<String>, Option<f64>);

fn parsed(ids: &[String]) -> Vec<JobId> {
    ids.iter().filter_map(|id| id.parse().ok()).collect()
}

impl Broker {
    /// What is known of each of these people, in their order.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] while the store does not answer.
    pub async fn people_facts(&self, names: &[AccountName]) -> Result<Vec<PersonFacts>, BrokerError> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let mut connection = self.connection.clone();
        let mut pipeline = redis::pipe();
        for name in names {
            pipeline
                .hgetall(self.keys.account(name))
                .exists(self.keys.here(name))
                .hget(self.keys.waiting(name), "jobs")
                .hgetall(self.keys.tally(name.as_str()))
                .zrevrange(self.keys.mine(name), 0, 0)
                .zscore(self.keys.signing_out(), name.as_str());
        }
        let values: Vec<redis::Value> = pipeline.query_async(&mut connection).await?;
        let facts = values.chunks_exact(6).map(|six| {
            let (account, here, waiting, tally, latest, signing_out): PersonRead =
                redis::from_redis_value(redis::Value::Array(six.to_vec()))
                    .map_err(|error| BrokerError::Corrupt(error.to_string()))?;
            let count = |field: &str| tally.get(field).copied().unwrap_or_default();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "ms since 1970")]
            let signing_out_at = signing_out.map(|at| at as u64);
            Ok(PersonFacts {
                label: account.get("label").cloned().unwrap_or_default(),
                seat: account.get("seat").and_then(|seat| seat.parse().ok()),
                signing_out_at,
                here,
                waiting: waiting.unwrap_or_default(),
                used: Usage {
                    gpu_ms: count("gpu_ms"),
                    started: count("started"),
                    waited_ms: count("waited_ms"),
                    completed: count("completed"),
                    failed: count("failed"),
                    cancelled: count("cancelled"),
                },
                latest: parsed(&latest).pop(),
            })
        });
        facts.collect()
    }

    /// Says what the instructor calls somebody (empty: their name) and where they sit (0: nowhere).
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`]: written or not; write it again.
    pub async fn place_person(
        &self,
        name: &AccountName,
        label: Option<&str>,
        seat: Option<u32>,
    ) -> Result<(), BrokerError> {
        let mut connection = self.connection.clone();
        let mut pipeline = redis::pipe();
        pipeline.atomic();
        if let Some(label) = label {
            pipeline.hset(self.keys.account(name), "label", label).ignore();
        }
        match seat {
            Some(0) => drop(pipeline.hdel(self.keys.account(name), "seat").ignore()),
            Some(seat) => drop(pipeline.hset(self.keys.account(name), "seat", seat).ignore()),
            None => {}
        }
        pipeline.exists(self.keys.account(name));
        pipeline.query_async::<redis::Value>(&mut connection).await?;
        Ok(())
    }

    /// Jobs that wait aside: on hold, held, backing off, about to be cancelled; the first of each kind.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] while the store does not answer.
    pub async fn jobs_aside(&self, at_most: isize) -> Result<Vec<StoredJob>, BrokerError> {
        let mut connection = self.connection.clone();
        let (mut classes, due): (Vec<String>, Vec<String>) = redis::pipe()
            .smembers(self.keys.held_classes())
            .zrange(self.keys.later(), 0, at_most - 1)
            .query_async(&mut connection)
            .await?;
        classes.sort();
        classes.push("@".to_owned());
        let mut pipeline = redis::pipe();
        for needs in &classes {
            pipeline.zrange(self.keys.held(needs), 0, at_most - 1);
        }
        let held: Vec<Vec<String>> = pipeline.query_async(&mut connection).await?;
        let ids = parsed(&[due, held.concat()].concat());
        self.jobs(&ids).await
    }

    /// Jobs that run, the longest lent first.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] while the store does not answer.
    pub async fn running(&self) -> Result<Vec<StoredJob>, BrokerError> {
        let mut connection = self.connection.clone();
        let leases: Vec<String> =
            redis::cmd("ZRANGE").arg(self.keys.leases()).arg(0).arg(-1).query_async(&mut connection).await?;
        let ids = leases.iter().filter_map(|member| member.split_once('/')?.1.parse().ok());
        self.jobs(&ids.collect::<Vec<_>>()).await
    }

    /// Failures that nobody has dealt with, newest first.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] while the store does not answer.
    pub async fn failures(&self) -> Result<Vec<JobId>, BrokerError> {
        let mut connection = self.connection.clone();
        let ids: Vec<String> = redis::cmd("ZREVRANGE")
            .arg(self.keys.failures())
            .arg(0)
            .arg(FAILURES - 1)
            .query_async(&mut connection)
            .await?;
        Ok(parsed(&ids))
    }

    /// How long jobs of each of these classes usually run, in ms, and what the class names, as JSON.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] while the store does not answer.
    pub async fn classes(
        &self,
        needs: &[NeedsId],
    ) -> Result<HashMap<NeedsId, (Option<u64>, String)>, BrokerError> {
        if needs.is_empty() {
            return Ok(HashMap::new());
        }
        let mut connection = self.connection.clone();
        let mut pipeline = redis::pipe();
        for id in needs {
            pipeline.hget(self.keys.costs(), id.as_str()).hget(self.keys.needs(), id.as_str());
        }
        let read: Vec<Option<String>> = pipeline.query_async(&mut connection).await?;
        let about = read.chunks_exact(2).map(|two| {
            let ms = two[0].as_ref().and_then(|ms| ms.parse().ok());
            (ms, two[1].clone().unwrap_or_default())
        });
        Ok(needs.iter().cloned().zip(about).collect())
    }

    /// Worker → (ms it worked, jobs it ended).
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] while the store does not answer.
    pub async fn work_done(&self) -> Result<HashMap<String, (u64, u64)>, BrokerError> {
        let mut connection = self.connection.clone();
        let all: HashMap<String, u64> =
            redis::cmd("HGETALL").arg(self.keys.worked()).query_async(&mut connection).await?;
        let jobs = |worker: &str| all.get(&format!("{worker}/jobs")).copied().unwrap_or_default();
        let workers = all.iter().filter(|(name, _)| !name.ends_with("/jobs"));
        Ok(workers.map(|(name, ms)| (name.clone(), (*ms, jobs(name)))).collect())
    }

    /// Since when every GPU that is here has had nothing to do; and what all of them did so far.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] while the store does not answer.
    pub async fn gpu_time(&self) -> Result<(Option<u64>, GpuTime), BrokerError> {
        let mut connection = self.connection.clone();
        let (idle_since, tally): (Option<u64>, HashMap<String, u64>) = redis::pipe()
            .get(self.keys.idle_since())
            .hgetall(self.keys.tally("@"))
            .query_async(&mut connection)
            .await?;
        let count = |field: &str| tally.get(field).copied().unwrap_or_default();
        Ok((idle_since, GpuTime { ready_ms: count("ready_ms"), busy_ms: count("busy_ms") }))
    }

    /// GPU time in ms that one participant's ended jobs took, and that everybody's jobs took so far.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] while the store does not answer.
    pub async fn gpu_time_of(&self, participant: &AccountName) -> Result<(u64, u64), BrokerError> {
        let mut connection = self.connection.clone();
        let (own, all): (Option<u64>, Option<u64>) = redis::pipe()
            .hget(self.keys.tally(participant.as_str()), "gpu_ms")
            .hget(self.keys.tally("@"), "busy_ms")
            .query_async(&mut connection)
            .await?;
        Ok((own.unwrap_or_default(), all.unwrap_or_default()))
    }

    /// What happened to a job, oldest first; only the last hundred things.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] while the store does not answer.
    pub async fn story(&self, id: JobId) -> Result<Vec<JobEvent>, BrokerError> {
        let mut connection = self.connection.clone();
        let lines: Vec<String> =
            redis::cmd("LRANGE").arg(self.keys.story(id)).arg(0).arg(-1).query_async(&mut connection).await?;
        let read = |line: &String| {
            let mut words = line.split(' ');
            let at = words.next()?.parse().ok()?;
            let mut word = || words.next().unwrap_or_default().to_owned();
            Some(JobEvent { at, state: word(), reason: word(), worker: word() })
        };
        Ok(lines.iter().filter_map(read).collect())
    }
}
