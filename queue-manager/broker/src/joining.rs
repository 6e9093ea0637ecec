//! Join tokens: whoever has one may exchange it, once and within a day, for a worker's own token. What is pasted into a
//! GPU box's terminal, and stays in its history, is worth nothing afterwards.

use std::time::Duration;

use queue_protocol::WorkerName;

use crate::connection::Broker;
use crate::error::BrokerError;
use crate::sessions::SecretHash;

/// How long a join token may wait for its use: it is made the day before, at most.
const LASTS: Duration = Duration::from_secs(24 * 3600);

impl Broker {
    /// Lets whoever has this secret become that worker, once, within a day. Answers until when, in ms since 1970.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`]: written or not; make another.
    pub async fn put_join_token(&self, secret: &SecretHash, worker: &WorkerName) -> Result<u64, BrokerError> {
        let until = self.now_ms().await? + u64::try_from(LASTS.as_millis()).unwrap_or(u64::MAX);
        redis::cmd("HSET")
            .arg(self.keys.join_tokens())
            .arg(secret.as_str())
            .arg(format!("{until} {worker}"))
            .query_async::<()>(&mut self.connection.clone())
            .await?;
        Ok(until)
    }

    /// Whose join token this is, and it is worth nothing any more; `None` when it was used, revoked or is too old.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`]: used up or not.
    pub async fn use_join_token(&self, secret: &SecretHash) -> Result<Option<WorkerName>, BrokerError> {
        // In one transaction, so that of two who come at once one gets it.
        let (found, _): (Option<String>, u64) = redis::pipe()
            .atomic()
            .hget(self.keys.join_tokens(), secret.as_str())
            .hdel(self.keys.join_tokens(), secret.as_str())
            .query_async(&mut self.connection.clone())
            .await?;
        let now_ms = self.now_ms().await?;
        let found = found.as_deref().and_then(|found| found.split_once(' '));
        let valid = found.filter(|(until, _)| until.parse().is_ok_and(|until: u64| now_ms < until));
        Ok(valid.and_then(|(_, worker)| worker.parse().ok()))
    }

    /// Makes all join tokens worth nothing that nobody has used; answers how many there were.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`]: revoked or not; revoke them again.
    pub async fn revoke_join_tokens(&self) -> Result<u64, BrokerError> {
        let (number, _): (u64, u64) = redis::pipe()
            .atomic()
            .hlen(self.keys.join_tokens())
            .del(self.keys.join_tokens())
            .query_async(&mut self.connection.clone())
            .await?;
        Ok(number)
    }
}
