//! ComfyUI's messages on their way from a worker to the tab that submitted the job.

use std::time::Duration;

use queue_broker::frames::{ExecutionFrame, Payload};
use queue_broker::{Broker, BrokerError};
use queue_protocol::link::{Event, HeldLease, JobResult};
use queue_protocol::{AccountName, ClientId, JobId, frame};
use serde::Deserialize;

use crate::seat::notices;

/// Who is to be told about a job.
#[derive(Debug, Clone)]
pub(super) struct Audience {
    pub(super) participant: AccountName,
    pub(super) client: Option<ClientId>,
}

/// Messages that the next one of their kind replaces: not kept for a tab that is away.
const PASSING: [&str; 2] = ["progress", "progress_state"];

/// How often a message is said again to a store that does not answer, and after which pause: with the time it has for an
/// answer some ten seconds, after which an outage is counted as one.
const TRIES_AGAIN: u32 = 3;
const PAUSE: Duration = Duration::from_millis(500);

/// Publishes one text message.
pub(super) async fn text(broker: &Broker, audience: &Audience, event: &Event) -> Result<(), BrokerError> {
    #[derive(Deserialize)]
    struct Kind {
        #[serde(rename = "type")]
        kind: String,
    }
    let kind = serde_json::from_str::<Kind>(event.frame.get()).map(|kind| kind.kind).unwrap_or_default();
    let frame = ExecutionFrame {
        number: None,
        participant: audience.participant.clone(),
        client: audience.client.clone(),
        job: event.job,
        payload: Payload::Text(event.frame.get().to_owned()),
    };
    if PASSING.contains(&kind.as_str()) {
        return broker.publish(&frame, false).await;
    }
    keep(broker, &frame).await
}

/// Publishes a message that must not be lost: again while the store stands still for a moment, as on a busy disk. One that
/// had arrived after all is the same one. The link waits meanwhile, which keeps the order.
async fn keep(broker: &Broker, frame: &ExecutionFrame) -> Result<(), BrokerError> {
    let mut again = TRIES_AGAIN;
    loop {
        match broker.publish(frame, true).await {
            Err(BrokerError::Unavailable(_)) if again > 0 => again -= 1,
            done => return done,
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Tells that a job failed for good, also to a tab that comes back later.
pub(super) async fn failure(
    broker: &Broker,
    audience: &Audience,
    id: JobId,
    result: &JobResult,
) -> Result<(), BrokerError> {
    let ended_at = broker.job(id).await?.and_then(|job| job.ended_at);
    for message in notices::failure(id, result, ended_at) {
        let payload = Payload::Text(message.to_string());
        let Audience { participant, client } = audience.clone();
        keep(broker, &ExecutionFrame { number: None, participant, client, job: id, payload }).await?;
    }
    Ok(())
}

/// Publishes one preview.
pub(super) async fn preview(
    broker: &Broker,
    audience: &Audience,
    lease: HeldLease,
    bytes: &[u8],
) -> Result<(), BrokerError> {
    if frame::event_number(bytes).is_none() {
        return Ok(());
    }
    let frame = ExecutionFrame {
        number: None,
        participant: audience.participant.clone(),
        client: audience.client.clone(),
        job: lease.job,
        payload: Payload::Binary(bytes.to_vec()),
    };
    broker.publish(&frame, false).await
}
