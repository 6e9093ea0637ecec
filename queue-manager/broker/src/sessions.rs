//! Sessions and tokens: kept by the SHA-256 of their secret, never by the secret.

use std::collections::HashMap;
use std::time::Duration;

use queue_protocol::{AccountName, WorkerName};
use sha2::{Digest, Sha256};

use crate::accounts::Account;
use crate::connection::Broker;
use crate::error::BrokerError;

/// How long a session lasts without a request: a workshop day.
pub const SESSION_IDLE: Duration = Duration::from_secs(8 * 3600);

/// SHA-256 of a session id or token.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SecretHash(String);

impl SecretHash {
    /// The hash of a secret with at least 128 random bits; a password needs argon2 instead.
    #[must_use]
    pub fn of(secret: &str) -> Self {
        Self(hex::encode(Sha256::digest(secret.as_bytes())))
    }
}

impl Broker {
    /// Begins a session.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`]: nobody is signed in by it.
    pub async fn begin_session(&self, secret: &SecretHash, account: &AccountName) -> Result<(), BrokerError> {
        let mut connection = self.connection.clone();
        let idle_ms = i64::try_from(SESSION_IDLE.as_millis()).unwrap_or(i64::MAX);
        redis::pipe()
            .atomic()
            .hset(self.keys.session(&secret.0), "account", account.as_str())
            .pexpire(self.keys.session(&secret.0), idle_ms)
            .query_async::<()>(&mut connection)
            .await?;
        Ok(())
    }

    /// The account behind a session, read anew, so that disabling it takes effect; renews the session's idle time.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] while the store does not answer.
    pub async fn session(&self, secret: &SecretHash) -> Result<Option<Account>, BrokerError> {
        let mut connection = self.connection.clone();
        let idle_ms = i64::try_from(SESSION_IDLE.as_millis()).unwrap_or(i64::MAX);
        let (name, _): (Option<String>, bool) = redis::pipe()
            .hget(self.keys.session(&secret.0), "account")
            .pexpire(self.keys.session(&secret.0), idle_ms)
            .query_async(&mut connection)
            .await?;
        let Some(name) = name.and_then(|name| name.parse().ok()) else {
            return Ok(None);
        };
        Ok(self.account(&name).await?.filter(|account| !account.disabled))
    }

    /// Ends a session.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`]: ended or not; end it again.
    pub async fn end_session(&self, secret: &SecretHash) -> Result<(), BrokerError> {
        let mut connection = self.connection.clone();
        redis::cmd("DEL").arg(self.keys.session(&secret.0)).query_async::<()>(&mut connection).await?;
        Ok(())
    }

    /// Lets whoever has this secret be that worker.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`]: written or not; issue another.
    pub async fn put_worker_token(
        &self,
        secret: &SecretHash,
        worker: &WorkerName,
    ) -> Result<(), BrokerError> {
        let mut connection = self.connection.clone();
        redis::cmd("HSET")
            .arg(self.keys.token(&secret.0))
            .arg("worker")
            .arg(worker.as_str())
            .query_async::<()>(&mut connection)
            .await?;
        Ok(())
    }

    /// The worker behind a token.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] while the store does not answer.
    pub async fn worker_of_token(&self, secret: &SecretHash) -> Result<Option<WorkerName>, BrokerError> {
        let mut connection = self.connection.clone();
        let fields: HashMap<String, String> =
            redis::cmd("HGETALL").arg(self.keys.token(&secret.0)).query_async(&mut connection).await?;
        Ok(fields.get("worker").and_then(|name| name.parse().ok()))
    }
}
