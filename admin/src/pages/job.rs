//! One job: what happened to it and when, why it failed and what to do. What was asked for is shown only after "open",
//! which is in the audit log.

use askama::Template;
use axum::body::Body;
use axum::extract::{Form, Path, State};
use axum::http::Method;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use queue_client::api::Api;
use queue_protocol::api::{JobStory, OutputFile, Room};
use queue_protocol::{JobId, Lane, Reason};

use super::person::JobRow;
use super::{Failed, Layout, Visitor, render, times};
use crate::actions::{Fields, action_id};
use crate::rooms::Rooms;
use crate::sign_in::ours;
use crate::wording::{ordinal, plain_cause, reason_words, span, state_words, why};
use crate::zones::names::Names;

#[derive(Template)]
#[template(path = "pages/job.html")]
struct JobPage {
    layout: Layout,
    job: JobRow,
    retry_of: String,
    attempts: u32,
    position: String,
    why: String,
    first: bool,
    held: bool,
    stopping: bool,
    cancelling: Option<u64>,
    files: u64,
    events: Vec<Event>,
    error: Option<Failure>,
    workflow: Option<String>,
    opened: Vec<OpenedFile>,
}

/// A file of a job that was opened.
struct OpenedFile {
    name: String,
    n: usize,
    is_picture: bool,
}

/// What a picture can be made of, by the end of its name.
const PICTURES: [&str; 4] = [".png", ".jpg", ".jpeg", ".webp"];

impl OpenedFile {
    fn of((n, file): (usize, &OutputFile)) -> Self {
        let lower = file.filename.to_ascii_lowercase();
        let is_picture = PICTURES.iter().any(|end| lower.ends_with(end));
        Self { name: file.filename.clone(), n, is_picture }
    }
}

struct Event {
    at: u64,
    text: String,
    after: String,
    words: String,
    worker: String,
}

struct Failure {
    title: &'static str,
    advice: &'static str,
    exception: String,
    node: String,
    message: String,
    traceback: String,
}

async fn show(
    api: &Api,
    rooms: &Rooms,
    layout: Layout,
    token: &str,
    id: JobId,
    workflow: Option<String>,
) -> Result<Response, Failed> {
    let story: JobStory = layout.or(api.get(token, &format!("/jobs/{id}/story")).await)?;
    let seen = layout.or(rooms.now(token).await)?;
    let names = Names::of(&seen.room, layout.look.hide_names);
    let job = &story.job;
    let error = job.error.as_ref().map(|error| {
        let (title, advice) = plain_cause(&error.exception_type, &error.exception_message);
        Failure {
            title,
            advice,
            exception: error.exception_type.clone(),
            node: error.node_type.clone(),
            message: error.exception_message.chars().take(4_000).collect(),
            traceback: error.traceback.join("").chars().take(20_000).collect(),
        }
    });
    let opened = if workflow.is_some() {
        job.outputs.iter().enumerate().map(OpenedFile::of).collect()
    } else {
        Vec::new()
    };
    Ok(render(&JobPage {
        job: JobRow::of(job, &seen.room, &names),
        retry_of: job.retry_of.map(|id| id.to_string()).unwrap_or_default(),
        attempts: job.attempts,
        position: job.position.map(ordinal).unwrap_or_default(),
        why: why_it_waits(&seen.room, id),
        first: job.lane == Lane::Instructor,
        held: job.reason == Some(Reason::Held),
        stopping: job.reason == Some(Reason::Stopping),
        cancelling: job.cancel_at,
        files: job.files,
        events: events(&story),
        error,
        workflow,
        opened,
        layout,
    }))
}

/// Why it stands where it stands; empty when it does not wait, and when its state says why.
fn why_it_waits(room: &Room, id: JobId) -> String {
    let job = room.waiting.iter().chain(&room.aside).find(|job| job.id == id);
    job.filter(|job| job.reason.is_none()).map(|job| why(job, room)).unwrap_or_default()
}

/// What happened, each thing once: a job that is announced again without a change is no event.
fn events(story: &JobStory) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    let mut last: Option<(&str, &str, &str, u64)> = None;
    for event in &story.events {
        let now = (event.state.as_str(), event.reason.as_str(), event.worker.as_str());
        if last.is_some_and(|(state, reason, worker, _)| (state, reason, worker) == now) {
            continue;
        }
        let state = event.state.parse().map_or("", state_words);
        let reason = Reason::from_word(&event.reason);
        let words =
            reason.map_or_else(|| state.to_owned(), |reason| format!("{state}: {}", reason_words(reason)));
        let words = if last.is_none() { format!("submitted; {words}") } else { words };
        let after = last.map(|(.., at)| format!("after {}", span(event.at.saturating_sub(at))));
        events.push(Event {
            at: event.at,
            text: times::utc(event.at),
            after: after.unwrap_or_default(),
            words,
            worker: if event.state == "pending" { String::new() } else { event.worker.clone() },
        });
        last = Some((now.0, now.1, now.2, event.at));
    }
    events
}

pub(crate) async fn page(
    State(api): State<Api>,
    State(rooms): State<Rooms>,
    layout: Layout,
    Visitor(token): Visitor,
    Path(id): Path<JobId>,
) -> Result<Response, Failed> {
    show(&api, &rooms, layout, &token, id, None).await
}

/// `GET /job/{id}/picture/{n}`: with the visitor's own token, and only while the job is open to them.
pub(crate) async fn picture(
    State(api): State<Api>,
    layout: Layout,
    Visitor(token): Visitor,
    Path((id, n)): Path<(JobId, usize)>,
) -> Result<Response, Failed> {
    let path = format!("/jobs/{id}/pictures/{n}");
    let (kind, bytes) = layout.or(api.picture(&token, &path).await)?;
    Ok(([(header::CONTENT_TYPE, kind)], Body::from_stream(bytes)).into_response())
}

/// `POST /job/{id}/open`
pub(crate) async fn open(
    State(api): State<Api>,
    State(rooms): State<Rooms>,
    layout: Layout,
    Visitor(token): Visitor,
    Path(id): Path<JobId>,
    headers: HeaderMap,
    Form(fields): Form<Fields>,
) -> Result<Response, Failed> {
    if !ours(&headers) {
        return Ok(StatusCode::FORBIDDEN.into_response());
    }
    let path = format!("/jobs/{id}/open");
    let opened = layout.or(api.act(&token, Method::POST, &path, None, &action_id(&fields)).await)?;
    let workflow = serde_json::to_string_pretty(&opened.body["workflow"]).unwrap_or_default();
    let workflow =
        if opened.repeated { "Opened already; open it once more to see it.".to_owned() } else { workflow };
    show(&api, &rooms, layout, &token, id, Some(workflow)).await
}
