//! Tokens of workers: kept by the SHA-256 of their secret, listed and revoked by an id that is safe to show.

use std::collections::HashMap;
use std::time::Duration;

use queue_protocol::api::Token;
use queue_protocol::{TokenId, WorkerName};

use crate::connection::Broker;
use crate::error::BrokerError;
use crate::sessions::SecretHash;
use crate::signals::Door;

/// The time of the last use is written at most this often, so that a busy worker costs nothing.
const USE_NOTED_EVERY_MS: u64 = 60_000;

/// Worker and end of a token, when it was last used, and the store's clock.
type Found = ((Option<String>, Option<u64>), Option<u64>, (u64, u64));

fn read(id: TokenId, fields: &HashMap<String, String>, used_at: Option<u64>) -> Option<Token> {
    let worker = fields.get("worker")?.parse().ok()?;
    let made_at = fields.get("made_at").and_then(|ms| ms.parse().ok()).unwrap_or_default();
    let expires_at = fields.get("expires_at").and_then(|ms| ms.parse().ok());
    Some(Token { id, worker, made_at, used_at, expires_at })
}

impl Broker {
    /// Lets whoever has this secret be that worker, until the id it answers is revoked, or for so long.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`]: written or not; issue another.
    pub async fn put_worker_token(
        &self,
        secret: &SecretHash,
        worker: &WorkerName,
        lasts: Option<Duration>,
    ) -> Result<TokenId, BrokerError> {
        let id = secret.id()?;
        let mut connection = self.connection.clone();
        let made_at = self.now_ms().await?;
        let token = self.keys.token(secret.as_str());
        let mut pipeline = redis::pipe();
        pipeline
            .atomic()
            .hset_multiple(&token, &[("worker", worker.as_str()), ("made_at", &made_at.to_string())]);
        if let Some(lasts) = lasts {
            pipeline.hset(
                &token,
                "expires_at",
                made_at + u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX / 2),
            );
        }
        pipeline
            .hset(self.keys.worker_tokens(), id.as_str(), secret.as_str())
            .query_async::<()>(&mut connection)
            .await?;
        Ok(id)
    }

    /// The worker behind a token that has not expired.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] while the store does not answer.
    pub async fn worker_of_token(&self, secret: &SecretHash) -> Result<Option<WorkerName>, BrokerError> {
        let id = secret.id()?;
        let mut connection = self.connection.clone();
        let ((worker, expires_at), used_at, (seconds, micros)): Found = redis::pipe()
            .cmd("HMGET")
            .arg(self.keys.token(secret.as_str()))
            .arg(&["worker", "expires_at"])
            .hget(self.keys.tokens_used(), id.as_str())
            .cmd("TIME")
            .query_async(&mut connection)
            .await?;
        let Some(worker) = worker.and_then(|name| name.parse().ok()) else {
            return Ok(None);
        };
        let now_ms = seconds * 1_000 + micros / 1_000;
        if expires_at.is_some_and(|end| end <= now_ms) {
            return Ok(None);
        }
        self.note_use(&id, used_at, now_ms).await?;
        Ok(Some(worker))
    }

    /// Notes that a token opened something, at most once a minute.
    pub(crate) async fn note_use(
        &self,
        id: &TokenId,
        used_at: Option<u64>,
        now_ms: u64,
    ) -> Result<(), BrokerError> {
        if used_at.is_some_and(|at_ms| now_ms.saturating_sub(at_ms) < USE_NOTED_EVERY_MS) {
            return Ok(());
        }
        let mut connection = self.connection.clone();
        redis::cmd("HSET")
            .arg(self.keys.tokens_used())
            .arg(id.as_str())
            .arg(now_ms)
            .query_async::<()>(&mut connection)
            .await?;
        Ok(())
    }

    /// Every token of every worker, by worker and age.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] while the store does not answer.
    pub async fn worker_tokens(&self) -> Result<Vec<Token>, BrokerError> {
        let mut connection = self.connection.clone();
        let (hashes, used): (HashMap<String, String>, HashMap<String, u64>) = redis::pipe()
            .hgetall(self.keys.worker_tokens())
            .hgetall(self.keys.tokens_used())
            .query_async(&mut connection)
            .await?;
        let mut tokens = Vec::new();
        for (id, hash) in &hashes {
            let fields: HashMap<String, String> =
                redis::cmd("HGETALL").arg(self.keys.token(hash)).query_async(&mut connection).await?;
            if let Ok(name) = id.parse() {
                tokens.extend(read(name, &fields, used.get(id).copied()));
            }
        }
        tokens.sort_by(|a, b| (&a.worker, a.made_at, &a.id).cmp(&(&b.worker, b.made_at, &b.id)));
        Ok(tokens)
    }

    /// Makes a token worth nothing, at once, and closes its worker's links. Answers whether there was such a token. A
    /// job that the worker holds is taken back when its lease ends.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`]: revoked or not; revoke it again.
    pub async fn revoke_worker_token(&self, id: &TokenId) -> Result<bool, BrokerError> {
        let mut connection = self.connection.clone();
        let hash: Option<String> = redis::cmd("HGET")
            .arg(self.keys.worker_tokens())
            .arg(id.as_str())
            .query_async(&mut connection)
            .await?;
        let Some(hash) = hash else { return Ok(false) };
        let worker: Option<String> =
            redis::cmd("HGET").arg(self.keys.token(&hash)).arg("worker").query_async(&mut connection).await?;
        let mut pipeline = redis::pipe();
        pipeline
            .atomic()
            .del(self.keys.token(&hash))
            .hdel(self.keys.worker_tokens(), id.as_str())
            .hdel(self.keys.tokens_used(), id.as_str());
        if let Some(revoked) = worker.and_then(|name| name.parse().ok()) {
            pipeline.publish(self.keys.doors(), Door::Revoked { revoked }.encode());
        }
        pipeline.query_async::<redis::Value>(&mut connection).await?;
        Ok(true)
    }

    /// What the store's clock says: ms since 1970.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] while the store does not answer.
    pub async fn now_ms(&self) -> Result<u64, BrokerError> {
        let (seconds, micros): (u64, u64) = self.ask_our_node(&redis::cmd("TIME")).await?;
        Ok(seconds * 1_000 + micros / 1_000)
    }
}
