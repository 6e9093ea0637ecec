//! Why a job could not go on, and what is said of it.

use queue_client::ClientError;
use queue_protocol::FailureKind;
use queue_protocol::link::{JobError, JobResult};
use serde_json::Value;

use super::{End, Job, messages};
use crate::comfyui::ComfyuiError;

/// Why a job could not go on.
#[derive(Debug)]
pub(super) enum Trouble {
    /// ComfyUI is gone; the job may run again.
    ComfyuiLost(String),
    /// ComfyUI does not answer now; whatever was asked is asked again, as long as that may be a model it loads.
    ComfyuiSilent(String),
    /// ComfyUI goes on with what it was told to stop.
    ComfyuiStuck,
    /// ComfyUI refused the graph.
    Refused(Value),
    /// A file could not be moved, or what was submitted cannot be read.
    Files(String),
    /// The queue-manager does not answer; whatever was to be moved is tried again.
    QueueManagerAway(String),
    /// The queue-manager answers that it cannot; whatever was to be moved is tried again a few times.
    QueueManagerUnable(String),
    /// It was asked to stop, and nothing of ComfyUI's is waited for.
    Stopped,
    /// The claim is over.
    Abandoned,
    /// The claim is another process's.
    LetGo,
}

impl From<ComfyuiError> for Trouble {
    fn from(error: ComfyuiError) -> Self {
        match error {
            ComfyuiError::Unreachable(_) => Self::ComfyuiLost(error.to_string()),
            ComfyuiError::Silent(_) => Self::ComfyuiSilent(error.to_string()),
            ComfyuiError::Refused(answer) => Self::Refused(answer),
            ComfyuiError::Unexpected(_) => Self::Files(error.to_string()),
        }
    }
}

impl From<ClientError> for Trouble {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::LeaseOver => Self::Abandoned,
            ClientError::Unreachable(why) => Self::QueueManagerAway(why),
            ClientError::Unable(why) => Self::QueueManagerUnable(why),
            other => Self::Files(other.to_string()),
        }
    }
}

impl Job {
    /// Ends the job here, and its prompt if ComfyUI may have it. The queue-manager decides whether it runs again, and only it
    /// tells the tab that a job failed.
    pub(super) async fn give_up(&mut self, trouble: Trouble) -> End {
        let is_ours_to_stop = self.posted && !matches!(trouble, Trouble::LetGo | Trouble::Refused(_));
        if is_ours_to_stop && let Err(error) = self.with.comfyui.stop(self.lease.job).await {
            tracing::warn!(job.id = %self.lease.job, %error, "could not stop a prompt that was given up");
        }
        let failed = |kind, error: JobError| {
            let error = Some(messages::within_limits(error));
            End::Failed(kind, JobResult { error, ..JobResult::default() })
        };
        let lost =
            |message: &str| failed(FailureKind::ComfyuiLost, messages::service_error("ComfyuiLost", message));
        match trouble {
            Trouble::Abandoned | Trouble::LetGo => End::Released,
            // What ComfyUI said of it itself is not said twice.
            Trouble::Stopped if !self.told.insert("execution_interrupted".to_owned()) => {
                self.messages().ended();
                End::Failed(FailureKind::Interrupted, JobResult::default())
            }
            Trouble::Stopped => End::Failed(FailureKind::Interrupted, self.messages().interrupted()),
            Trouble::ComfyuiLost(why) | Trouble::ComfyuiSilent(why) => {
                tracing::warn!(job.id = %self.lease.job, why, "ComfyUI went away");
                lost("The GPU's ComfyUI went away while it ran this job.")
            }
            Trouble::ComfyuiStuck => {
                let restarts = self.with.keeper.restart();
                tracing::error!(job.id = %self.lease.job, restarts, "ComfyUI does not stop a job it was told to stop");
                self.with.pulse.set_stuck(!restarts);
                lost("The GPU's ComfyUI did not stop this job.")
            }
            Trouble::Refused(answer) => failed(FailureKind::Validation, messages::refusal(&answer)),
            Trouble::Files(why) | Trouble::QueueManagerAway(why) | Trouble::QueueManagerUnable(why) => {
                tracing::error!(job.id = %self.lease.job, why, "a job's files could not be moved");
                failed(FailureKind::Files, messages::service_error("Files", &why))
            }
        }
    }
}
