//! Accounts: who may sign in, as what, with which password hash.

use std::collections::HashMap;

use queue_protocol::AccountName;
use queue_protocol::api::Role;

use crate::connection::Broker;
use crate::error::BrokerError;
use crate::sessions::GENERATION;
use crate::signals::Door;

/// One account. Its `Debug` shows no hash.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// The name, which is also the seat's path.
    pub name: AccountName,
    /// What it may do.
    pub role: Role,
    /// The password's hash as a PHC string.
    pub password_hash: String,
    /// Whether signing in is refused.
    pub disabled: bool,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account")
            .field("name", &self.name)
            .field("role", &self.role)
            .field("password_hash", &"***")
            .field("disabled", &self.disabled)
            .finish()
    }
}

impl Account {
    pub(crate) fn read(name: AccountName, fields: &HashMap<String, String>) -> Option<Self> {
        Some(Self {
            name,
            role: Role::from_word(fields.get("role")?)?,
            password_hash: fields.get("password_hash")?.clone(),
            disabled: fields.get("disabled").is_some_and(|word| word == "1"),
        })
    }
}

/// One thing about an account that is changed.
#[derive(Clone, PartialEq, Eq)]
pub enum AccountChange {
    /// Whether signing in is refused.
    Disabled(bool),
    /// The new password's hash as a PHC string.
    PasswordHash(String),
    /// What it may do from now on.
    Role(Role),
}

impl AccountChange {
    /// The field and its value in the store.
    fn field(&self) -> (&'static str, &str) {
        match self {
            Self::Disabled(true) => ("disabled", "1"),
            Self::Disabled(false) => ("disabled", "0"),
            Self::PasswordHash(hash) => ("password_hash", hash),
            Self::Role(role) => ("role", role.word()),
        }
    }
}

impl Broker {
    /// Writes an account, new or changed.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`]: written or not; write it again.
    pub async fn put_account(&self, account: &Account) -> Result<(), BrokerError> {
        let mut connection = self.connection.clone();
        redis::pipe()
            .atomic()
            .sadd(self.keys.accounts(), account.name.as_str())
            .hset_multiple(
                self.keys.account(&account.name),
                &[
                    ("role", account.role.word()),
                    ("password_hash", account.password_hash.as_str()),
                    ("disabled", if account.disabled { "1" } else { "0" }),
                ],
            )
            .query_async::<()>(&mut connection)
            .await?;
        Ok(())
    }

    /// Changes one thing about an account. Whatever takes something away (all but enabling it) ends its sessions and
    /// closes its sockets: whoever has them must sign in again. Answers whether there is such an account.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`]: changed or not; change it again.
    pub async fn change_account(
        &self,
        name: &AccountName,
        change: &AccountChange,
    ) -> Result<bool, BrokerError> {
        let Some(account) = self.account(name).await? else {
            return Ok(false);
        };
        let mut connection = self.connection.clone();
        let (field, value) = change.field();
        let mut pipeline = redis::pipe();
        pipeline.atomic().hset(self.keys.account(name), field, value).ignore();
        if *change != AccountChange::Disabled(false) {
            let door = Door::SignedOut { signed_out: account.name, role: account.role };
            pipeline.hincr(self.keys.account(name), GENERATION, 1).ignore();
            pipeline.publish(self.keys.doors(), door.encode()).ignore();
        }
        pipeline.query_async::<()>(&mut connection).await?;
        Ok(true)
    }

    /// One account.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] while the store does not answer.
    pub async fn account(&self, name: &AccountName) -> Result<Option<Account>, BrokerError> {
        let mut connection = self.connection.clone();
        let fields: HashMap<String, String> =
            redis::cmd("HGETALL").arg(self.keys.account(name)).query_async(&mut connection).await?;
        Ok(Account::read(name.clone(), &fields))
    }

    /// Every account, by name.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] while the store does not answer.
    pub async fn accounts(&self) -> Result<Vec<Account>, BrokerError> {
        let mut connection = self.connection.clone();
        let names: Vec<String> =
            redis::cmd("SMEMBERS").arg(self.keys.accounts()).query_async(&mut connection).await?;
        let names: Vec<AccountName> = names.iter().filter_map(|name| name.parse().ok()).collect();
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let mut pipeline = redis::pipe();
        for name in &names {
            pipeline.hgetall(self.keys.account(name));
        }
        let fields: Vec<HashMap<String, String>> = pipeline.query_async(&mut connection).await?;
        let mut accounts: Vec<_> =
            names.into_iter().zip(&fields).filter_map(|(name, fields)| Account::read(name, fields)).collect();
        accounts.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(accounts)
    }
}
