//! Depart: ends every session of somebody, at once or after a while in which that can be taken back.

use std::time::Duration;

use queue_protocol::AccountName;

use crate::connection::Broker;
use crate::error::BrokerError;
use crate::script::script;
use crate::sessions::SecretHash;

/// How ending somebody's sessions went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Departed {
    /// They are over.
    Done,
    /// They end after the delay, unless [`Broker::let_stay`] takes that back.
    Later,
    /// There is no such account.
    Unknown,
}

/// How taking that back went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stayed {
    /// They go on.
    Stays,
    /// There was nothing to take back: nobody said so, or the sessions are over.
    Over,
    /// There is no such account.
    Unknown,
}

impl Broker {
    /// Ends every session of an account and closes its sockets; whoever has the password may sign in again. With a delay it
    /// is done by the first [`Broker::tick`] after it.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`]: signed out or not; say it again.
    pub async fn depart(&self, name: &AccountName, after: Duration) -> Result<Departed, BrokerError> {
        let after_ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
        let reply = script!("depart").call(self).arg(name.as_str()).arg(after_ms).arg("").run().await?;
        match reply.word() {
            "done" => Ok(Departed::Done),
            "later" => Ok(Departed::Later),
            "unknown" => Ok(Departed::Unknown),
            _ => Err(reply.unexpected()),
        }
    }

    /// Ends every session of an account but one, at once; with them go its tokens and its link. Every socket of the account
    /// closes, and those of the session that stays may come back. Without a session to stay, all end.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`]: signed out or not; say it again.
    pub async fn depart_elsewhere(
        &self,
        name: &AccountName,
        stays: Option<&SecretHash>,
    ) -> Result<(), BrokerError> {
        let call = script!("depart").call(self).arg(name.as_str()).arg(0);
        let reply = call.arg(stays.map_or("", SecretHash::as_str)).run().await?;
        if reply.word() == "done" { Ok(()) } else { Err(reply.unexpected()) }
    }

    /// Takes a delayed one back.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`]: taken back or not; say it again.
    pub async fn let_stay(&self, name: &AccountName) -> Result<Stayed, BrokerError> {
        let reply = script!("depart").call(self).arg(name.as_str()).arg("stay").arg("").run().await?;
        match reply.word() {
            "stays" => Ok(Stayed::Stays),
            "over" => Ok(Stayed::Over),
            "unknown" => Ok(Stayed::Unknown),
            _ => Err(reply.unexpected()),
        }
    }
}
