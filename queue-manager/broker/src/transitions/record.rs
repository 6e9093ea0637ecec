//! The journals of a workshop: what was done, and what the instructor said.

use std::time::Duration;

use queue_protocol::api::{AuditEntry, Message};
use queue_protocol::{AccountName, JobId};
use serde::{Deserialize, Serialize};

use crate::connection::Broker;
use crate::error::BrokerError;
use crate::script::script;

/// Entries that are kept of each.
const AUDIT: usize = 10_000;
const MESSAGES: usize = 100;
/// What one person did with their own, in the audit log.
pub const OWN_DEEDS: usize = 20;

/// One thing that somebody did, before it is numbered.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Deed {
    /// What, e.g. `queue.change`.
    pub what: String,
    /// To what or to whom.
    pub target: String,
    /// How it was before, where that is known.
    pub before: String,
    /// How it is since.
    pub after: String,
}

#[derive(Serialize, Deserialize)]
struct StoredDeed {
    who: AccountName,
    #[serde(flatten)]
    deed: Deed,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct StoredMessage {
    pub(crate) to: Option<AccountName>,
    pub(crate) text: String,
}

fn json(value: &impl Serialize) -> Result<String, BrokerError> {
    serde_json::to_string(value).map_err(|error| BrokerError::Corrupt(error.to_string()))
}

/// `id at json`, as the script wrote it.
fn read<'a, T: Deserialize<'a>>(line: &'a str) -> Option<(u64, u64, T)> {
    let mut parts = line.splitn(3, ' ');
    let (id, at) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    Some((id, at, serde_json::from_str(parts.next()?).ok()?))
}

impl Broker {
    /// Notes what somebody did.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`]: noted or not.
    pub async fn record_deed(&self, who: &AccountName, deed: Deed) -> Result<(), BrokerError> {
        let entry = json(&StoredDeed { who: who.clone(), deed })?;
        self.record(entry, "").await
    }

    /// Notes what somebody did with what is their own. Of each person's only the last few stay in the log: it is for what
    /// is done to others, and nobody may push that out.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`]: noted or not.
    pub async fn record_own_deed(&self, who: &AccountName, deed: Deed) -> Result<(), BrokerError> {
        let entry = json(&StoredDeed { who: who.clone(), deed })?;
        self.record(entry, who.as_str()).await
    }

    async fn record(&self, entry: String, whose_own: &str) -> Result<(), BrokerError> {
        let call = script!("record").call(self).arg("audit").arg(entry).arg(AUDIT);
        call.arg(whose_own).arg(OWN_DEEDS).run().await.map(drop)
    }

    /// Somebody who opened a job, and whose deed that is in the journal, may look at its pictures for a while.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`]: they may or may not; open it again.
    pub async fn open_to(&self, who: &AccountName, job: JobId, during: Duration) -> Result<(), BrokerError> {
        let mut connection = self.connection.clone();
        let ms = u64::try_from(during.as_millis()).unwrap_or(u64::MAX);
        let mut set = redis::cmd("SET");
        set.arg(self.keys.opened(who, job)).arg("1").arg("PX").arg(ms);
        Ok(set.query_async(&mut connection).await?)
    }

    /// Whether somebody may.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] while the store does not answer.
    pub async fn is_open_to(&self, who: &AccountName, job: JobId) -> Result<bool, BrokerError> {
        let mut connection = self.connection.clone();
        Ok(redis::cmd("EXISTS").arg(self.keys.opened(who, job)).query_async(&mut connection).await?)
    }

    /// Keeps a message and says it to everyone who listens.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`]: said or not.
    pub async fn record_message(
        &self,
        to: Option<AccountName>,
        text: String,
    ) -> Result<Message, BrokerError> {
        let name = to.as_ref().map(AccountName::as_str).unwrap_or_default().to_owned();
        let stored = StoredMessage { to, text };
        let call =
            script!("record").call(self).arg("messages").arg(json(&stored)?).arg(MESSAGES).arg(name).arg("");
        let reply = call.run().await?;
        Ok(Message { id: reply.parse(1)?, at: reply.parse(2)?, to: stored.to, text: stored.text })
    }

    /// The audit log below `before`, newest first.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] while the store does not answer.
    pub async fn audit(&self, before: Option<u64>, at_most: usize) -> Result<Vec<AuditEntry>, BrokerError> {
        let entries = self.journal("audit").await?;
        let entries = entries.iter().filter_map(|line| read::<StoredDeed>(line));
        let entries = entries.filter(|(id, ..)| before.is_none_or(|before| *id < before)).take(at_most);
        Ok(entries
            .map(|(id, at, StoredDeed { who, deed })| {
                let Deed { what, target, before, after } = deed;
                AuditEntry { id, at, who, what, target, before, after }
            })
            .collect())
    }

    /// The messages that are kept, newest first.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] while the store does not answer.
    pub async fn messages(&self) -> Result<Vec<Message>, BrokerError> {
        let entries = self.journal("messages").await?;
        let read = entries.iter().filter_map(|line| read::<StoredMessage>(line));
        Ok(read.map(|(id, at, StoredMessage { to, text })| Message { id, at, to, text }).collect())
    }

    async fn journal(&self, name: &str) -> Result<Vec<String>, BrokerError> {
        let mut connection = self.connection.clone();
        Ok(redis::cmd("LRANGE")
            .arg(self.keys.journal(name))
            .arg(0)
            .arg(-1)
            .query_async(&mut connection)
            .await?)
    }
}
