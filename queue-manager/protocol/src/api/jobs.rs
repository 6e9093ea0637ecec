//! Jobs as their owner and the instructor see and steer them.

use serde::{Deserialize, Serialize};

use crate::ids::{AccountName, JobId, WorkerName};
use crate::job::{JobState, Reason};
use crate::lane::Lane;
use crate::link::JobError;

/// A job as its owner and the instructor see it. Times are ms since 1970 by the store's clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Job {
    /// The job's id, which is also the `prompt_id` in a tab.
    pub id: JobId,
    /// Whose it is.
    pub participant: AccountName,
    /// Where it is.
    pub state: JobState,
    /// Why, where there is a reason.
    pub reason: Option<Reason>,
    /// The lane it stands in.
    pub lane: Lane,
    /// 1 for the job that starts next; only while pending.
    pub position: Option<u64>,
    /// How many other people get a turn before; only while pending.
    #[serde(default)]
    pub people_ahead: Option<u64>,
    /// When it will probably start; only while pending, and not before a few jobs have told how long such jobs take.
    pub starts_in: Option<StartsIn>,
    /// How long such jobs usually run, in ms; not before a few have told, and not once it ended.
    #[serde(default)]
    pub usual_ms: Option<u64>,
    /// How many times it was claimed.
    pub attempts: u32,
    /// The worker that holds it or held it last.
    pub worker: Option<WorkerName>,
    /// Models and node classes it needs and no connected worker has; only on hold.
    #[serde(default)]
    pub missing: Vec<String>,
    /// The job that this one repeats.
    pub retry_of: Option<JobId>,
    /// When a delayed cancel takes effect.
    pub cancel_at: Option<u64>,
    /// When it was stored.
    pub submitted_at: u64,
    /// When its last attempt began.
    pub started_at: Option<u64>,
    /// When it ended.
    pub ended_at: Option<u64>,
    /// How many files it made; only once it ended.
    #[serde(default)]
    pub files: u64,
    /// Those files, for its owner; for the instructor only of a job that they opened in the last ten minutes, and in no
    /// list.
    pub outputs: Vec<OutputFile>,
    /// Why it failed.
    pub error: Option<JobError>,
}

/// From when to when a job will probably start, if things go on as they do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StartsIn {
    /// ms from now.
    pub soonest_ms: u64,
    /// ms from now.
    pub latest_ms: u64,
}

/// One produced file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OutputFile {
    /// The node that made it.
    pub node: String,
    /// Its name.
    pub filename: String,
    /// `output`, or `temp` for previews.
    pub kind: String,
    /// Where to fetch it, beginning with `/`.
    pub url: String,
}

/// A page of jobs, newest first.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct JobList {
    /// The jobs.
    pub jobs: Vec<Job>,
    /// For the next page; none on the last one.
    pub cursor: Option<u64>,
}

/// Which jobs a list shows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct JobFilter {
    /// In this state only.
    pub state: Option<JobState>,
    /// With this reason only.
    pub reason: Option<Reason>,
    /// In this lane only.
    pub lane: Option<Lane>,
    /// Last lent to this worker only.
    pub worker: Option<WorkerName>,
    /// Of this person only; for the instructor. Everybody else sees their own.
    pub participant: Option<AccountName>,
    /// At most so many, 1 to 1,000; 100 without it.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 1000)))]
    pub limit: Option<u32>,
    /// The `cursor` of the page before.
    pub cursor: Option<u64>,
}

/// What a submit answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Submitted {
    /// The job.
    pub id: JobId,
    /// Where it stands; none on hold.
    pub position: Option<u64>,
    /// Whether this very job was submitted before.
    pub repeated: bool,
}

/// How a cancel is wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Cancel {
    /// So many ms from now, at most a minute; until then it can be kept. At once without it.
    #[cfg_attr(feature = "schema", schemars(range(max = 60000)))]
    pub after_ms: Option<u32>,
}

/// What a cancel answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CancelOutcome {
    /// `cancelled`, `stopping`, `delayed`, or the end state it had reached before.
    pub outcome: String,
}

/// Where in its owner's line a job is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Move {
    /// 0 for the first place; past the end is the end.
    pub place: u32,
}

/// Which lane a job is wanted in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Prioritise {
    /// The lane.
    pub lane: Lane,
}

/// A retry.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Retry {
    /// The new job's id, to make a repeated retry the same job; a random one without it.
    pub id: Option<JobId>,
}
