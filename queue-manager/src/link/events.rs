//! ComfyUI's messages on their way from a worker to the tab that submitted the job.

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
    broker.publish(&frame, !PASSING.contains(&kind.as_str())).await
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
        broker.publish(&ExecutionFrame { number: None, participant, client, job: id, payload }, true).await?;
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
