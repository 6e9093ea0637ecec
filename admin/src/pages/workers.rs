//! Every worker: its GPU, its memory, its versions, what it did.

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::{Failed, Layout, Visitor, render};
use crate::rooms::Rooms;
use crate::wording::{many, span};
use crate::zones::names::Names;

#[derive(Template)]
#[template(path = "pages/workers.html")]
struct WorkersPage {
    layout: Layout,
    workers: Vec<WorkerRow>,
}

struct WorkerRow {
    name: String,
    here: bool,
    draining: bool,
    state: String,
    gpu: String,
    vram: String,
    models: Vec<String>,
    percent: String,
    comfyui: String,
    version: String,
    seen_at: u64,
    seen: String,
    job: String,
    owner: String,
    done: String,
    worked: String,
}

#[expect(clippy::cast_precision_loss, reason = "for the eye")]
fn gigabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e9
}

pub(crate) async fn page(
    State(rooms): State<Rooms>,
    layout: Layout,
    Visitor(token): Visitor,
) -> Result<Response, Failed> {
    let seen = layout.or(rooms.now(&token).await)?;
    let names = Names::of(&seen.room, layout.look.hide_names);
    let row = |one: &queue_protocol::api::WorkerInRoom| {
        let worker = &one.worker;
        let state = match (worker.active, worker.draining, one.unready.as_str(), worker.comfyui_alive) {
            (false, ..) => "not connected",
            (_, _, "comfyui_stuck", _) => "its ComfyUI does not stop",
            (_, _, "comfyui_away", _) | (.., false) => "its ComfyUI does not answer",
            (_, true, ..) => "takes nothing more",
            _ if one.running.is_some() => "working",
            _ => "idle",
        };
        let used = worker.vram_total.saturating_sub(worker.vram_free);
        WorkerRow {
            name: worker.name.to_string(),
            here: worker.active,
            draining: worker.draining,
            state: state.to_owned(),
            gpu: worker.gpu.clone(),
            vram: if worker.vram_total == 0 {
                "unknown".to_owned()
            } else {
                format!("{:.1} of {:.1} GB used", gigabytes(used), gigabytes(worker.vram_total))
            },
            percent: (used * 100).checked_div(worker.vram_total).map(|p| p.to_string()).unwrap_or_default(),
            models: one.last_models.clone(),
            comfyui: worker.comfyui_version.clone(),
            version: worker.version.clone(),
            seen_at: worker.seen_at,
            seen: span(seen.room.now.saturating_sub(worker.seen_at)),
            job: one.running.as_ref().map(|job| job.id.to_string()).unwrap_or_default(),
            owner: one.running.as_ref().map(|job| names.shown(&job.participant)).unwrap_or_default(),
            done: many(one.jobs, "job", "jobs"),
            worked: span(one.worked_ms),
        }
    };
    Ok(render(&WorkersPage { workers: seen.room.workers.iter().map(row).collect(), layout }))
}
