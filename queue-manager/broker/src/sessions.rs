//! Sessions: kept by the SHA-256 of their secret, never by the secret. They end by themselves, by signing out, or all of
//! an account's at once.

use std::collections::HashMap;
use std::time::Duration;

use queue_protocol::TokenId;
use queue_protocol::api::Role;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::accounts::Account;
use crate::connection::Broker;
use crate::error::BrokerError;
use crate::signals::Door;

/// How long a participant's session lasts without a request: a workshop day.
pub const SESSION_IDLE: Duration = Duration::from_secs(8 * 3600);

/// The same for the instructor, whose open dashboard counts as requests.
pub const INSTRUCTOR_IDLE: Duration = Duration::from_secs(2 * 3600);

/// How long a session lasts at most, whatever is done with it.
pub const SESSION_LASTS: Duration = Duration::from_secs(16 * 3600);

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

    /// The first digits: enough to tell secrets apart, and no way back to one of 256 random bits.
    ///
    /// # Errors
    /// [`BrokerError::Corrupt`] for what is no hash.
    pub fn id(&self) -> Result<TokenId, BrokerError> {
        let id = self.0.get(..12).and_then(|digits| digits.parse().ok());
        id.ok_or_else(|| BrokerError::Corrupt("a hash without 12 digits".to_owned()))
    }
}

impl redis::FromRedisValue for SecretHash {
    fn from_redis_value(value: redis::Value) -> Result<Self, redis::ParsingError> {
        String::from_redis_value(value).map(Self)
    }
}

/// A session as its owner sees it. Times are ms since 1970 by the store's clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedSession {
    /// What it is ended by; says nothing about the secret.
    pub id: TokenId,
    /// The hash of its secret.
    pub secret: SecretHash,
    /// What the browser or program called itself; may be empty.
    pub about: String,
    /// When it began.
    pub made_at: u64,
    /// When it was last used.
    pub used_at: u64,
    /// When it ends, if it is not used until then.
    pub ends_at: u64,
}

impl Broker {
    /// The account behind a session, read anew, so that disabling it takes effect; renews the session's idle time, but
    /// never beyond its end.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] while the store does not answer.
    pub async fn session(&self, secret: &SecretHash) -> Result<Option<Account>, BrokerError> {
        let Some(account) = self.look_at_session(secret).await? else { return Ok(None) };
        let key = self.keys.session(&secret.0);
        let (made_at, (seconds, micros)): (Option<u64>, (u64, u64)) =
            redis::pipe().hget(&key, "made_at").cmd("TIME").query_async(&mut self.connection.clone()).await?;
        let age_ms = (seconds * 1_000 + micros / 1_000).saturating_sub(made_at.unwrap_or_default());
        let left = SESSION_LASTS.saturating_sub(Duration::from_millis(age_ms));
        if left.is_zero() {
            self.end_session(secret).await?;
            return Ok(None);
        }
        let mut renew = redis::cmd("PEXPIRE");
        renew.arg(&key).arg(ms(left.min(idle_of(account.role))));
        renew.query_async::<()>(&mut self.connection.clone()).await?;
        Ok(Some(account))
    }

    /// An account's sessions that are not over, newest first. What ended is forgotten.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] while the store does not answer.
    pub async fn sessions_of(&self, account: &Account) -> Result<Vec<ListedSession>, BrokerError> {
        let mut connection = self.connection.clone();
        let (hashes, fields, (seconds, micros)): (
            HashMap<String, SecretHash>,
            HashMap<String, String>,
            (u64, u64),
        ) = redis::pipe()
            .hgetall(self.keys.sessions(&account.name))
            .hgetall(self.keys.account(&account.name))
            .cmd("TIME")
            .query_async(&mut connection)
            .await?;
        let now_ms = seconds * 1_000 + micros / 1_000;
        let idle_ms = u64::try_from(ms(idle_of(account.role))).unwrap_or_default();
        let mut sessions = Vec::new();
        for (id, secret) in hashes {
            let key = self.keys.session(&secret.0);
            let (session, left): (HashMap<String, String>, i64) =
                redis::pipe().hgetall(&key).pttl(&key).query_async(&mut connection).await?;
            let (Ok(id), Ok(left)) = (id.parse::<TokenId>(), u64::try_from(left)) else {
                redis::cmd("HDEL")
                    .arg(self.keys.sessions(&account.name))
                    .arg(id)
                    .query_async::<()>(&mut connection)
                    .await?;
                continue;
            };
            if generation(&session) != generation(&fields) {
                continue;
            }
            let made_at = session.get("made_at").and_then(|at| at.parse().ok()).unwrap_or_default();
            // In its last hours a session is renewed by less than its idle time.
            let used_at = (now_ms + left).saturating_sub(idle_ms).max(made_at).min(now_ms);
            let about = session.get("about").cloned().unwrap_or_default();
            sessions.push(ListedSession { id, secret, about, made_at, used_at, ends_at: now_ms + left });
        }
        sessions.sort_by(|a, b| (b.made_at, &b.id).cmp(&(a.made_at, &a.id)));
        Ok(sessions)
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

pub(crate) fn ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

pub(crate) fn idle_of(role: Role) -> Duration {
    if role == Role::Instructor { INSTRUCTOR_IDLE } else { SESSION_IDLE }
}

pub(crate) fn generation(fields: &HashMap<String, String>) -> &str {
    fields.get(GENERATION).map_or("0", String::as_str)
}
