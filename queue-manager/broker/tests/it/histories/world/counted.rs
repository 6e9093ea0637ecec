//! Where the store says that everything is, against the model, and a recount of the store from scratch.

use queue_protocol::{JobState, Reason};

use super::World;
use crate::model::Place;

impl World {
    pub async fn check(&self) {
        assert_eq!(self.broker.recount().await.unwrap(), Vec::<String>::new());
        for (nth, job) in self.model.jobs.iter().enumerate() {
            let stored = self.broker.job(self.ids[nth]).await.unwrap().unwrap();
            let expected = match job.place {
                Place::Line => (JobState::Pending, None),
                Place::OnHold => (JobState::Pending, Some(Reason::OnHold)),
                Place::Held => (JobState::Pending, Some(Reason::Held)),
                Place::BackingOff => (JobState::Pending, Some(Reason::BackingOff)),
                Place::Cancelling(_) => (JobState::Pending, Some(Reason::Cancelling)),
                Place::Running { stopping: true, .. } => (JobState::Running, Some(Reason::Stopping)),
                Place::Running { cancelling: true, .. } => (JobState::Running, Some(Reason::Cancelling)),
                Place::Running { .. } => (JobState::Running, None),
                Place::Ended(state) => (state, None),
            };
            // Words about the past ("worker lost", "parked") are not where a job is.
            let reason = stored
                .reason
                .filter(|reason| !matches!(reason, Reason::WorkerLost | Reason::Released | Reason::Parked));
            assert_eq!((stored.state, reason), expected, "job {nth}");
            assert_eq!(stored.lane, job.lane);
        }
    }
}
