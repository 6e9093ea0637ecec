//! Shapes of the JSON API under `/api/v1` and of the health views.

pub mod alerts;
pub mod browser_files;
pub mod jobs;
pub mod journal;
pub mod people;
pub mod queue;
pub mod report;
pub mod room;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use alerts::{Alert, AlertKind};
pub use browser_files::{BrowserFile, BrowserFileSet, BrowserFileSets};
pub use jobs::{
    Cancel, CancelOutcome, Job, JobFilter, JobList, Move, OutputFile, Prioritise, Retry, StartsIn, Submitted,
};
pub use journal::{AuditEntry, AuditFilter, AuditLog, Message, MessageList, NewMessage};
pub use people::{
    Account, AccountList, AccountPatch, NewAccount, NewPassword, NewPersonToken, NewToken, PersonToken,
    PersonTokenList, Role, Scope, Session, SessionList, SignIn, SignOut, SignedIn, Token, TokenList,
    WantedPersonToken, WantedToken,
};
pub use queue::{Caps, QueueChange, QueueStatus, Worker, WorkerList};
pub use report::{
    Check, Checklist, JobEvent, JobStory, JoinLink, Minute, Opened, PersonUsage, Report, TemplateCheck,
    WorkerLacks,
};
pub use room::{Cause, Clear, Demo, Done, NewDemo, PersonInRoom, Room, RoomJob, Step, Usage, WorkerInRoom};

/// RFC 9457 error body of our own API, `application/problem+json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Problem {
    /// `about:blank`; the stable word is `code`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The HTTP status in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// One sentence for a person: what happened and what to do.
    pub detail: String,
    /// A stable word for a program.
    pub code: String,
    /// Of a workflow that was refused: node id → what is wrong with it, as ComfyUI says it (`errors`,
    /// `dependent_outputs`, `class_type`).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub node_errors: BTreeMap<String, serde_json::Value>,
}
