//! One row for each GPU: whose job runs there, how far it is, and how the worker does.

use askama::Template;
use queue_protocol::api::{Room, WorkerInRoom};

use super::names::Names;
use super::{Cells, Live, Row};
use crate::wording::{clock, span};

/// A job without a step for so many times its usual length is worth a look.
const PATIENCE: u64 = 3;

#[derive(Template)]
#[template(path = "zones/lane.html")]
struct Lane {
    name: String,
    state: &'static str,
    word: String,
    draining: bool,
    here: bool,
    gpu: String,
    job: Option<Running>,
    cells: Cells,
}

struct Running {
    id: String,
    short: String,
    account: String,
    owner: String,
    started_at: u64,
    cancelling: Option<u64>,
    stopping: bool,
}

impl Lane {
    fn c(&self, name: &str) -> &str {
        self.cells.get(name)
    }
}

impl Live for Lane {
    fn id(&self) -> String {
        format!("w-{}", self.name)
    }

    fn cells(&mut self) -> &mut Cells {
        &mut self.cells
    }
}

pub(super) fn rows(room: &Room, names: &Names) -> Vec<Row> {
    room.workers.iter().map(|worker| super::row(lane(worker, room, names))).collect()
}

/// For how long a job has made no progress, in ms, where that is longer than is usual.
pub(super) fn stuck_for(one: &WorkerInRoom, room: &Room) -> Option<u64> {
    let job = one.running.as_ref()?;
    let since = room.now.saturating_sub(one.stepped_at.or(job.started_at)?);
    (since > PATIENCE * job.usual_ms?.max(20_000)).then_some(since)
}

/// What state a worker is in: a word for the page's colours, and one for people.
fn state(lane: &WorkerInRoom, stuck: bool) -> (&'static str, &'static str) {
    let worker = &lane.worker;
    match (lane.unready.as_str(), &lane.running) {
        _ if !worker.active => ("lost", "not connected"),
        ("comfyui_stuck", _) => ("bad", "its ComfyUI does not stop"),
        ("comfyui_away", _) => ("bad", "its ComfyUI does not answer"),
        _ if !worker.comfyui_alive => ("bad", "its ComfyUI does not answer"),
        (_, Some(_)) if stuck => ("bad", "no progress"),
        (_, Some(_)) if worker.draining => ("busy", "working, then stops"),
        (_, Some(_)) => ("busy", "working"),
        ("leaving", None) => ("drained", "leaving"),
        (_, None) if worker.draining => ("drained", "takes nothing"),
        (_, None) => ("idle", "idle"),
    }
}

fn lane(one: &WorkerInRoom, room: &Room, names: &Names) -> Lane {
    let worker = &one.worker;
    let job = one.running.as_ref();
    let usual = job.and_then(|job| job.usual_ms);
    let stuck_for = stuck_for(one, room);
    let stuck = stuck_for.is_some();
    let (state, word) = state(one, stuck);
    let (step, percent) = progress(one);
    let vram = match (worker.vram_free, worker.vram_total) {
        _ if !worker.active => String::new(),
        (_, 0) => String::new(),
        (free, total) => format!("{:.1} of {:.0} GB free", gigabytes(free), gigabytes(total)),
    };
    let usually =
        usual.filter(|ms| *ms >= 1_000).map(|ms| format!("usually {}", span(ms))).unwrap_or_default();
    let away = room.now.saturating_sub(worker.seen_at) / 60_000 * 60_000;
    let word = match stuck_for {
        Some(ms) => format!("{word} for {}", span(ms / 60_000 * 60_000)),
        None => word.to_owned(),
    };
    Lane {
        name: worker.name.to_string(),
        state,
        word,
        draining: worker.draining,
        here: worker.active,
        gpu: worker.gpu.clone(),
        job: job.map(|job| Running {
            id: job.id.to_string(),
            short: short(&job.id.to_string()),
            account: job.participant.to_string(),
            owner: names.shown(&job.participant),
            started_at: job.started_at.unwrap_or_default(),
            cancelling: job.cancel_at,
            stopping: job.reason == Some(queue_protocol::Reason::Stopping),
        }),
        cells: Cells::of([
            (
                "elapsed",
                job.and_then(|job| job.started_at)
                    .map(|at| clock(room.now.saturating_sub(at)))
                    .unwrap_or_default(),
            ),
            ("step", step),
            ("bar", percent.map(|percent| percent.to_string()).unwrap_or_default()),
            ("usual", usually),
            ("vram", vram),
            ("models", models(one)),
            (
                "seen",
                if worker.active || away < 60_000 { String::new() } else { format!("for {}", span(away)) },
            ),
        ]),
    }
}

/// The node that works, with its steps, and how much of it is done in percent.
pub(super) fn progress(lane: &WorkerInRoom) -> (String, Option<u64>) {
    match &lane.step {
        Some(step) if step.max > 0 => (
            format!("{} {}/{}", step.node, step.value, step.max),
            Some(step.value.min(step.max) * 100 / step.max),
        ),
        Some(step) => (step.node.clone(), None),
        None if lane.running.is_some() => ("starting".to_owned(), None),
        None => (String::new(), None),
    }
}

/// The models of the job that runs, or of the last one: what the GPU's memory probably has.
fn models(lane: &WorkerInRoom) -> String {
    let names = lane.last_models.iter().map(|model| model.rsplit(['/', '\\']).next().unwrap_or(model));
    let word = if lane.running.is_some() { "with" } else { "last used" };
    match names.collect::<Vec<_>>().as_slice() {
        [] => String::new(),
        [one] => format!("{word} {one}"),
        [one, rest @ ..] => format!("{word} {one} and {} more", rest.len()),
    }
}

#[expect(clippy::cast_precision_loss, reason = "for the eye")]
fn gigabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e9
}

/// The first digits of a job's id, enough for a person.
pub(crate) fn short(id: &str) -> String {
    id.chars().take(8).collect()
}
