//! What went wrong, by cause, newest first.

use askama::Template;
use queue_protocol::api::{Alert, AlertKind, Cause, Room};

use super::names::Names;
use super::{Cells, Live, Row};
use crate::wording::{cause_line, many, plain_cause};

/// People that are named; the rest are counted.
const NAMED: usize = 4;

#[derive(Template)]
#[template(path = "zones/problem.html")]
struct Problem {
    id: String,
    title: &'static str,
    advice: &'static str,
    line: String,
    exception: String,
    jobs: String,
    count: usize,
    people: String,
    latest_at: u64,
    failed: bool,
    job: String,
    cells: Cells,
}

impl Live for Problem {
    fn id(&self) -> String {
        format!("c-{}", self.id)
    }

    fn cells(&mut self) -> &mut Cells {
        &mut self.cells
    }
}

/// What is not about jobs that failed.
#[derive(Template)]
#[template(path = "zones/alert.html")]
struct Notice {
    id: String,
    advice: String,
    since: u64,
    worker: String,
    cells: Cells,
}

impl Notice {
    fn c(&self, name: &str) -> &str {
        self.cells.get(name)
    }
}

impl Live for Notice {
    fn id(&self) -> String {
        format!("a-{}", self.id)
    }

    fn cells(&mut self) -> &mut Cells {
        &mut self.cells
    }
}

pub(super) fn rows(room: &Room, names: &Names) -> Vec<Row> {
    // A parked job is a failure, and among those.
    let alerts = room.alerts.iter().filter(|alert| alert.kind != AlertKind::JobParked);
    let alerts = alerts.map(|alert| super::row(notice(alert)));
    alerts.chain(room.problems.iter().map(|cause| super::row(problem(cause, names)))).collect()
}

fn notice(alert: &Alert) -> Notice {
    let worker = if alert.kind == AlertKind::WorkerLost { alert.subject.clone() } else { String::new() };
    Notice {
        id: alert.id.replace(':', "-"),
        advice: alert.advice.clone(),
        since: alert.since,
        worker,
        cells: Cells::of([("text", alert.text.clone())]),
    }
}

fn problem(cause: &Cause, names: &Names) -> Problem {
    let (title, advice) = plain_cause(&cause.exception, &cause.message);
    let mut people: Vec<_> = cause.people.iter().take(NAMED).map(|name| names.shown(name)).collect();
    if cause.people.len() > NAMED {
        people.push(format!("{} more", cause.people.len() - NAMED));
    }
    Problem {
        id: cause.id.clone(),
        title,
        advice,
        line: cause_line(cause),
        exception: cause.exception.clone(),
        jobs: many(cause.jobs.len() as u64, "job", "jobs"),
        count: cause.jobs.len(),
        people: people.join(", "),
        latest_at: cause.latest_at,
        failed: cause.kind == "failed",
        job: cause.jobs.first().map(ToString::to_string).unwrap_or_default(),
        cells: Cells::default(),
    }
}
