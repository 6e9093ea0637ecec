//! What must happen once: actions that carry an id, and links that sign somebody in.

use std::time::Duration;

use queue_protocol::AccountName;

use crate::connection::Broker;
use crate::error::BrokerError;
use crate::sessions::SecretHash;

/// How long an action is remembered.
const REMEMBERED: Duration = Duration::from_secs(600);
/// How long a link is worth something.
pub const LINK_LASTS: Duration = Duration::from_secs(24 * 3600);

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

    /// Lets whoever has this secret sign in as `name`, once, within a day.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`]: written or not; make another.
    pub async fn put_join_link(&self, secret: &SecretHash, name: &AccountName) -> Result<u64, BrokerError> {
        let mut connection = self.connection.clone();
        let until = self.now_ms().await? + ms(LINK_LASTS);
        redis::cmd("SET")
            .arg(self.keys.join_link(secret.as_str()))
            .arg(name.as_str())
            .arg("PX")
            .arg(ms(LINK_LASTS))
            .query_async::<()>(&mut connection)
            .await?;
        Ok(until)
    }

    /// Whose link this is; `None` when it was used or is too old.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] while the store does not answer.
    pub async fn join_link(&self, secret: &SecretHash) -> Result<Option<AccountName>, BrokerError> {
        let mut connection = self.connection.clone();
        let name: Option<String> =
            redis::cmd("GET").arg(self.keys.join_link(secret.as_str())).query_async(&mut connection).await?;
        Ok(name.and_then(|name| name.parse().ok()))
    }

    /// The same, and the link is worth nothing any more.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`]: used up or not.
    pub async fn use_join_link(&self, secret: &SecretHash) -> Result<Option<AccountName>, BrokerError> {
        let mut connection = self.connection.clone();
        let name: Option<String> = redis::cmd("GETDEL")
            .arg(self.keys.join_link(secret.as_str()))
            .query_async(&mut connection)
            .await?;
        Ok(name.and_then(|name| name.parse().ok()))
    }
}
