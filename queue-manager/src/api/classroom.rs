//! What the instructor does with the whole room: demonstrate, clear.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use queue_broker::Broker;
use queue_broker::transitions::classroom::Cleared;
use queue_protocol::api::{Clear, Done, NewDemo};

use super::audit;
use super::input::Body;
use crate::identity::Caller;
use crate::problem::Trouble;

pub(crate) async fn demo(
    State(broker): State<Broker>,
    caller: Caller,
    Body(wanted): Body<NewDemo>,
) -> Result<StatusCode, Trouble> {
    let (minutes, jobs) = (wanted.minutes.unwrap_or(10), wanted.jobs.unwrap_or(1));
    if !(1..=60).contains(&minutes) || !(1..=20).contains(&jobs) {
        return Err(Trouble::BadRequest("minutes must be 1 to 60, and jobs 1 to 20.".to_owned()));
    }
    let who = wanted.participant.unwrap_or_else(|| caller.name.clone());
    broker.account(&who).await?.ok_or(Trouble::NotFound)?;
    broker.demo(&who, Duration::from_secs(60 * u64::from(minutes)), jobs).await?;
    let after = format!("{jobs} {} or {minutes} min", if jobs == 1 { "job" } else { "jobs" });
    audit::note(&broker, &caller, "demo.begin", who.as_str(), "", &after).await;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn end_demo(State(broker): State<Broker>, caller: Caller) -> Result<StatusCode, Trouble> {
    let none = || Trouble::WrongState("Nobody demonstrates, and no job of a demo waits.".to_owned());
    let who = broker.end_demo().await?.ok_or_else(none)?;
    audit::note(&broker, &caller, "demo.end", who.as_str(), "", "").await;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn clear(
    State(broker): State<Broker>,
    caller: Caller,
    Body(wanted): Body<Clear>,
) -> Result<Json<Done>, Trouble> {
    match broker.clear(wanted.expected).await? {
        Cleared::Cleared(jobs) => {
            audit::note(&broker, &caller, "queue.clear", "", &format!("{jobs} waiting"), "0 waiting").await;
            Ok(Json(Done { jobs, refused: 0 }))
        }
        Cleared::Changed(waiting) => {
            Err(Trouble::WrongState(format!("{waiting} jobs are waiting now. Nothing was cleared.")))
        }
    }
}
