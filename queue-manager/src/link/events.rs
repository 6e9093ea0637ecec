//! ComfyUI's messages on their way from a worker to the tab that submitted the job.

use queue_broker::frames::{ExecutionFrame, Payload, Place};
use queue_broker::{Broker, BrokerError};
use queue_protocol::link::{Event, HeldLease, JobResult};
use queue_protocol::{AccountName, ClientId, frame};
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

/// Where our own messages about a claim begin: behind all that its worker says.
const BEHIND_ALL: u64 = 1 << 40;

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
    let kept = !PASSING.contains(&kind.as_str());
    broker.publish(&frame, kept.then_some(Place { token: event.token, number: event.number })).await
}

/// Tells that a job failed for good, also to a tab that comes back later.
pub(super) async fn failure(
    broker: &Broker,
    audience: &Audience,
    lease: HeldLease,
    result: &JobResult,
) -> Result<(), BrokerError> {
    let ended_at = broker.job(lease.job).await?.and_then(|job| job.ended_at);
    for (number, message) in (BEHIND_ALL..).zip(notices::failure(lease.job, result, ended_at)) {
        let payload = Payload::Text(message.to_string());
        let Audience { participant, client } = audience.clone();
        let frame = ExecutionFrame { number: None, participant, client, job: lease.job, payload };
        broker.publish(&frame, Some(Place { token: lease.token, number })).await?;
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
    broker.publish(&frame, None).await
}
