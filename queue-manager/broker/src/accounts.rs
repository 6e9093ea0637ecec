//! Accounts: who may sign in, as what, with which password hash.

use std::collections::HashMap;

use queue_protocol::AccountName;
use queue_protocol::api::Role;

use crate::connection::Broker;
use crate::error::BrokerError;
use crate::sessions::generation;

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
    /// Grows whenever its sessions are ended, and is not written with the rest. What is of another generation is over.
    pub generation: u64,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account")
            .field("name", &self.name)
            .field("role", &self.role)
            .field("password_hash", &"***")
            .field("disabled", &self.disabled)
            .field("generation", &self.generation)
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
            generation: generation(fields).parse().ok()?,
        })
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
