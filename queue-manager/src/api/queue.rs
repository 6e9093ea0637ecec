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
    let one_each = wanted.one_each.map(|wanted| ("one_each", if wanted { "1" } else { "0" }));
    if wanted.price_per_hour.is_some_and(|price| price > 1_000_000) {
        return Err(Trouble::BadRequest("price_per_hour may be at most 1000000.".to_owned()));
    }
    let price = wanted.price_per_hour.map(|price| price.to_string());
    let price = price.as_deref().map(|price| ("price_per_hour", price));
    let settings: Vec<_> = mode.into_iter().chain(paused).chain(one_each).chain(price).collect();
    let changed = broker.configure(None, &settings).await?;
    audit::settings(&broker, &caller, "queue.change", "", &changed, &settings).await;
    Ok(Json(broker.status().await?))
}
