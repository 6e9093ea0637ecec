//! The role that tells tabs how their jobs ended where no worker does: that one failed, once that is certain, and that one was
//! cancelled whose worker did not say so. Every queue-manager runs one; what several say is told once.

use std::time::Duration;

use queue_broker::frames::{ExecutionFrame, Payload, Place};
use queue_broker::jobs::StoredJob;
use queue_broker::signals::Signal;
use queue_broker::{Broker, BrokerError};
use queue_protocol::JobState;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::notices;
use crate::hub::{Hub, Interest};

/// Where our own messages about a claim begin: behind all that its worker says.
const BEHIND_ALL: u64 = 1 << 40;
/// Ends that are looked at again after something may have been missed: not older than this, and so many of them.
const LATELY: Duration = Duration::from_secs(600);
const AT_MOST: usize = 500;
/// How soon after the store did not answer.
const AGAIN: Duration = Duration::from_secs(1);

pub(crate) async fn run(broker: Broker, hub: Hub, shutdown: CancellationToken) {
    let mut ear = hub.listen(Interest::Ends);
    // What ended before this began, and while it was not listening yet.
    let mut behind = true;
    let mut again = tokio::time::interval(AGAIN);
    again.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            signal = ear.next() => match signal.as_deref() {
                Some(Signal::Change { change, .. }) => {
                    let told = match broker.job(change.job).await {
                        Ok(job) => tell_all(&broker, job).await,
                        Err(error) => Err(error),
                    };
                    behind |= is_to_do(told);
                }
                Some(Signal::Listening) => behind = true,
                Some(_) => {}
                // We did not keep up.
                None => (ear, behind) = (hub.listen(Interest::Ends), true),
            },
            _ = again.tick(), if behind => behind = is_to_do(catch_up(&broker).await),
            () = shutdown.cancelled() => return,
        }
    }
}

/// Whether the store was away, or had no room.
fn is_to_do(told: Result<(), BrokerError>) -> bool {
    match told {
        Ok(()) => false,
        Err(error @ (BrokerError::Unavailable(_) | BrokerError::Full(_))) => {
            tracing::debug!(%error, "tabs are not told yet how their jobs ended");
            true
        }
        Err(error) => {
            tracing::warn!(%error, "a tab cannot be told how its job ended");
            false
        }
    }
}

/// What was told before changes nothing.
async fn catch_up(broker: &Broker) -> Result<(), BrokerError> {
    tell_all(broker, broker.ended_within(LATELY, AT_MOST).await?).await
}

async fn tell_all(broker: &Broker, jobs: impl IntoIterator<Item = StoredJob>) -> Result<(), BrokerError> {
    for job in jobs {
        tell(broker, &job).await?;
    }
    Ok(())
}

/// Tells the tab that submitted a job how it ended, also if it comes back later.
async fn tell(broker: &Broker, job: &StoredJob) -> Result<(), BrokerError> {
    let cancelled_midway = job.state == JobState::Cancelled && job.worker.is_some();
    if job.client.is_none() || !(job.state == JobState::Failed || cancelled_midway) {
        return Ok(());
    }
    let result = broker.result(job.id).await?.unwrap_or_default();
    let messages = notices::end(job.id, job.state, &result, job.ended_at);
    for (number, message) in (BEHIND_ALL..).zip(messages) {
        let frame = ExecutionFrame {
            number: None,
            participant: job.participant.clone(),
            client: job.client.clone(),
            job: job.id,
            payload: Payload::Text(message.to_string()),
        };
        broker.publish(&frame, Some(Place { token: job.token, number })).await?;
    }
    Ok(())
}
