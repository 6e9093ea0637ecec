//! What the instructor should know wherever they are. The same on the dashboard, in its browser, and in what a webhook
//! gets: no prompts, no names of files, and nobody's name.

use serde::{Deserialize, Serialize};

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum AlertKind {
    /// A worker that nobody told to stop is not heard of.
    WorkerLost,
    /// Jobs wait, a worker could run them, and none was claimed for a while.
    QueueStuck,
    /// The disk under the data folder is nearly full.
    DiskNearlyFull,
    /// The store's memory is nearly as large as it may be.
    MemoryNearlyFull,
    /// A job took down its worker three times.
    JobParked,
}

impl AlertKind {
    /// Every kind.
    pub const ALL: [Self; 5] =
        [Self::WorkerLost, Self::QueueStuck, Self::DiskNearlyFull, Self::MemoryNearlyFull, Self::JobParked];

    /// The word in the store and in the API.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::WorkerLost => "worker_lost",
            Self::QueueStuck => "queue_stuck",
            Self::DiskNearlyFull => "disk_nearly_full",
            Self::MemoryNearlyFull => "memory_nearly_full",
            Self::JobParked => "job_parked",
        }
    }
}

/// Something that needs the instructor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Alert {
    /// Names it while it lasts, e.g. `worker_lost:gpu-1`.
    pub id: String,
    /// What happened.
    pub kind: AlertKind,
    /// The worker, or the job; empty where it is about neither.
    pub subject: String,
    /// What happened, in one sentence.
    pub text: String,
    /// What to do about it.
    pub advice: String,
    /// Since when, in ms since 1970.
    pub since: u64,
}
