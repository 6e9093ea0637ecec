//! What must happen once: actions that carry an id, and links that sign somebody in.

use std::collections::HashMap;
use std::time::Duration;

use queue_protocol::AccountName;

use crate::accounts::Account;
use crate::connection::Broker;
use crate::error::BrokerError;
use crate::sessions::SecretHash;

/// How long an action is remembered.
const REMEMBERED: Duration = Duration::from_secs(600);
/// How long a link is worth something.
pub const LINK_LASTS: Duration = Duration::from_secs(24 * 3600);

/// Field of an account: SHA-256 of the secret of its last link.
const LINK: &str = "link";

/// What is known of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Nobody has begun it: it is the caller's to do.
    New,
    /// Somebody is at it.
    UnderWay,
    /// It was done, and answered with this status.
    Done(u16),
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl Broker {
    /// Begins an action, unless somebody did already.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`]: begun or not; after ten minutes it can be begun again.
    pub async fn begin_action(&self, who: &AccountName, action: &str) -> Result<Action, BrokerError> {
        let mut connection = self.connection.clone();
        let key = self.keys.done(who, action);
        // Both in one go: SET with NX and GET together needs Redis 7.
        let (began, known): (Option<String>, Option<String>) = redis::pipe()
            .cmd("SET")
            .arg(&key)
            .arg("0")
            .arg("NX")
            .arg("PX")
            .arg(ms(REMEMBERED))
            .get(&key)
            .query_async(&mut connection)
            .await?;
        Ok(match known.and_then(|status| status.parse().ok()) {
            _ if began.is_some() => Action::New,
            Some(status @ 1..) => Action::Done(status),
            _ => Action::UnderWay,
        })
    }

    /// Notes how an action ended; `None` for one that did not happen and may be tried again.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`]: it counts as under way for ten minutes.
    pub async fn end_action(
        &self,
        who: &AccountName,
        action: &str,
        status: Option<u16>,
    ) -> Result<(), BrokerError> {
        let mut connection = self.connection.clone();
        let key = self.keys.done(who, action);
        let command = match status {
            Some(status) => redis::cmd("SET").arg(key).arg(status).arg("PX").arg(ms(REMEMBERED)).clone(),
            None => redis::cmd("DEL").arg(key).clone(),
        };
        command.query_async::<()>(&mut connection).await?;
        Ok(())
    }

    /// Lets whoever has this secret sign in to an account, once, within a day and until its sessions are ended. The link
    /// that the account had before is worth nothing any more.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`]: written or not; make another.
    pub async fn put_join_link(&self, secret: &SecretHash, account: &Account) -> Result<u64, BrokerError> {
        let mut connection = self.connection.clone();
        let until = self.now_ms().await? + ms(LINK_LASTS);
        redis::pipe()
            .atomic()
            .cmd("SET")
            .arg(self.keys.join_link(secret.as_str()))
            .arg(format!("{} {}", account.generation, account.name))
            .arg("PX")
            .arg(ms(LINK_LASTS))
            .hset(self.keys.account(&account.name), LINK, secret.as_str())
            .query_async::<()>(&mut connection)
            .await?;
        Ok(until)
    }

    /// Whose link this is; `None` when it was used, is too old, or its account has another or had its sessions ended.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] while the store does not answer.
    pub async fn join_link(&self, secret: &SecretHash) -> Result<Option<Account>, BrokerError> {
        self.account_of_link("GET", secret).await
    }

    /// The same, and the link is worth nothing any more.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`]: used up or not.
    pub async fn use_join_link(&self, secret: &SecretHash) -> Result<Option<Account>, BrokerError> {
        self.account_of_link("GETDEL", secret).await
    }

    async fn account_of_link(&self, read: &str, secret: &SecretHash) -> Result<Option<Account>, BrokerError> {
        let mut connection = self.connection.clone();
        let link: Option<String> =
            redis::cmd(read).arg(self.keys.join_link(secret.as_str())).query_async(&mut connection).await?;
        let link = link.as_deref().and_then(|link| link.split_once(' '));
        let Some((generation, name)) = link.and_then(|(of, name)| Some((of, name.parse().ok()?))) else {
            return Ok(None);
        };
        let fields: HashMap<String, String> =
            redis::cmd("HGETALL").arg(self.keys.account(&name)).query_async(&mut connection).await?;
        let its_link = fields.get(LINK).is_some_and(|hash| hash == secret.as_str());
        let account = Account::read(name, &fields).filter(|account| !account.disabled);
        Ok(account.filter(|account| its_link && account.generation.to_string() == generation))
    }
}
