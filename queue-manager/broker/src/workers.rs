//! What workers are.

use std::collections::{HashMap, HashSet};

use queue_protocol::api::Worker;
use queue_protocol::{FileHash, JobId, WorkerName, timings};

use crate::connection::Broker;
use crate::error::BrokerError;

impl Broker {
    /// What kinds of workers (hashes of their `object_info`) are here and not draining.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] while the store does not answer.
    pub async fn kinds_here(&self) -> Result<Vec<FileHash>, BrokerError> {
        let mut connection = self.connection.clone();
        let mut kinds: Vec<String> =
            redis::cmd("HVALS").arg(self.keys.present()).query_async(&mut connection).await?;
        kinds.sort();
        kinds.dedup();
        Ok(kinds.iter().filter_map(|kind| kind.parse().ok()).collect())
    }

    /// What a job requires of its worker, as JSON; `None` for a job that nobody knows.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] while the store does not answer.
    pub async fn needs_of(&self, job: JobId) -> Result<Option<String>, BrokerError> {
        let mut connection = self.connection.clone();
        let id: Option<String> =
            redis::cmd("HGET").arg(self.keys.job(job)).arg("needs").query_async(&mut connection).await?;
        let Some(id) = id else { return Ok(None) };
        Ok(redis::cmd("HGET").arg(self.keys.needs()).arg(id).query_async(&mut connection).await?)
    }

    /// The job that was last lent to a worker and not settled since.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] while the store does not answer.
    pub async fn holding(&self, worker: &WorkerName) -> Result<Option<JobId>, BrokerError> {
        let mut connection = self.connection.clone();
        let id: Option<String> =
            redis::cmd("HGET").arg(self.keys.worker(worker)).arg("job").query_async(&mut connection).await?;
        Ok(id.and_then(|id| id.parse().ok()))
    }

    /// Whether any worker runs the simulated ComfyUI.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] while the store does not answer.
    pub async fn has_simulated_worker(&self) -> Result<bool, BrokerError> {
        let simulated = |version: &String| version.ends_with("-simulated");
        let workers = self.workers().await?;
        Ok(workers.iter().filter_map(|(_, fields)| fields.get("comfyui_version")).any(simulated))
    }

    /// The sets of scripts for browsers that the instructor accepted.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] while the store does not answer.
    pub async fn accepted_browser_files(&self) -> Result<HashSet<FileHash>, BrokerError> {
        let mut connection = self.connection.clone();
        let hashes: Vec<String> =
            redis::cmd("SMEMBERS").arg(self.keys.browser_files()).query_async(&mut connection).await?;
        Ok(hashes.iter().filter_map(|hash| hash.parse().ok()).collect())
    }

    /// Accepts a set of scripts for browsers, or takes that back. Answers whether that changed anything.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`]: accepted or not; say it again.
    pub async fn accept_browser_files(&self, set: &FileHash, accepted: bool) -> Result<bool, BrokerError> {
        let mut connection = self.connection.clone();
        let mut command = redis::cmd(if accepted { "SADD" } else { "SREM" });
        command.arg(self.keys.browser_files()).arg(set.as_str());
        Ok(command.query_async::<u64>(&mut connection).await? == 1)
    }

    /// Every worker, most recently heard of first.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] while the store does not answer.
    pub async fn worker_list(&self) -> Result<Vec<Worker>, BrokerError> {
        let mut connection = self.connection.clone();
        let (seen, (seconds, micros)): (HashMap<String, f64>, (u64, u64)) = redis::pipe()
            .cmd("ZRANGE")
            .arg(self.keys.workers())
            .arg(0)
            .arg(-1)
            .arg("WITHSCORES")
            .cmd("TIME")
            .query_async(&mut connection)
            .await?;
        let now = seconds * 1_000 + micros / 1_000;
        let lease = u64::try_from(timings::LEASE.as_millis()).unwrap_or(u64::MAX);
        let workers = self.workers().await?.into_iter().map(|(name, fields)| {
            let text = |field: &str| fields.get(field).cloned().unwrap_or_default();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "ms since 1970")]
            let seen_at = seen.get(name.as_str()).copied().unwrap_or_default() as u64;
            Worker {
                active: seen_at + lease >= now,
                draining: text("draining") == "1",
                seen_at,
                job: text("job").parse().ok(),
                version: text("version"),
                gpu: text("gpu"),
                vram_total: text("vram_total").parse().unwrap_or_default(),
                vram_free: text("vram_free").parse().unwrap_or_default(),
                comfyui_version: text("comfyui_version"),
                comfyui_alive: text("comfyui_alive") != "false",
                name,
            }
        });
        Ok(workers.collect())
    }

    /// Every worker with the fields it was described by.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] while the store does not answer.
    pub async fn workers(&self) -> Result<Vec<(WorkerName, HashMap<String, String>)>, BrokerError> {
        let mut connection = self.connection.clone();
        let names: Vec<String> = redis::cmd("ZREVRANGE")
            .arg(self.keys.workers())
            .arg(0)
            .arg(-1)
            .query_async(&mut connection)
            .await?;
        let names: Vec<WorkerName> = names.iter().filter_map(|name| name.parse().ok()).collect();
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let mut pipeline = redis::pipe();
        for name in &names {
            pipeline.hgetall(self.keys.worker(name));
        }
        let fields: Vec<HashMap<String, String>> = pipeline.query_async(&mut connection).await?;
        Ok(names.into_iter().zip(fields).collect())
    }
}
