//! `GET /room`: everything the instructor's first page shows, as of one number of their feed.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use queue_broker::Broker;
use queue_broker::jobs::StoredJob;
use queue_broker::lineup::Lineup;
use queue_broker::prospects::Place;
use queue_broker::room::PersonFacts;
use queue_protocol::api::{PersonInRoom, Room, RoomJob, StartsIn, WorkerInRoom};
use queue_protocol::{AccountName, JobId, JobState, NeedsId, Reason, WorkerName};

use super::causes::{Causes, LOOKED_AT};
use super::view;
use crate::alerts::in_words;
use crate::hub::Hub;
use crate::problem::Trouble;
use crate::workflow::needs::Requirements;

/// Jobs that the page lists one by one; how many wait in all is in the totals.
const LISTED: usize = 30;

/// Usual ms of a class.
type Usual = HashMap<NeedsId, Option<u64>>;

pub(crate) async fn show(
    State(broker): State<Broker>,
    State(causes): State<Causes>,
    State(hub): State<Hub>,
) -> Result<Json<Room>, Trouble> {
    // The number before what it numbers, as for every snapshot.
    let position = broker.feed_position(None).await?;
    // All of it at once: one after the other they would wait for the store twenty times.
    let facts = async {
        let asked = tokio::try_join!(
            broker.settings(),
            broker.gpu_time(),
            broker.status(),
            broker.running(),
            broker.jobs_aside(LOOKED_AT),
            broker.alerts(),
            broker.has_simulated_worker(),
        );
        asked.map_err(Trouble::from)
    };
    let (facts, (line, waiting, longest)) = tokio::try_join!(facts, in_order(&broker))?;
    let (settings, (idle_since, _), counts, running, aside, alerts, simulated) = facts;
    let aside: Vec<_> = aside.into_iter().filter(|job| job.state == JobState::Pending).collect();
    let in_line = waiting.iter().map(|(job, _)| job).chain(&longest);
    let usual = usual(&broker, running.iter().chain(in_line)).await?;
    let on_hold: Vec<_> = aside.iter().filter(|job| job.reason == Some(Reason::OnHold)).collect();
    let (people, workers, problems) = tokio::try_join!(
        people(&broker, &hub, &running, &waiting, &line),
        workers(&broker, &running, &usual),
        causes.problems(&on_hold),
    )?;
    let mut turns: HashMap<&AccountName, u64> = HashMap::new();
    let rows = waiting.iter().map(|(job, prospect)| {
        let turn = turns.entry(&job.participant).or_default();
        *turn += 1;
        RoomJob { turn: Some(*turn), ..row(job, Some(*prospect), &usual) }
    });
    Ok(Json(Room {
        epoch: position.epoch,
        n: position.n,
        now: broker.now_ms().await?,
        counts,
        simulated,
        idle_since,
        price_per_hour: price(&settings),
        people,
        workers,
        waiting: rows.collect(),
        longest: longest.map(|job| row(&job, None, &usual)),
        new_job_starts_in: line.new_job.map(range),
        aside: aside.iter().take(LISTED).map(|job| row(job, None, &usual)).collect(),
        problems,
        alerts: alerts.into_iter().map(in_words).collect(),
    }))
}

pub(super) fn price(settings: &std::collections::BTreeMap<String, String>) -> u64 {
    settings.get("price_per_hour").and_then(|price| price.parse().ok()).unwrap_or_default()
}

/// The line, its first jobs, and the one that waits longest.
type InOrder = (Lineup, Vec<(StoredJob, Place)>, Option<StoredJob>);

async fn in_order(broker: &Broker) -> Result<InOrder, Trouble> {
    let line = broker.lineup(LISTED).await?;
    let ids: Vec<JobId> = line.first.iter().map(|(id, _)| *id).chain(line.oldest).collect();
    let jobs = broker.jobs(&ids).await?;
    // One that started meanwhile is among those that run.
    let waits = |id: JobId| jobs.iter().find(|job| job.id == id && job.state == JobState::Pending).cloned();
    let waiting = line.first.iter().filter_map(|(id, place)| Some((waits(*id)?, *place))).collect();
    let longest = line.oldest.and_then(waits);
    Ok((line, waiting, longest))
}

async fn usual(broker: &Broker, jobs: impl Iterator<Item = &StoredJob>) -> Result<Usual, Trouble> {
    let needs: HashSet<_> = jobs.map(|job| job.needs.clone()).collect();
    let classes = broker.classes(&needs.into_iter().collect::<Vec<_>>()).await?;
    Ok(classes.into_iter().map(|(needs, (ms, _))| (needs, ms)).collect())
}

fn range((soonest, latest): (Duration, Duration)) -> StartsIn {
    StartsIn { soonest_ms: view::ms(soonest), latest_ms: view::ms(latest) }
}

fn starts_in(prospect: Place) -> Option<StartsIn> {
    prospect.starts_in.map(range)
}

fn row(job: &StoredJob, prospect: Option<Place>, usual: &Usual) -> RoomJob {
    RoomJob {
        id: job.id,
        participant: job.participant.clone(),
        state: job.state,
        reason: job.reason,
        lane: job.lane,
        position: prospect.map(|prospect| prospect.position),
        turn: None,
        starts_in: prospect.and_then(starts_in),
        usual_ms: usual.get(&job.needs).copied().flatten(),
        attempts: job.attempts,
        submitted_at: job.submitted_at,
        started_at: job.started_at,
        cancel_at: job.cancel_at,
    }
}

async fn people(
    broker: &Broker,
    hub: &Hub,
    running: &[StoredJob],
    waiting: &[(StoredJob, Place)],
    line: &Lineup,
) -> Result<Vec<PersonInRoom>, Trouble> {
    let accounts = broker.accounts().await?;
    let names: Vec<_> = accounts.iter().map(|account| account.name.clone()).collect();
    let facts = broker.people_facts(&names).await?;
    let latest: Vec<_> = facts.iter().filter_map(|facts| facts.latest).collect();
    let states: HashMap<_, _> =
        broker.jobs(&latest).await?.into_iter().map(|job| (job.id, job.state)).collect();
    let listening = hub.participants();
    let mut people: Vec<_> = accounts
        .into_iter()
        .zip(facts)
        .map(|(account, PersonFacts { label, seat, signing_out_at, here, waiting: waits, used, latest })| {
            let next = waiting.iter().find(|(job, _)| job.participant == account.name).map(|(_, p)| *p);
            let own = running.iter().filter(|job| job.participant == account.name);
            PersonInRoom {
                here: here || listening.contains(&account.name),
                signing_out_at,
                label,
                seat,
                role: account.role,
                disabled: account.disabled,
                waiting: waits,
                position: line.people.get(&account.name).copied(),
                starts_in: next.and_then(starts_in),
                running: own.map(|job| job.id).collect(),
                latest: latest.and_then(|id| states.get(&id).copied()),
                used,
                name: account.name,
            }
        })
        .collect();
    people.sort_by(|a, b| (a.seat.unwrap_or(u32::MAX), &a.name).cmp(&(b.seat.unwrap_or(u32::MAX), &b.name)));
    Ok(people)
}

async fn workers(
    broker: &Broker,
    running: &[StoredJob],
    usual: &Usual,
) -> Result<Vec<WorkerInRoom>, Trouble> {
    let fields: HashMap<_, _> = broker.workers().await?.into_iter().collect();
    let done = broker.work_done().await?;
    let last = fields.values().filter_map(|fields| fields.get("last_needs")?.parse().ok());
    let needs: HashMap<NeedsId, (Option<u64>, String)> =
        broker.classes(&last.collect::<HashSet<_>>().into_iter().collect::<Vec<_>>()).await?;
    let last_models = |name: &WorkerName| -> Option<Vec<String>> {
        let id: NeedsId = fields.get(name)?.get("last_needs")?.parse().ok()?;
        let needs: Requirements = serde_json::from_str(&needs.get(&id)?.1).ok()?;
        Some(needs.models.into_iter().collect())
    };
    let mut workers: Vec<_> = broker
        .worker_list()
        .await?
        .into_iter()
        .map(|worker| {
            let field = |name: &str| fields.get(&worker.name).and_then(|fields| fields.get(name));
            let (worked_ms, jobs) = done.get(worker.name.as_str()).copied().unwrap_or_default();
            let own = running.iter().find(|job| job.worker.as_ref() == Some(&worker.name));
            WorkerInRoom {
                last_models: last_models(&worker.name).unwrap_or_default(),
                unready: field("unready").cloned().unwrap_or_default(),
                running: own.map(|job| row(job, None, usual)),
                step: own.and_then(|_| serde_json::from_str(field("step")?).ok()),
                stepped_at: own.and_then(|_| field("stepped_at")?.parse().ok()),
                jobs,
                worked_ms,
                worker,
            }
        })
        .collect();
    workers.sort_by(|a, b| a.worker.name.cmp(&b.worker.name));
    Ok(workers)
}
