//! Shapes of the JSON API under `/api/v1` and of the health views.

use serde::{Deserialize, Serialize};

use crate::ids::{AccountName, JobId, WorkerName};
use crate::job::{JobState, Reason};
use crate::lane::Lane;
use crate::link::JobError;
use crate::mode::Mode;

/// A job as its owner and the instructor see it. Times are ms since 1970 by the store's clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    /// How many times it was claimed.
    pub attempts: u32,
    /// The worker that holds it or held it last.
    pub worker: Option<WorkerName>,
    /// When it was stored.
    pub submitted_at: u64,
    /// When its last attempt began.
    pub started_at: Option<u64>,
    /// When it ended.
    pub ended_at: Option<u64>,
    /// Its files; only once it ended.
    pub outputs: Vec<OutputFile>,
    /// Why it failed.
    pub error: Option<JobError>,
}

/// One produced file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
pub struct JobList {
    /// The jobs.
    pub jobs: Vec<Job>,
}

/// The published view `/api/queue/status`; also the totals in feeds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
}

/// Who the caller is to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Runs their own jobs and sees nothing else.
    Participant,
    /// Sees and steers the room; has a seat of their own as well.
    Instructor,
}

impl Role {
    /// The word in the store and in messages.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Participant => "participant",
            Self::Instructor => "instructor",
        }
    }

    /// The role behind a word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Participant, Self::Instructor].into_iter().find(|role| role.word() == word)
    }
}

/// What `POST /api/v1/session` takes.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    /// The account.
    pub name: String,
    /// Its password.
    pub password: String,
}

/// What `POST /api/v1/session` answers.
#[derive(Serialize, Deserialize)]
pub struct SignedIn {
    /// To be sent as `Authorization: Bearer …`; shown once.
    pub token: String,
    /// The account.
    pub name: AccountName,
    /// Its role.
    pub role: Role,
}

/// RFC 9457 error body of our own API, `application/problem+json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
}
