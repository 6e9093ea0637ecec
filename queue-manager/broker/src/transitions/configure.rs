//! Configure: mode, pause and caps, while the queue runs.

use queue_protocol::AccountName;

use crate::connection::Broker;
use crate::error::BrokerError;
use crate::script::script;

/// A setting that was another before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// The setting.
    pub name: String,
    /// What it was; empty when nobody had set it.
    pub before: String,
}

impl Broker {
    /// Writes settings over whatever they were; an empty value takes one away. With a participant they are that
    /// person's own caps. Answers those that changed.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`]: written or not; write them again.
    pub async fn configure(
        &self,
        whose: Option<&AccountName>,
        settings: &[(&str, &str)],
    ) -> Result<Vec<Changed>, BrokerError> {
        let mut call =
            script!("configure").call(self).arg(whose.map(AccountName::as_str).unwrap_or_default());
        for (name, value) in settings {
            call = call.arg(*name).arg(*value);
        }
        let reply = call.run().await?;
        (1..reply.len())
            .step_by(2)
            .map(|at| {
                Ok(Changed { name: reply.text(at)?.to_owned(), before: reply.text(at + 1)?.to_owned() })
            })
            .collect()
    }
}
