//! Sessions: kept by the SHA-256 of their secret, never by the secret. They end by themselves, by signing out, or all of
//! an account's at once.

use std::collections::HashMap;
use std::time::Duration;

use queue_protocol::AccountName;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::accounts::Account;
use crate::connection::Broker;
use crate::error::BrokerError;
use crate::signals::Door;

/// How long a session lasts without a request: a workshop day.
pub const SESSION_IDLE: Duration = Duration::from_secs(8 * 3600);

/// How long somebody counts as here after their last request.
const HERE_FOR: Duration = Duration::from_secs(90);

/// Field of an account and of each of its sessions: a session of an earlier generation is over.
pub(crate) const GENERATION: &str = "generation";

/// SHA-256 of a session id or token.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SecretHash(String);

impl SecretHash {
    /// The hash of a secret with at least 128 random bits; a password needs argon2 instead.
    #[must_use]
    pub fn of(secret: &str) -> Self {
        Self(hex::encode(Sha256::digest(secret.as_bytes())))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
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
        // Read first: an account whose sessions end in between has another generation by then.
        let generation: Option<u64> = redis::cmd("HGET")
            .arg(self.keys.account(account))
            .arg(GENERATION)
            .query_async(&mut connection)
            .await?;
        redis::pipe()
            .atomic()
            .hset(self.keys.session(&secret.0), "account", account.as_str())
            .hset(self.keys.session(&secret.0), GENERATION, generation.unwrap_or_default())
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
        let account = self.look_at_session(secret).await?;
        if account.is_some() {
            let idle_ms = i64::try_from(SESSION_IDLE.as_millis()).unwrap_or(i64::MAX);
            let mut renew = redis::cmd("PEXPIRE");
            renew.arg(self.keys.session(&secret.0)).arg(idle_ms);
            renew.query_async::<()>(&mut self.connection.clone()).await?;
        }
        Ok(account)
    }

    /// The account behind a session, read anew. A look is no use: the session ends when it would have.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] while the store does not answer.
    pub async fn look_at_session(&self, secret: &SecretHash) -> Result<Option<Account>, BrokerError> {
        let mut connection = self.connection.clone();
        let session: HashMap<String, String> =
            redis::cmd("HGETALL").arg(self.keys.session(&secret.0)).query_async(&mut connection).await?;
        let Some(name) = session.get("account").and_then(|name| name.parse().ok()) else {
            return Ok(None);
        };
        let fields: HashMap<String, String> =
            redis::cmd("HGETALL").arg(self.keys.account(&name)).query_async(&mut connection).await?;
        if generation(&fields) != generation(&session) {
            return Ok(None);
        }
        let account = Account::read(name, &fields).filter(|account| !account.disabled);
        if let Some(account) = &account {
            redis::cmd("SET")
                .arg(self.keys.here(&account.name))
                .arg(1)
                .arg("PX")
                .arg(u64::try_from(HERE_FOR.as_millis()).unwrap_or(u64::MAX))
                .query_async::<()>(&mut connection)
                .await?;
        }
        Ok(account)
    }

    /// Ends a session and closes its sockets.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`]: ended or not; end it again.
    pub async fn end_session(&self, secret: &SecretHash) -> Result<(), BrokerError> {
        let mut connection = self.connection.clone();
        let door = Door::SessionOver { session_over: secret.clone() };
        redis::pipe()
            .atomic()
            .del(self.keys.session(&secret.0))
            .publish(self.keys.doors(), door.encode())
            .query_async::<redis::Value>(&mut connection)
            .await?;
        Ok(())
    }
}

fn generation(fields: &HashMap<String, String>) -> &str {
    fields.get(GENERATION).map_or("0", String::as_str)
}
