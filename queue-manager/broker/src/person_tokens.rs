//! Tokens of people, for their programs, once they are granted: kept by the SHA-256 of their secret, with what they may be
//! used for and an end.
//! What ends an account's sessions ends its tokens.

use std::collections::HashMap;

use queue_protocol::api::{PersonToken, Scope};
use queue_protocol::{AccountName, TokenId};

use crate::accounts::Account;
use crate::connection::Broker;
use crate::error::BrokerError;
use crate::sessions::{GENERATION, SecretHash, generation};
use crate::signals::Door;

fn scopes(fields: &HashMap<String, String>) -> Vec<Scope> {
    fields
        .get("scopes")
        .map(String::as_str)
        .unwrap_or_default()
        .split(' ')
        .filter_map(Scope::from_word)
        .collect()
}

fn number(fields: &HashMap<String, String>, name: &str) -> u64 {
    fields.get(name).and_then(|ms| ms.parse().ok()).unwrap_or_default()
}

impl Broker {
    /// The account behind a token that has not ended, and what the token may be used for.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] while the store does not answer.
    pub async fn person_of_token(
        &self,
        secret: &SecretHash,
    ) -> Result<Option<(Account, Vec<Scope>)>, BrokerError> {
        let id = secret.id()?;
        let mut connection = self.connection.clone();
        let (token, used_at, (seconds, micros)): (HashMap<String, String>, Option<u64>, (u64, u64)) =
            redis::pipe()
                .hgetall(self.keys.token(secret.as_str()))
                .hget(self.keys.tokens_used(), id.as_str())
                .cmd("TIME")
                .query_async(&mut connection)
                .await?;
        let now_ms = seconds * 1_000 + micros / 1_000;
        let Some(name) = token.get("account").and_then(|name| name.parse::<AccountName>().ok()) else {
            return Ok(None);
        };
        let fields: HashMap<String, String> =
            redis::cmd("HGETALL").arg(self.keys.account(&name)).query_async(&mut connection).await?;
        if number(&token, "expires_at") <= now_ms || generation(&token) != generation(&fields) {
            return Ok(None);
        }
        self.note_use(&id, used_at, now_ms).await?;
        let account = Account::read(name, &fields).filter(|account| !account.disabled);
        Ok(account.map(|account| (account, scopes(&token))))
    }

    /// Every token of one person, or of all; oldest first. What ended with its account's sessions is forgotten; what
    /// expired is listed until it is revoked.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] while the store does not answer.
    pub async fn person_tokens(&self, of: Option<&AccountName>) -> Result<Vec<PersonToken>, BrokerError> {
        let mut connection = self.connection.clone();
        let (hashes, used): (HashMap<String, SecretHash>, HashMap<String, u64>) = redis::pipe()
            .hgetall(self.keys.person_tokens())
            .hgetall(self.keys.tokens_used())
            .query_async(&mut connection)
            .await?;
        let mut tokens = Vec::new();
        for (id, secret) in hashes {
            let fields: HashMap<String, String> = redis::cmd("HGETALL")
                .arg(self.keys.token(secret.as_str()))
                .query_async(&mut connection)
                .await?;
            let (Ok(id), Some(account)) =
                (id.parse::<TokenId>(), fields.get("account").and_then(|a| a.parse().ok()))
            else {
                continue;
            };
            if of.is_some_and(|of| *of != account) {
                continue;
            }
            let now: Option<String> = redis::cmd("HGET")
                .arg(self.keys.account(&account))
                .arg(GENERATION)
                .query_async(&mut connection)
                .await?;
            if generation(&fields) != now.as_deref().unwrap_or("0") {
                self.forget_person_token(&id, &secret).await?;
                continue;
            }
            tokens.push(PersonToken {
                used_at: used.get(id.as_str()).copied(),
                id,
                account,
                label: fields.get("label").cloned().unwrap_or_default(),
                scopes: scopes(&fields),
                made_at: number(&fields, "made_at"),
                expires_at: number(&fields, "expires_at"),
            });
        }
        tokens.sort_by(|a, b| (&a.account, a.made_at, &a.id).cmp(&(&b.account, b.made_at, &b.id)));
        Ok(tokens)
    }

    /// Makes a person's token worth nothing, at once, and closes what it opened. Answers whether there was such a token,
    /// of this person where one is named.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`]: revoked or not; revoke it again.
    pub async fn revoke_person_token(
        &self,
        id: &TokenId,
        of: Option<&AccountName>,
    ) -> Result<bool, BrokerError> {
        let mut connection = self.connection.clone();
        let hash: Option<SecretHash> = redis::cmd("HGET")
            .arg(self.keys.person_tokens())
            .arg(id.as_str())
            .query_async(&mut connection)
            .await?;
        let Some(secret) = hash else { return Ok(false) };
        let account: Option<String> = redis::cmd("HGET")
            .arg(self.keys.token(secret.as_str()))
            .arg("account")
            .query_async(&mut connection)
            .await?;
        if of.is_some_and(|of| account.as_deref() != Some(of.as_str())) {
            return Ok(false);
        }
        self.forget_person_token(id, &secret).await?;
        Ok(true)
    }

    async fn forget_person_token(&self, id: &TokenId, secret: &SecretHash) -> Result<(), BrokerError> {
        let door = Door::SessionOver { session_over: secret.clone() };
        redis::pipe()
            .atomic()
            .del(self.keys.token(secret.as_str()))
            .hdel(self.keys.person_tokens(), id.as_str())
            .hdel(self.keys.tokens_used(), id.as_str())
            .publish(self.keys.doors(), door.encode())
            .query_async::<redis::Value>(&mut self.connection.clone())
            .await?;
        Ok(())
    }
}
