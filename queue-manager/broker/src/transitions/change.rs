//! Change: one thing about an account; what takes something away signs it out.

use queue_protocol::AccountName;
use queue_protocol::api::Role;

use crate::connection::Broker;
use crate::error::BrokerError;
use crate::script::script;

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
        let (field, value) = change.field();
        let takes_away = *change != AccountChange::Disabled(false);
        let call = script!("change").call(self).arg(name.as_str()).arg(field).arg(value);
        let reply = call.arg(u8::from(takes_away)).run().await?;
        match reply.word() {
            "changed" => Ok(true),
            "unknown" => Ok(false),
            _ => Err(reply.unexpected()),
        }
    }
}
