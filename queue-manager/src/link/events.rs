//! ComfyUI's messages on their way from a worker to the tab that submitted the job.

use queue_broker::frames::{ExecutionFrame, Payload, Place};
use queue_broker::{Broker, BrokerError};
use queue_protocol::link::{Event, HeldLease};
use queue_protocol::{AccountName, ClientId, frame};
use serde::Deserialize;

/// Who is to be told about a job.
#[derive(Debug, Clone)]
pub(super) struct Audience {
    pub(super) participant: AccountName,
    pub(super) client: Option<ClientId>,
}

/// Messages that the next one of their kind replaces: not kept for a tab that is away.
const PASSING: [&str; 2] = ["progress", "progress_state"];

/// Whether a message is kept for a tab that is away.
pub(super) fn is_kept(event: &Event) -> bool {
    #[derive(Deserialize)]
    struct Kind {
        #[serde(rename = "type")]
        kind: String,
    }
    let kind = serde_json::from_str::<Kind>(event.frame.get()).map(|kind| kind.kind).unwrap_or_default();
    !PASSING.contains(&kind.as_str())
}

/// Publishes one text message.
pub(super) async fn text(broker: &Broker, audience: &Audience, event: &Event) -> Result<(), BrokerError> {
    let frame = ExecutionFrame {
        number: None,
        participant: audience.participant.clone(),
        client: audience.client.clone(),
        job: event.job,
        payload: Payload::Text(event.frame.get().to_owned()),
    };
    let place = Place { token: event.token, number: event.number };
    broker.publish(&frame, is_kept(event).then_some(place)).await
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
