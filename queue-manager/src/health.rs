//! Health: alive, ready, and the published views that monitors and old scripts read.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use queue_broker::Broker;
use queue_broker::transitions::watch::StoredAlert;
use queue_protocol::api::QueueStatus;
use serde::Serialize;

use crate::alerts::in_words;
use crate::alerts::storage::Room;
use crate::config::Config;
use crate::files::Files;
use crate::link::listener::AwaitedAddress;
use crate::problem::Trouble;

/// A reaper that did not look for this long does not work.
const REAPER_LATE: Duration = Duration::from_secs(30);
/// The store is away when it takes longer than this.
const PATIENCE: Duration = Duration::from_secs(1);

/// What `/readyz` and `/health` answer.
#[derive(Serialize)]
pub(crate) struct Health {
    status: &'static str,
    checks: BTreeMap<&'static str, String>,
    /// What is nearly full or not there yet, and what to do.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    queue: Option<QueueStatus>,
}

/// `GET /healthz`: the process turns its event loop; asks nobody.
pub(crate) async fn alive() -> &'static str {
    "ok\n"
}

/// `GET /readyz` and `/health`: 503 while Redis, its scripts, the reaper or the disk do not work, or Redis evicts; 200 `degraded`
/// without workers, when the disk or Redis's memory is nearly full, or while the workers' address is not there.
pub(crate) async fn ready(
    State(config): State<Arc<Config>>,
    State(broker): State<Broker>,
    State(files): State<Files>,
    State(awaited): State<AwaitedAddress>,
) -> (StatusCode, Json<Health>) {
    let must_mb = config.alerts.disk_free_mb;
    let room = tokio::time::timeout(PATIENCE, Room::look(&files, &broker, must_mb)).await;
    let room = room.ok().and_then(Result::ok).unwrap_or_else(|| Room::on_disk(&files, must_mb));
    let checks = [
        ("redis", within_patience(redis(&broker)).await),
        ("eviction", within_patience(eviction(&broker, config.store.evicting_redis)).await),
        ("scripts", within_patience(scripts(&broker)).await),
        ("reaper", within_patience(reaper(&broker)).await),
        ("memory", Ok(room.memory_in_words())),
        ("disk", disk(&files, &room)),
    ];
    let warnings: Vec<_> = warnings(&room).into_iter().chain(awaited.warning(config.worker_bind)).collect();
    let well = checks.iter().all(|(_, result)| result.is_ok());
    let checks = checks.into_iter().map(|(name, result)| (name, result.unwrap_or_else(|why| why))).collect();
    if !well {
        return (
            StatusCode::SERVICE_UNAVAILABLE,
            Json(Health { status: "unhealthy", checks, warnings, queue: None }),
        );
    }
    let queue = broker.status().await.ok();
    let workers = queue.as_ref().map_or(0, |status| status.active_workers);
    let status = if workers == 0 || !warnings.is_empty() { "degraded" } else { "ok" };
    (StatusCode::OK, Json(Health { status, checks, warnings, queue }))
}

/// `GET /api/queue/status`
pub(crate) async fn queue_status(State(broker): State<Broker>) -> Result<Json<QueueStatus>, Trouble> {
    // Anybody may look: no names.
    Ok(Json(QueueStatus { demo: None, ..broker.status().await? }))
}

fn disk(files: &Files, room: &Room) -> Result<String, String> {
    files.probe().map(|()| format!("writable{}", room.disk_in_words())).map_err(|error| error.to_string())
}

fn warnings(room: &Room) -> Vec<String> {
    let words = room.alerts().into_iter().map(|(kind, detail)| {
        let alert = in_words(StoredAlert { detail, ..StoredAlert::of(kind) });
        format!("{} {}", alert.text, alert.advice)
    });
    words.collect()
}

async fn within_patience(check: impl Future<Output = Result<String, String>>) -> Result<String, String> {
    tokio::time::timeout(PATIENCE, check).await.unwrap_or_else(|_| Err("no answer within 1 s".to_owned()))
}

async fn redis(broker: &Broker) -> Result<String, String> {
    let asked = Instant::now();
    broker.ping().await.map_err(|error| error.to_string())?;
    Ok(format!("answered in {} ms", asked.elapsed().as_millis()))
}

async fn eviction(broker: &Broker, allowed: bool) -> Result<String, String> {
    match broker.evicts().await.map_err(|error| error.to_string())? {
        None => Ok("never".to_owned()),
        Some(policy) if allowed => Ok(format!("{policy}, as allowed: accepted jobs may vanish")),
        Some(policy) => {
            Err(format!("{policy}: accepted jobs may vanish; set maxmemory-policy to noeviction"))
        }
    }
}

async fn scripts(broker: &Broker) -> Result<String, String> {
    // Any script will do that changes nothing and costs little.
    let nobody = "health".parse().map_err(|_| "no worker can be called so".to_owned())?;
    broker.peek(&nobody).await.map_err(|error| error.to_string())?;
    Ok("run".to_owned())
}

async fn reaper(broker: &Broker) -> Result<String, String> {
    match broker.since_reaped().await.map_err(|error| error.to_string())? {
        Some(since) if since < REAPER_LATE => Ok(format!("looked {} ms ago", since.as_millis())),
        Some(since) => Err(format!("has not looked for {} s", since.as_secs())),
        None => Err("has not looked yet".to_owned()),
    }
}
