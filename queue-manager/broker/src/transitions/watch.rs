//! Watch and send: what the instructor should know wherever they are, and who tells them. Every queue-manager watches;
//! the store decides what is new, and which of them sends it.

use std::time::Duration;

use queue_protocol::api::AlertKind;
use serde::Deserialize;

use crate::connection::Broker;
use crate::error::BrokerError;
use crate::script::script;

/// How patient a look is.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// A worker that was not heard of for so long is lost.
    pub worker: Duration,
    /// A queue in which nothing was claimed for so long, while somebody could, is stuck.
    pub claim: Duration,
    /// An alert stays for so long after its cause went, so that one that comes and goes is one.
    pub calm: Duration,
}

/// Something that needs the instructor, since when it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAlert {
    /// Names the alert while it lasts.
    pub id: String,
    /// What it is.
    pub kind: AlertKind,
    /// The worker or the job; empty where it is about neither.
    pub subject: String,
    /// What else is known; its meaning is the kind's.
    pub detail: String,
    /// When it began, in ms since 1970.
    pub since: u64,
}

impl StoredAlert {
    /// One that is about nothing in particular and has not begun.
    #[must_use]
    pub fn of(kind: AlertKind) -> Self {
        Self { id: kind.word().to_owned(), kind, subject: String::new(), detail: String::new(), since: 0 }
    }
}

/// An alert to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Its name, the same at every try.
    pub message: String,
    /// How many times it was taken to be sent, this time included.
    pub tries: u32,
    /// What it is about.
    pub alert: StoredAlert,
}

#[derive(Deserialize)]
struct Entry {
    id: String,
    kind: AlertKind,
    subject: String,
    detail: String,
    since: String,
}

fn read(json: &str) -> Result<StoredAlert, BrokerError> {
    let corrupt = |error: &dyn std::fmt::Display| BrokerError::Corrupt(format!("an alert: {error}"));
    let Entry { id, kind, subject, detail, since } =
        serde_json::from_str(json).map_err(|error| corrupt(&error))?;
    Ok(StoredAlert { id, kind, subject, detail, since: since.parse().map_err(|error| corrupt(&error))? })
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl Broker {
    /// Looks for alerts that begin and end; to be called every second or so by anyone. `seen` is what only the caller can
    /// see, with its detail. With `send`, those that begin are put out for [`Self::take_alert`]. Answers how many began.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`]: looked or not; the next look sees the same.
    pub async fn watch(
        &self,
        patience: Patience,
        seen: &[(AlertKind, String)],
        send: bool,
    ) -> Result<u64, BrokerError> {
        let mut call = script!("watch")
            .call(self)
            .arg(ms(patience.worker))
            .arg(ms(patience.claim))
            .arg(ms(patience.calm))
            .arg(if send { "1" } else { "" });
        for (kind, detail) in seen {
            call = call.arg(kind.word()).arg(detail);
        }
        call.run().await?.parse(1)
    }

    /// The alerts that last, by when they began.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] while the store does not answer.
    pub async fn alerts(&self) -> Result<Vec<StoredAlert>, BrokerError> {
        let mut connection = self.connection.clone();
        let entries: Vec<String> =
            redis::cmd("HVALS").arg(self.keys.alerts()).query_async(&mut connection).await?;
        let mut alerts = entries.iter().map(|json| read(json)).collect::<Result<Vec<_>, _>>()?;
        alerts.sort_by(|one, other| (one.since, &one.id).cmp(&(other.since, &other.id)));
        Ok(alerts)
    }

    /// The next alert that is due to be sent. It is the caller's alone for `lease`.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`]: taken or not; after the lease it can be taken again.
    pub async fn take_alert(&self, lease: Duration) -> Result<Option<Outgoing>, BrokerError> {
        let reply = script!("send").call(self).arg("take").arg(ms(lease)).run().await?;
        if reply.word() != "message" {
            return Ok(None);
        }
        let message = reply.text(1)?.to_owned();
        Ok(Some(Outgoing { message, tries: reply.parse(2)?, alert: read(reply.text(3)?)? }))
    }

    /// An alert is to be sent no more: it arrived, or nobody wants it.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`]: it may be sent once more, under the same name.
    pub async fn alert_sent(&self, message: &str) -> Result<(), BrokerError> {
        script!("send").call(self).arg("sent").arg(message).run().await.map(drop)
    }

    /// An alert is to be tried again after a while.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`]: it is tried again when its lease is over.
    pub async fn send_alert_later(&self, message: &str, after: Duration) -> Result<(), BrokerError> {
        script!("send").call(self).arg("later").arg(message).arg(ms(after)).run().await.map(drop)
    }
}
