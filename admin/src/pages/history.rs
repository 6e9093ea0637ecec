//! All jobs, newest first, with filters in the address; and the same as a file.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use queue_client::api::Api;
use queue_protocol::api::{Job, JobList};
use serde::Deserialize;

use super::person::JobRow;
use super::{Failed, Layout, Visitor, encoded, export, render, times};
use crate::rooms::Rooms;
use crate::zones::names::Names;

/// Jobs on a page, and in an export.
const SHOWN: usize = 50;
const EXPORTED: usize = 10_000;

/// What is asked for. An empty field is none.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Filter {
    state: String,
    participant: String,
    worker: String,
    cursor: String,
}

impl Filter {
    fn query(&self, limit: usize) -> String {
        let fields = [
            ("state", &self.state),
            ("participant", &self.participant),
            ("worker", &self.worker),
            ("cursor", &self.cursor),
        ];
        let given = fields.iter().filter(|(_, value)| !value.is_empty());
        given.fold(format!("limit={limit}"), |all, (name, value)| format!("{all}&{name}={}", encoded(value)))
    }
}

#[derive(Template)]
#[template(path = "pages/history.html")]
struct HistoryPage {
    layout: Layout,
    filter: Filter,
    states: [&'static str; 5],
    jobs: Vec<JobRow>,
    next: String,
    export: String,
}

pub(crate) async fn page(
    State(api): State<Api>,
    State(rooms): State<Rooms>,
    layout: Layout,
    Visitor(token): Visitor,
    Query(filter): Query<Filter>,
) -> Result<Response, Failed> {
    let address = format!("/jobs?{}", filter.query(SHOWN));
    let (list, seen) = tokio::join!(api.get(&token, &address), rooms.now(&token));
    let (list, seen): (JobList, _) = (layout.or(list)?, layout.or(seen)?);
    let names = Names::of(&seen.room, layout.look.hide_names);
    let next = list.cursor.map(|cursor| Filter { cursor: cursor.to_string(), ..filter.clone() });
    Ok(render(&HistoryPage {
        states: queue_protocol::JobState::ALL.map(queue_protocol::JobState::word),
        jobs: list.jobs.iter().map(|job| JobRow::of(job, &seen.room, &names)).collect(),
        next: next.map(|next| next.query(SHOWN).replace("limit=50&", "")).unwrap_or_default(),
        export: Filter { cursor: String::new(), ..filter.clone() }.query(SHOWN).replace("limit=50", ""),
        filter,
        layout,
    }))
}

/// `GET /export/{name}`: `history.csv`, `history.json`, `audit.csv`, `audit.json`.
pub(crate) async fn file(
    State(api): State<Api>,
    layout: Layout,
    Visitor(token): Visitor,
    Path(name): Path<String>,
    Query(filter): Query<Filter>,
) -> Result<Response, Failed> {
    let (csv, audit) = match name.as_str() {
        "history.csv" => (true, false),
        "history.json" => (false, false),
        "audit.csv" => (true, true),
        "audit.json" => (false, true),
        _ => return Ok(StatusCode::NOT_FOUND.into_response()),
    };
    if audit {
        return layout.or(super::audit::export(&api, &token, csv).await);
    }
    let jobs = layout.or(everything(&api, &token, filter).await)?;
    if !csv {
        let text = serde_json::to_string(&jobs).unwrap_or_default();
        return Ok(export::file("history.json", export::JSON, text));
    }
    let head =
        ["id", "person", "state", "reason", "submitted", "started", "ended", "worker", "attempts", "error"];
    let mut text = export::line(head);
    for job in &jobs {
        text += &csv_line(job);
    }
    Ok(export::file("history.csv", export::CSV, text))
}

async fn everything(
    api: &Api,
    token: &str,
    mut filter: Filter,
) -> Result<Vec<Job>, queue_client::ClientError> {
    let mut jobs = Vec::new();
    loop {
        let list: JobList = api.get(token, &format!("/jobs?{}", filter.query(1_000))).await?;
        jobs.extend(list.jobs);
        match list.cursor {
            Some(cursor) if jobs.len() < EXPORTED => filter.cursor = cursor.to_string(),
            _ => return Ok(jobs),
        }
    }
}

fn csv_line(job: &Job) -> String {
    let time = |ms: Option<u64>| ms.map(times::machine).unwrap_or_default();
    let (id, attempts) = (job.id.to_string(), job.attempts.to_string());
    let worker = job.worker.as_ref().map(ToString::to_string).unwrap_or_default();
    let error = job.error.as_ref().map(|error| error.exception_message.clone()).unwrap_or_default();
    let reason = job.reason.map(queue_protocol::Reason::word).unwrap_or_default();
    let (submitted, started, ended) =
        (time(Some(job.submitted_at)), time(job.started_at), time(job.ended_at));
    let person = job.participant.as_str();
    export::line([
        id.as_str(),
        person,
        job.state.word(),
        reason,
        &submitted,
        &started,
        &ended,
        &worker,
        &attempts,
        &error,
    ])
}
