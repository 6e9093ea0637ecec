//! Enter: begins a session of somebody who has just proved who they are.

use crate::accounts::Account;
use crate::connection::Broker;
use crate::error::BrokerError;
use crate::script::script;
use crate::sessions::{SESSION_LASTS, SecretHash, idle_of, ms};

/// Sessions that one account may have: a browser or two and some programs. The next sign-in ends the oldest.
pub const SESSIONS: usize = 50;

/// Characters kept of what a browser calls itself.
const ABOUT: usize = 200;

/// How a sign-in ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entered {
    /// The session has begun.
    In,
    /// None has: since the account was read it was disabled, or its sessions were ended.
    Over,
}

impl Broker {
    /// Begins a session of an account as it was when its password or link was looked at. `about` is what the browser or
    /// program calls itself. Beyond [`SESSIONS`] the oldest one ends and its sockets close.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`]: nobody is signed in by it.
    pub async fn enter(
        &self,
        secret: &SecretHash,
        account: &Account,
        about: &str,
    ) -> Result<Entered, BrokerError> {
        let about: String = about.chars().filter(|c| !c.is_control()).take(ABOUT).collect();
        let call = script!("enter").call(self).arg(account.name.as_str()).arg(account.generation);
        let call = call.arg(secret.id()?.as_str()).arg(secret.as_str()).arg(about);
        let call = call.arg(ms(idle_of(account.role))).arg(ms(SESSION_LASTS)).arg(SESSIONS);
        let reply = call.run().await?;
        match reply.word() {
            "in" => Ok(Entered::In),
            "over" => Ok(Entered::Over),
            _ => Err(reply.unexpected()),
        }
    }
}
