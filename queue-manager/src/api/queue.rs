//! The queue as a whole: totals, mode, pause.

use axum::Json;
use axum::extract::State;
use queue_broker::Broker;
use queue_protocol::api::{QueueChange, QueueStatus};

use super::audit;
use super::input::Body;
use crate::identity::Caller;
use crate::problem::Trouble;

pub(crate) async fn status(State(broker): State<Broker>) -> Result<Json<QueueStatus>, Trouble> {
    Ok(Json(broker.status().await?))
}

pub(crate) async fn change(
    State(broker): State<Broker>,
    caller: Caller,
    Body(wanted): Body<QueueChange>,
) -> Result<Json<QueueStatus>, Trouble> {
    let mode = wanted.mode.map(|mode| ("mode", mode.word()));
    let paused = wanted.paused.map(|paused| ("paused", if paused { "1" } else { "0" }));
    let settings: Vec<_> = mode.into_iter().chain(paused).collect();
    let changed = broker.configure(None, &settings).await?;
    audit::settings(&broker, &caller, "queue.change", "", &changed, &settings).await;
    Ok(Json(broker.status().await?))
}
