//! Reading jobs: what lists show, what was submitted, what came out.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use queue_protocol::link::{BoundInput, HeldLease, JobResult};
use queue_protocol::{
    AccountName, ClientId, FileHash, JobId, JobState, Lane, LeaseToken, NeedsId, Reason, WorkerName,
};

use crate::compressed;
use crate::connection::Broker;
use crate::error::BrokerError;

/// Waiting jobs that a snapshot of the room lists one by one.
const WAITING_SHOWN: usize = 300;

/// A job as the store has it. Times are ms since 1970 by the store's clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredJob {
    /// The job.
    pub id: JobId,
    /// The owner.
    pub participant: AccountName,
    /// The lane.
    pub lane: Lane,
    /// The place by arrival; ComfyUI's `number`.
    pub seq: u64,
    /// Where it is.
    pub state: JobState,
    /// Why.
    pub reason: Option<Reason>,
    /// The fence of the latest claim; 0 before the first.
    pub token: LeaseToken,
    /// Claims so far.
    pub attempts: u32,
    /// The worker of the latest claim.
    pub worker: Option<WorkerName>,
    /// The tab that submitted it.
    pub client: Option<ClientId>,
    /// The workflow's own id.
    pub workflow: Option<String>,
    /// SHA-256 of the submitted bytes.
    pub body_hash: FileHash,
    /// Whether the body is in the file store instead of Redis.
    pub body_in_files: bool,
    /// The job that this one repeats.
    pub retry_of: Option<JobId>,
    /// When a delayed cancel takes effect.
    pub cancel_at: Option<u64>,
    /// When it was stored.
    pub submitted_at: u64,
    /// What a worker must have to run it.
    pub needs: NeedsId,
    /// When its latest attempt began.
    pub started_at: Option<u64>,
    /// When it ended.
    pub ended_at: Option<u64>,
}

impl StoredJob {
    /// Whether files of the latest attempt may be seen: while it runs, and after it ended. A job that was taken back
    /// shows nothing until it is claimed again.
    #[must_use]
    pub fn shows_files(&self) -> bool {
        self.state != JobState::Pending && self.token.0 > 0
    }

    fn read(id: JobId, fields: &HashMap<String, String>) -> Result<Self, BrokerError> {
        let text = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
        let bad = |name: &str| BrokerError::Corrupt(format!("job {id} has no valid {name}"));
        let time = |name: &str| text(name).parse().ok();
        Ok(Self {
            id,
            participant: text("participant").parse().map_err(|_| bad("participant"))?,
            lane: text("lane").parse().map_err(|_| bad("lane"))?,
            seq: text("seq").parse().map_err(|_| bad("seq"))?,
            state: text("state").parse().map_err(|_| bad("state"))?,
            reason: Reason::from_word(text("reason")),
            token: text("token").parse().map_err(|_| bad("token"))?,
            attempts: text("attempts").parse().map_err(|_| bad("attempts"))?,
            worker: text("worker").parse().ok(),
            client: text("client").parse().ok(),
            workflow: Some(text("workflow").to_owned()).filter(|id| !id.is_empty()),
            body_hash: text("body_hash").parse().map_err(|_| bad("body_hash"))?,
            body_in_files: text("body_in") == "files",
            retry_of: text("retry_of").parse().ok(),
            cancel_at: time("cancel_at"),
            submitted_at: time("submitted_at").ok_or_else(|| bad("submitted_at"))?,
            needs: text("needs").parse().map_err(|_| bad("needs"))?,
            started_at: time("started_at"),
            ended_at: time("ended_at"),
        })
    }
}

impl Broker {
    /// One job, of whomever.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] while the store does not answer.
    pub async fn job(&self, id: JobId) -> Result<Option<StoredJob>, BrokerError> {
        Ok(self.jobs(&[id]).await?.pop())
    }

    /// Those of `ids` that exist, in that order.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] while the store does not answer.
    pub async fn jobs(&self, ids: &[JobId]) -> Result<Vec<StoredJob>, BrokerError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut connection = self.connection.clone();
        let mut pipeline = redis::pipe();
        for id in ids {
            pipeline.hgetall(self.keys.job(*id));
        }
        let all: Vec<HashMap<String, String>> = pipeline.query_async(&mut connection).await?;
        ids.iter()
            .zip(&all)
            .filter(|(_, fields)| !fields.is_empty())
            .map(|(id, fields)| StoredJob::read(*id, fields))
            .collect()
    }

    /// A participant's jobs that wait or run, newest first.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] while the store does not answer.
    pub async fn outstanding_jobs(&self, participant: &AccountName) -> Result<Vec<StoredJob>, BrokerError> {
        let mut connection = self.connection.clone();
        let mut asked = redis::cmd("ZDIFF");
        asked.arg(2).arg(self.keys.mine(participant)).arg(self.keys.ended_of(participant));
        let ids: Vec<String> = asked.query_async(&mut connection).await?;
        let ids: Vec<_> = ids.iter().rev().filter_map(|id| id.parse().ok()).collect();
        self.jobs(&ids).await
    }

    /// A participant's jobs that wait or run and the latest that ended, newest first, without those they removed from
    /// their history.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] while the store does not answer.
    pub async fn jobs_of(
        &self,
        participant: &AccountName,
        ended_at_most: usize,
    ) -> Result<Vec<StoredJob>, BrokerError> {
        let mut connection = self.connection.clone();
        let (mine, ended_of) = (self.keys.mine(participant), self.keys.ended_of(participant));
        // In one go: a job that ends in between would be in both lists, or in none.
        let (outstanding, ended, hidden): (Vec<String>, Vec<String>, HashSet<String>) = redis::pipe()
            .atomic()
            .cmd("ZDIFF")
            .arg(2)
            .arg(mine)
            .arg(&ended_of)
            .zrevrange(&ended_of, 0, isize::try_from(ended_at_most).unwrap_or(isize::MAX) - 1)
            .smembers(self.keys.hidden(participant))
            .query_async(&mut connection)
            .await?;
        let ids = outstanding.iter().chain(&ended).filter(|id| !hidden.contains(*id));
        let ids: Vec<_> = ids.filter_map(|id| id.parse().ok()).collect();
        let mut jobs = self.jobs(&ids).await?;
        jobs.sort_by_key(|job| std::cmp::Reverse((job.submitted_at, job.seq)));
        Ok(jobs)
    }

    /// Jobs below an arrival number, newest first, each with its number; one participant's, or everybody's.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] while the store does not answer.
    pub async fn jobs_before(
        &self,
        whose: Option<&AccountName>,
        before: Option<u64>,
        at_most: usize,
    ) -> Result<Vec<(u64, StoredJob)>, BrokerError> {
        let mut connection = self.connection.clone();
        let highest = before.map_or_else(|| "+inf".to_owned(), |before| format!("({before}"));
        let found: Vec<(String, u64)> = redis::cmd("ZREVRANGEBYSCORE")
            .arg(whose.map_or_else(|| self.keys.all(), |who| self.keys.mine(who)))
            .arg(highest)
            .arg("-inf")
            .arg("WITHSCORES")
            .arg("LIMIT")
            .arg(0)
            .arg(at_most)
            .query_async(&mut connection)
            .await?;
        let numbers: HashMap<JobId, u64> =
            found.iter().filter_map(|(id, number)| Some((id.parse().ok()?, *number))).collect();
        let ids: Vec<_> = found.iter().filter_map(|(id, _)| id.parse().ok()).collect();
        let jobs = self.jobs(&ids).await?;
        Ok(jobs.into_iter().filter_map(|job| Some((*numbers.get(&job.id)?, job))).collect())
    }

    /// How many jobs of a participant wait or run, without reading one.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] while the store does not answer.
    pub async fn outstanding(&self, participant: &AccountName) -> Result<u64, BrokerError> {
        let mut connection = self.connection.clone();
        let (waiting, leases): (Option<u64>, Vec<String>) = redis::pipe()
            .hget(self.keys.waiting(participant), "jobs")
            .zrange(self.keys.leases(), 0, -1)
            .query_async(&mut connection)
            .await?;
        let own =
            |member: &&String| member.split_once('/').is_some_and(|(who, _)| who == participant.as_str());
        Ok(waiting.unwrap_or_default() + leases.iter().filter(own).count() as u64)
    }

    /// Every job that runs, the latest that ended, and the latest 300 that wait, for the instructor; all that wait are
    /// counted in the totals.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] while the store does not answer.
    pub async fn jobs_of_the_room(&self, ended_at_most: usize) -> Result<Vec<StoredJob>, BrokerError> {
        let mut connection = self.connection.clone();
        let (leases, outstanding, ended): (Vec<String>, Vec<String>, Vec<String>) = redis::pipe()
            .atomic()
            .zrange(self.keys.leases(), 0, -1)
            .cmd("ZDIFF")
            .arg(2)
            .arg(self.keys.all())
            .arg(self.keys.ended())
            .zrevrange(self.keys.ended(), 0, isize::try_from(ended_at_most).unwrap_or(isize::MAX) - 1)
            .query_async(&mut connection)
            .await?;
        let running: Vec<_> = leases.iter().filter_map(|member| Some(member.split_once('/')?.1)).collect();
        let outstanding = outstanding.iter().rev().map(String::as_str);
        let waiting = outstanding.filter(|id| !running.contains(id)).take(WAITING_SHOWN);
        let all = running.iter().copied().chain(ended.iter().map(String::as_str)).chain(waiting);
        self.jobs(&all.filter_map(|id| id.parse().ok()).collect::<Vec<_>>()).await
    }

    /// Jobs that ended lately, the latest of them first.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] while the store does not answer.
    pub async fn ended_within(
        &self,
        lately: Duration,
        at_most: usize,
    ) -> Result<Vec<StoredJob>, BrokerError> {
        let since =
            self.now_ms().await?.saturating_sub(u64::try_from(lately.as_millis()).unwrap_or(u64::MAX));
        let mut connection = self.connection.clone();
        let mut asked = redis::cmd("ZREVRANGEBYSCORE");
        asked.arg(self.keys.ended()).arg("+inf").arg(since).arg("LIMIT").arg(0).arg(at_most);
        let ids: Vec<String> = asked.query_async(&mut connection).await?;
        self.jobs(&ids.iter().filter_map(|id| id.parse().ok()).collect::<Vec<_>>()).await
    }

    /// The submitted bytes, where they are in Redis.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] while the store does not answer.
    pub async fn body(&self, id: JobId) -> Result<Option<Vec<u8>>, BrokerError> {
        let mut connection = self.connection.clone();
        let packed: Option<Vec<u8>> =
            redis::cmd("GET").arg(self.keys.body(id)).query_async(&mut connection).await?;
        packed.map(|bytes| compressed::unpack(&bytes)).transpose()
    }

    /// What a job left; `None` before it ended.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] while the store does not answer.
    pub async fn result(&self, id: JobId) -> Result<Option<JobResult>, BrokerError> {
        let mut connection = self.connection.clone();
        let json: Option<String> =
            redis::cmd("GET").arg(self.keys.result(id)).query_async(&mut connection).await?;
        json.map(|json| serde_json::from_str(&json))
            .transpose()
            .map_err(|e| BrokerError::Corrupt(format!("the result of {id}: {e}")))
    }

    /// The uploaded files that a job's graph names.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] while the store does not answer.
    pub async fn inputs(&self, id: JobId) -> Result<Vec<BoundInput>, BrokerError> {
        let mut connection = self.connection.clone();
        let json: Option<String> =
            redis::cmd("GET").arg(self.keys.inputs(id)).query_async(&mut connection).await?;
        json.map_or(Ok(Vec::new()), |json| serde_json::from_str(&json))
            .map_err(|e| BrokerError::Corrupt(format!("the inputs of {id}: {e}")))
    }

    /// Whether this very claim is live and this worker's: the check before any file of a job moves.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] while the store does not answer.
    pub async fn holds(
        &self,
        worker: &WorkerName,
        held: HeldLease,
    ) -> Result<Option<StoredJob>, BrokerError> {
        let job = self.job(held.job).await?;
        Ok(job.filter(|job| {
            job.state == JobState::Running && job.token == held.token && job.worker.as_ref() == Some(worker)
        }))
    }

    /// Whether a job was left out of its owner's history.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] while the store does not answer.
    pub async fn is_hidden(&self, participant: &AccountName, id: JobId) -> Result<bool, BrokerError> {
        let mut connection = self.connection.clone();
        let mut asked = redis::cmd("SISMEMBER");
        asked.arg(self.keys.hidden(participant)).arg(id.to_string());
        Ok(asked.query_async(&mut connection).await?)
    }

    /// Leaves jobs out of their owner's history. The jobs and their files stay.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`]: hidden or not; say it again.
    pub async fn hide(&self, participant: &AccountName, ids: &[JobId]) -> Result<(), BrokerError> {
        if ids.is_empty() {
            return Ok(());
        }
        let mut connection = self.connection.clone();
        let ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
        redis::cmd("SADD")
            .arg(self.keys.hidden(participant))
            .arg(ids)
            .query_async::<()>(&mut connection)
            .await?;
        Ok(())
    }
}
