//! The life of a job: five states, the reasons on them, and which state may become which.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ids::InvalidId;

/// Where a job is. End states never change: a retry is a new job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Stored and waiting for a worker.
    Pending,
    /// Lent to a worker under a lease.
    Running,
    /// Ended well; its outputs are the ones of the attempt that won.
    Completed,
    /// Ended badly; the result says why.
    Failed,
    /// Ended because its owner or the instructor wished so.
    Cancelled,
}

impl JobState {
    /// Every state, in the order of a job's life.
    pub const ALL: [Self; 5] = [Self::Pending, Self::Running, Self::Completed, Self::Failed, Self::Cancelled];

    /// Whether a job in this state may be in `next` after one transition.
    ///
    /// `Pending → Completed` and `Pending → Failed` exist for one case: a worker reports late, after its
    /// lease was taken back, and nobody has claimed the job again.
    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        use JobState::{Cancelled, Completed, Failed, Pending, Running};
        matches!(
            (self, next),
            (Pending, Running | Completed | Failed | Cancelled)
                | (Running, Pending | Completed | Failed | Cancelled)
        )
    }

    /// Whether nothing will ever change this state again.
    #[must_use]
    pub const fn is_end(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }

    /// The word that Redis, the API and the pages use.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for JobState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for JobState {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        Self::ALL.into_iter().find(|state| state.word() == text).ok_or(InvalidId::new("job state", text))
    }
}

/// Why a job is in its state; an empty word in Redis means none of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Running, and asked to stop: the worker has not confirmed yet.
    Stopping,
    /// Pending again because its worker's lease ended.
    WorkerLost,
    /// Pending again because its worker gave it back unharmed.
    Released,
    /// Failed because it took down its worker three times.
    Parked,
    /// Pending, and no connected worker has what it needs.
    OnHold,
    /// Pending, and waiting for its next attempt.
    BackingOff,
    /// Pending, and put aside by its owner or the instructor.
    Held,
    /// To be cancelled in some seconds, unless somebody takes that back; a pending job is not claimed meanwhile.
    Cancelling,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 8] = [
        Self::Stopping,
        Self::WorkerLost,
        Self::Released,
        Self::Parked,
        Self::OnHold,
        Self::BackingOff,
        Self::Held,
        Self::Cancelling,
    ];

    /// The word that Redis, the API and the pages use.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Stopping => "stopping",
            Self::WorkerLost => "worker_lost",
            Self::Released => "released",
            Self::Parked => "parked",
            Self::OnHold => "on_hold",
            Self::BackingOff => "backing_off",
            Self::Held => "held",
            Self::Cancelling => "cancelling",
        }
    }

    /// The reason behind a word; `None` for the empty word and for any other.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.word() == word)
    }
}

/// What kind of failure a worker reports, by what can be done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// ComfyUI refused the graph (HTTP 400); it would refuse it again.
    Validation,
    /// A node raised an error while running.
    Run,
    /// The GPU ran out of memory.
    OutOfMemory,
    /// The job was interrupted, by us or at the box.
    Interrupted,
    /// ComfyUI went away in the middle: counts as a crash delivery, and the job may run again.
    ComfyuiLost,
    /// An input or output could not be moved.
    Files,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn end_states_never_change() {
        for end in JobState::ALL.into_iter().filter(|state| state.is_end()) {
            for next in JobState::ALL {
                assert!(!end.may_become(next), "{end} must not become {next}");
            }
        }
    }

    #[test]
    fn every_word_reads_back_as_its_state() {
        for state in JobState::ALL {
            assert_eq!(state.word().parse::<JobState>().unwrap(), state);
        }
        assert!("running ".parse::<JobState>().is_err());
    }
}
