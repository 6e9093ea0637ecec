//! What was: minutes and usage, the story of a job, and its workflow for the instructor who asks for it.

use axum::Json;
use axum::extract::State;
use queue_broker::Broker;
use queue_broker::transitions::record::Deed;
use queue_protocol::JobId;
use queue_protocol::api::{JobStory, Opened, PersonUsage, Report};

use super::input::Named;
use super::jobs::visible;
use super::pictures::OPEN_FOR;
use super::room::price;
use super::view;
use crate::capabilities::Capabilities;
use crate::files::{Files, outputs};
use crate::identity::Caller;
use crate::problem::Trouble;

/// Minutes that a report shows: eight hours.
const MINUTES: usize = 480;

pub(crate) async fn report(State(broker): State<Broker>) -> Result<Json<Report>, Trouble> {
    let accounts = broker.accounts().await?;
    let names: Vec<_> = accounts.into_iter().map(|account| account.name).collect();
    let facts = broker.people_facts(&names).await?;
    let people = names.into_iter().zip(facts);
    let (_, gpus) = broker.gpu_time().await?;
    Ok(Json(Report {
        now: broker.now_ms().await?,
        minutes: broker.minutes(MINUTES).await?,
        people: people
            .map(|(name, facts)| PersonUsage { name, label: facts.label, used: facts.used })
            .collect(),
        ready_ms: gpus.ready_ms,
        busy_ms: gpus.busy_ms,
        price_per_hour: price(&broker.settings().await?),
    }))
}

pub(crate) async fn story(
    State(broker): State<Broker>,
    State(capabilities): State<Capabilities>,
    caller: Caller,
    Named(id): Named<JobId>,
) -> Result<Json<JobStory>, Trouble> {
    let job = visible(&broker, &caller, id).await?;
    let job = view::one(&broker, &capabilities, &caller, job).await?;
    Ok(Json(JobStory { now: broker.now_ms().await?, job, events: broker.story(id).await? }))
}

pub(crate) async fn open(
    State(broker): State<Broker>,
    State(files): State<Files>,
    caller: Caller,
    Named(id): Named<JobId>,
) -> Result<Json<Opened>, Trouble> {
    let job = visible(&broker, &caller, id).await?;
    let body = if job.body_in_files {
        files.read(&outputs::body_path(&job.participant, &job.body_hash)?).await?
    } else {
        broker.body(id).await?.ok_or(Trouble::NotFound)?
    };
    // Before anything is shown: what cannot be noted is not opened.
    let deed = Deed {
        what: "job.open".to_owned(),
        target: id.to_string(),
        after: format!("of {}", job.participant),
        ..Deed::default()
    };
    broker.record_deed(&caller.name, deed).await?;
    broker.open_to(&caller.name, id, OPEN_FOR).await?;
    let mut body: serde_json::Value = serde_json::from_slice(&body)?;
    Ok(Json(Opened { workflow: body["prompt"].take() }))
}
