//! What is kept of what was said and done: the instructor's messages, and the audit log.

use serde::{Deserialize, Serialize};

use crate::ids::AccountName;

/// A message of the instructor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Message {
    /// Grows with every message.
    pub id: u64,
    /// When, in ms since 1970.
    pub at: u64,
    /// For this person only; for everybody without it.
    pub to: Option<AccountName>,
    /// The text, which is shown as it is.
    pub text: String,
}

/// Messages, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MessageList {
    /// Those for the caller; all of them for the instructor.
    pub messages: Vec<Message>,
}

/// A message to send.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct NewMessage {
    /// For this person only; for everybody without it.
    #[serde(default)]
    pub to: Option<AccountName>,
    /// 1 to 1,000 characters.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 1000)))]
    pub text: String,
}

/// One thing that somebody did to the queue, to a worker or to somebody else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AuditEntry {
    /// Grows with every entry.
    pub id: u64,
    /// When, in ms since 1970.
    pub at: u64,
    /// Who.
    pub who: AccountName,
    /// What, e.g. `queue.change`.
    pub what: String,
    /// To what or to whom; empty for the whole queue.
    pub target: String,
    /// How it was before, where that is known.
    pub before: String,
    /// How it is since.
    pub after: String,
}

/// A page of the audit log, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AuditLog {
    /// The entries.
    pub entries: Vec<AuditEntry>,
    /// For the next page; none on the last one.
    pub cursor: Option<u64>,
}

/// Which page of the audit log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct AuditFilter {
    /// At most so many, 1 to 1,000; 100 without it.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 1000)))]
    pub limit: Option<u32>,
    /// The `cursor` of the page before.
    pub cursor: Option<u64>,
}
