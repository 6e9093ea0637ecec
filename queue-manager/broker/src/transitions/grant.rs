//! Grant: gives somebody a token for their programs.

use std::time::Duration;

use queue_protocol::api::Scope;
use queue_protocol::{AccountName, TokenId};

use crate::connection::Broker;
use crate::error::BrokerError;
use crate::script::script;
use crate::sessions::{SecretHash, ms};

/// Tokens that one person may have.
pub const TOKENS: usize = 20;

/// A token that is wanted.
#[derive(Debug, Clone, Copy)]
pub struct Grant<'a> {
    /// Whose it is to be.
    pub account: &'a AccountName,
    /// The account's generation when it was looked at.
    pub generation: u64,
    /// The session by which it is asked for; `None` for a password, or for whoever administers the machine.
    pub session: Option<&'a SecretHash>,
    /// What it may be used for.
    pub scopes: &'a [Scope],
    /// What its owner calls it.
    pub label: &'a str,
    /// How long it lasts.
    pub lasts: Duration,
}

/// How that went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Granted {
    /// There is such a token, by this id.
    Made(TokenId),
    /// There is none: they have [`TOKENS`] already.
    TooMany,
    /// There is none: what it was asked for by is worth nothing any more.
    Over,
}

impl Broker {
    /// Lets whoever has this secret be that person, within these scopes and for so long.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`]: granted or not; ask for another.
    pub async fn grant(&self, secret: &SecretHash, wanted: Grant<'_>) -> Result<Granted, BrokerError> {
        let id = secret.id()?;
        let words: Vec<_> = wanted.scopes.iter().map(|scope| scope.word()).collect();
        let call = script!("grant").call(self).arg(wanted.account.as_str()).arg(wanted.generation);
        let call = call.arg(wanted.session.map_or("", SecretHash::as_str)).arg(id.as_str());
        let call = call.arg(secret.as_str()).arg(words.join(" ")).arg(wanted.label);
        let reply = call.arg(ms(wanted.lasts)).arg(TOKENS).run().await?;
        match reply.word() {
            "granted" => Ok(Granted::Made(id)),
            "too_many" => Ok(Granted::TooMany),
            "over" => Ok(Granted::Over),
            _ => Err(reply.unexpected()),
        }
    }
}
