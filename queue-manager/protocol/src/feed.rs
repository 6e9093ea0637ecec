//! Feeds: a numbered snapshot, then numbered changes. A gap, a smaller number or another epoch means: take a new
//! snapshot.

use serde::{Deserialize, Serialize};

use crate::api::{Job, Message, QueueStatus};
use crate::ids::{AccountName, ClientId, JobId, WorkerName};
use crate::job::{JobState, Reason};

/// One message of a feed.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FeedMessage {
    /// Everything this feed shows, as of `n`.
    Snapshot(Snapshot),
    /// One job changed.
    Job(JobChange),
    /// Settings or workers changed; in the instructor's feed only.
    Queue(QueueChange),
    /// The instructor said something, to the caller or to everybody.
    Message(Message),
    /// The workshop's totals; content-free, so everybody may have them.
    Counts(QueueStatus),
}

/// Everything a feed shows.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Snapshot {
    /// Which life of the store the number belongs to.
    pub epoch: String,
    /// The last change this snapshot contains.
    pub n: u64,
    /// Own jobs that wait or run and the latest ended ones; for the instructor everyone's that run, that ended
    /// lately, and the latest 300 that wait.
    pub jobs: Vec<Job>,
    /// The workshop's totals.
    pub counts: QueueStatus,
    /// Whether any worker has a simulated ComfyUI, whose pictures nobody should take for real ones.
    #[serde(default)]
    pub simulated: bool,
}

/// A change that is about no job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct QueueChange {
    /// Which life of the store the number belongs to.
    pub epoch: String,
    /// Grows by one with each change of this feed.
    pub n: u64,
    /// `settings` or `workers`.
    pub what: String,
}

/// One transition of one job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct JobChange {
    /// Which life of the store the number belongs to.
    pub epoch: String,
    /// Grows by one with each change of this feed.
    pub n: u64,
    /// The job.
    pub job: JobId,
    /// Its owner.
    pub participant: AccountName,
    /// Its state now.
    pub state: JobState,
    /// Why, where there is a reason.
    pub reason: Option<Reason>,
    /// The worker that holds it.
    pub worker: Option<WorkerName>,
    /// The tab that submitted it.
    #[serde(skip)]
    pub client: Option<ClientId>,
}
