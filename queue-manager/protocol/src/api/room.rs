//! The room at a glance, for the instructor's dashboard: who is here, what runs, who is next and why, what went wrong.
//! No prompts, no pictures, no names of files.

use serde::{Deserialize, Serialize};

use super::alerts::Alert;
use super::jobs::StartsIn;
use super::people::Role;
use super::queue::{QueueStatus, Worker};
use crate::ids::{AccountName, JobId, WorkerName};
use crate::job::{JobState, Reason};
use crate::lane::Lane;

/// Everything the dashboard's first page shows, as of change `n` of the instructor's feed. Times are ms since 1970 by
/// the store's clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Room {
    /// Which life of the store the number belongs to.
    pub epoch: String,
    /// The last change this contains.
    pub n: u64,
    /// The store's time.
    pub now: u64,
    /// Totals, mode and pause.
    pub counts: QueueStatus,
    /// Whether any worker has a simulated ComfyUI.
    pub simulated: bool,
    /// Since when every GPU that is here has had nothing to do.
    pub idle_since: Option<u64>,
    /// Price of one GPU for an hour, in hundredths of whatever currency; 0 when nobody has set one.
    pub price_per_hour: u64,
    /// Everyone with an account, by seat.
    pub people: Vec<PersonInRoom>,
    /// Every worker, by name.
    pub workers: Vec<WorkerInRoom>,
    /// Jobs in line, the next one first; the first 30.
    pub waiting: Vec<RoomJob>,
    /// The job in line that was stored first.
    pub longest: Option<RoomJob>,
    /// When a new job of somebody who has none in line would probably start.
    pub new_job_starts_in: Option<StartsIn>,
    /// Jobs that wait aside: on hold, held, backing off, about to be cancelled; the first 30.
    pub aside: Vec<RoomJob>,
    /// Failures nobody has dealt with, and jobs nobody here can run, by cause; newest first.
    pub problems: Vec<Cause>,
    /// What needs the instructor besides, by when it began.
    pub alerts: Vec<Alert>,
}

/// Somebody in the room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PersonInRoom {
    /// The account.
    pub name: AccountName,
    /// What the instructor calls them; empty for the account's name.
    pub label: String,
    /// Where they sit; those without one come last.
    pub seat: Option<u32>,
    /// What the account may do.
    pub role: Role,
    /// Whether signing in is refused.
    pub disabled: bool,
    /// When they are signed out everywhere, while that can be taken back; in ms since 1970.
    pub signing_out_at: Option<u64>,
    /// Whether a page of theirs was heard of lately.
    pub here: bool,
    /// Jobs that wait.
    pub waiting: u64,
    /// Place of their next job in line.
    pub position: Option<u64>,
    /// When their next job starts; of those that are listed.
    pub starts_in: Option<StartsIn>,
    /// Jobs that run.
    pub running: Vec<JobId>,
    /// How their latest job stands.
    pub latest: Option<JobState>,
    /// What they had of the GPUs, in all.
    pub used: Usage,
}

/// What somebody had of the GPUs since the workshop began.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Usage {
    /// GPU time of jobs that ended, in ms.
    pub gpu_ms: u64,
    /// Jobs that began.
    pub started: u64,
    /// From submit to start, all of those together, in ms.
    pub waited_ms: u64,
    /// Jobs that ended well.
    pub completed: u64,
    /// Jobs that ended badly.
    pub failed: u64,
    /// Jobs that were cancelled.
    pub cancelled: u64,
}

/// A worker with what it does right now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WorkerInRoom {
    /// What it is.
    #[serde(flatten)]
    pub worker: Worker,
    /// Why it takes nothing: `leaving`, `comfyui_away`, `comfyui_stuck`; empty when it does.
    pub unready: String,
    /// Model files of the last job that was lent to it. ComfyUI tells nobody what is in its memory; most likely it is these.
    pub last_models: Vec<String>,
    /// The job it holds.
    pub running: Option<RoomJob>,
    /// How far it is.
    pub step: Option<Step>,
    /// When the last step was reported.
    pub stepped_at: Option<u64>,
    /// Jobs it ended.
    pub jobs: u64,
    /// Time it worked, in ms.
    pub worked_ms: u64,
}

/// A node that works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Step {
    /// The node's class, e.g. `KSampler`; its id where the class is unknown.
    pub node: String,
    /// Steps that are done.
    pub value: u64,
    /// Steps in all.
    pub max: u64,
}

/// A job as the overview shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RoomJob {
    /// The job.
    pub id: JobId,
    /// Whose it is.
    pub participant: AccountName,
    /// Where it is.
    pub state: JobState,
    /// Why, where there is a reason.
    pub reason: Option<Reason>,
    /// The lane it stands in.
    pub lane: Lane,
    /// 1 for the job that starts next; only in line.
    pub position: Option<u64>,
    /// 1 for the first of its owner's jobs in line.
    pub turn: Option<u64>,
    /// When it will probably start.
    pub starts_in: Option<StartsIn>,
    /// How long such jobs usually run, in ms.
    pub usual_ms: Option<u64>,
    /// How many times it was claimed.
    pub attempts: u32,
    /// When it was stored.
    pub submitted_at: u64,
    /// When its last attempt began.
    pub started_at: Option<u64>,
    /// When a delayed cancel takes effect.
    pub cancel_at: Option<u64>,
}

/// Jobs that failed, or that nobody can run, for the same reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Cause {
    /// Names the cause in `/causes/{cause}/…`.
    pub id: String,
    /// `failed`, or `on_hold` for jobs that wait for a worker which can run them.
    pub kind: String,
    /// The error's type, e.g. `torch.OutOfMemoryError`.
    pub exception: String,
    /// Class of the node that failed.
    pub node: String,
    /// The first line of the error.
    pub message: String,
    /// The jobs, newest first.
    pub jobs: Vec<JobId>,
    /// Whose they are, each once.
    pub people: Vec<AccountName>,
    /// The workers they ran on, each once.
    pub workers: Vec<WorkerName>,
    /// When the newest of them ended, or was stored.
    pub latest_at: u64,
}

/// Somebody's demonstration: their next jobs go first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Demo {
    /// Who demonstrates.
    pub participant: AccountName,
    /// When it is over, in ms since 1970.
    pub until: u64,
    /// Jobs it has left.
    pub jobs: u32,
}

/// A demonstration that is to begin.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct NewDemo {
    /// Who; the caller without it.
    pub participant: Option<AccountName>,
    /// Over after so many minutes, 1 to 60; 10 without it.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 60)))]
    pub minutes: Option<u32>,
    /// Over after so many jobs, 1 to 20; 1 without it.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 20)))]
    pub jobs: Option<u32>,
}

/// Everything that waits is to be cancelled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Clear {
    /// So many jobs must be waiting; otherwise nothing happens.
    pub expected: u64,
}

/// How many jobs something was done to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Done {
    /// Done to so many.
    pub jobs: u64,
    /// Could not be done to so many, e.g. because a line is full.
    pub refused: u64,
}
