//! The queue as a whole, its workers and its caps.

use serde::{Deserialize, Serialize};

use super::room::Demo;
use crate::ids::{JobId, WorkerName};
use crate::mode::Mode;

/// The published view `/api/queue/status`; also the totals in feeds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct QueueStatus {
    /// The mode that orders turns.
    pub mode: Mode,
    /// Whether claims stop, but for the instructor's lane.
    pub paused: bool,
    /// Jobs that wait.
    pub pending_jobs: u64,
    /// Jobs that are lent.
    pub running_jobs: u64,
    /// Jobs that ended well.
    pub completed_jobs: u64,
    /// Jobs that ended badly.
    pub failed_jobs: u64,
    /// Workers ever seen and not forgotten.
    pub total_workers: u64,
    /// Workers heard of within one lease.
    pub active_workers: u64,
    /// Jobs that wait or run.
    pub queue_depth: u64,
    /// Whose next jobs go first, while somebody demonstrates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub demo: Option<Demo>,
    /// Whether everybody may have one job only until the instructor says otherwise.
    #[serde(default)]
    pub one_each: bool,
}

/// What the instructor changes about the queue; what is left out stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct QueueChange {
    /// How turns are ordered from now on.
    pub mode: Option<Mode>,
    /// Whether claims stop, but for the instructor's lane.
    pub paused: Option<bool>,
    /// Whether everybody may have one job only. Said again, everybody may have another one.
    pub one_each: Option<bool>,
    /// Price of one GPU for an hour, in hundredths of whatever currency; 0 for none.
    #[cfg_attr(feature = "schema", schemars(range(max = 1_000_000)))]
    pub price_per_hour: Option<u64>,
}

/// A worker as the instructor sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Worker {
    /// The worker.
    pub name: WorkerName,
    /// Whether it was heard of within one lease.
    pub active: bool,
    /// Whether it gets nothing more.
    pub draining: bool,
    /// When it was last heard of, in ms since 1970.
    pub seen_at: u64,
    /// The job it holds.
    pub job: Option<JobId>,
    /// Its own version.
    pub version: String,
    /// Name of its GPU.
    pub gpu: String,
    /// Memory of the GPU in bytes; 0 when unknown.
    pub vram_total: u64,
    /// Free memory of the GPU in bytes; 0 when unknown.
    pub vram_free: u64,
    /// ComfyUI's version; ends in `-simulated` for the simulated one.
    pub comfyui_version: String,
    /// Whether its ComfyUI answers.
    pub comfyui_alive: bool,
}

/// All workers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WorkerList {
    /// Most recently heard of first.
    pub workers: Vec<Worker>,
}

/// Caps; what nobody has set is the value that holds instead, or left out in a change to keep it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Caps {
    /// Waiting jobs of one participant.
    #[cfg_attr(feature = "schema", schemars(range(max = 1_000_000)))]
    pub waiting_per_participant: Option<u32>,
    /// Bytes of one participant's waiting workflows.
    #[cfg_attr(feature = "schema", schemars(range(max = 1_000_000_000_000_u64)))]
    pub bytes_per_participant: Option<u64>,
    /// Running jobs of one participant.
    #[cfg_attr(feature = "schema", schemars(range(max = 1000)))]
    pub running_per_participant: Option<u32>,
    /// Waiting jobs of the workshop; not for one person.
    #[cfg_attr(feature = "schema", schemars(range(max = 10_000_000)))]
    pub waiting: Option<u32>,
    /// Bytes of all waiting workflows; not for one person.
    #[cfg_attr(feature = "schema", schemars(range(max = 1_000_000_000_000_u64)))]
    pub bytes: Option<u64>,
}
