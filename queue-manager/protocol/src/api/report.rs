//! What was: minutes for charts, everyone's usage, the story of one job.

use serde::{Deserialize, Serialize};

use super::jobs::Job;
use super::room::Usage;
use crate::ids::AccountName;

/// The workshop so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Report {
    /// The store's time, in ms since 1970.
    pub now: u64,
    /// The last minutes, oldest first.
    pub minutes: Vec<Minute>,
    /// Everyone with an account, by name.
    pub people: Vec<PersonUsage>,
    /// GPU time there was, in ms.
    pub ready_ms: u64,
    /// GPU time that was used, in ms.
    pub busy_ms: u64,
    /// Price of one GPU for an hour, in hundredths of whatever currency; 0 when nobody has set one.
    pub price_per_hour: u64,
}

/// One minute of the workshop.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Minute {
    /// When it began, in ms since 1970.
    pub at: u64,
    /// Jobs that waited at its end.
    pub pending: u64,
    /// Jobs that ran at its end.
    pub running: u64,
    /// Workers that were here at its end.
    pub workers: u64,
    /// GPU time there was, in ms.
    pub ready_ms: u64,
    /// GPU time that was used, in ms.
    pub busy_ms: u64,
    /// Jobs that were submitted.
    pub submitted: u64,
    /// Jobs that ended well.
    pub completed: u64,
    /// Jobs that ended badly.
    pub failed: u64,
    /// Jobs that were cancelled.
    pub cancelled: u64,
    /// Half of the jobs that began had waited no longer than this, in ms; none when none began.
    pub wait_p50: Option<u64>,
    /// 95 of 100 had waited no longer than this, in ms.
    pub wait_p95: Option<u64>,
}

/// What somebody had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PersonUsage {
    /// The account.
    pub name: AccountName,
    /// What the instructor calls them; empty for the account's name.
    pub label: String,
    /// What they had.
    #[serde(flatten)]
    pub used: Usage,
}

/// A job with everything that happened to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct JobStory {
    /// The store's time, in ms since 1970.
    pub now: u64,
    /// The job.
    pub job: Job,
    /// What happened, oldest first.
    pub events: Vec<JobEvent>,
}

/// One thing that happened to a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct JobEvent {
    /// When, in ms since 1970.
    pub at: u64,
    /// Its state from then on.
    pub state: String,
    /// Why; may be empty.
    pub reason: String,
    /// The worker that had it; may be empty.
    pub worker: String,
}

/// What somebody submitted, which the instructor sees only after asking for it; that is in the audit log.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Opened {
    /// The workflow in ComfyUI's API format.
    pub workflow: serde_json::Value,
}

/// A link that signs somebody in once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct JoinLink {
    /// The account.
    pub name: AccountName,
    /// The path on the seats' address, beginning with `/join/`; shown once.
    pub path: String,
    /// When it is worth nothing any more, in ms since 1970.
    pub until: u64,
}

/// What must be there before people come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Checklist {
    /// One thing each.
    pub checks: Vec<Check>,
    /// The workshop's example workflows, and what each worker lacks for them.
    pub templates: Vec<TemplateCheck>,
}

/// One thing that is as it should be, or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Check {
    /// What is looked at.
    pub name: String,
    /// Whether it is as it should be.
    pub good: bool,
    /// What is so, and what to do where it is not good.
    pub detail: String,
}

/// One example workflow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TemplateCheck {
    /// Its name.
    pub name: String,
    /// For each worker that is here: its name, and the models and node classes it lacks.
    pub workers: Vec<WorkerLacks>,
}

/// What a worker lacks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WorkerLacks {
    /// The worker.
    pub worker: crate::ids::WorkerName,
    /// Models and node classes by name; empty when it can run the workflow.
    pub lacks: Vec<String>,
}
