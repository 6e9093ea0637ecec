//! One person: what they wait for and ran, what they had of the GPUs, and what the instructor can do for them.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use queue_client::api::Api;
use queue_protocol::AccountName;
use queue_protocol::api::{Caps, Job, JobList, Role, Room};

use super::{Failed, Layout, Visitor, render, times};
use crate::rooms::Rooms;
use crate::wording::{gpu_minutes, in_range, reason_words, span, state_words};
use crate::zones::lanes::short;
use crate::zones::names::Names;

#[derive(Template)]
#[template(path = "pages/person.html")]
struct PersonPage {
    layout: Layout,
    name: String,
    shown: String,
    label: String,
    seat: String,
    disabled: bool,
    here: bool,
    signing_out_at: Option<u64>,
    facts: Vec<(&'static str, String)>,
    waiting_cap: String,
    running_cap: String,
    jobs: Vec<JobRow>,
}

/// A job in a list.
pub(crate) struct JobRow {
    pub(crate) id: String,
    pub(crate) short: String,
    pub(crate) account: String,
    pub(crate) owner: String,
    pub(crate) state: &'static str,
    pub(crate) word: String,
    pub(crate) submitted_at: u64,
    pub(crate) submitted: String,
    pub(crate) waited: String,
    pub(crate) took: String,
    pub(crate) worker: String,
    pub(crate) error: String,
    pub(crate) waits: bool,
    pub(crate) runs: bool,
    pub(crate) ended: bool,
}

impl JobRow {
    pub(crate) fn of(job: &Job, room: &Room, names: &Names) -> Self {
        let id = job.id.to_string();
        let waits = job.state == queue_protocol::JobState::Pending;
        let reason = job.reason.map(|reason| format!(": {}", reason_words(reason))).unwrap_or_default();
        let starts = job.starts_in.filter(|_| !room.counts.paused);
        let starts = starts.map(|starts| format!(", starts in {}", in_range(starts))).unwrap_or_default();
        let took = job.ended_at.zip(job.started_at).map(|(end, start)| span(end.saturating_sub(start)));
        let waited = job.started_at.or(Some(room.now).filter(|_| waits));
        let waited = waited.map(|until| span(until.saturating_sub(job.submitted_at)));
        let error = job.error.as_ref().and_then(|error| error.exception_message.lines().next());
        Self {
            short: short(&id),
            id,
            account: job.participant.to_string(),
            owner: names.shown(&job.participant),
            state: job.state.word(),
            word: format!("{}{reason}{starts}", state_words(job.state)),
            submitted_at: job.submitted_at,
            submitted: times::utc(job.submitted_at),
            waited: waited.unwrap_or_default(),
            took: took.unwrap_or_default(),
            worker: job.worker.as_ref().map(ToString::to_string).unwrap_or_default(),
            error: error.unwrap_or_default().chars().take(160).collect(),
            waits,
            runs: job.state == queue_protocol::JobState::Running,
            ended: job.state.is_end(),
        }
    }
}

pub(crate) async fn page(
    State(api): State<Api>,
    State(rooms): State<Rooms>,
    layout: Layout,
    Visitor(token): Visitor,
    Path(name): Path<AccountName>,
) -> Result<Response, Failed> {
    let (caps, jobs) = (format!("/accounts/{name}/caps"), format!("/jobs?participant={name}&limit=50"));
    let (seen, caps, jobs) = tokio::join!(rooms.now(&token), api.get(&token, &caps), api.get(&token, &jobs));
    let (seen, caps, jobs): (_, Caps, JobList) = (layout.or(seen)?, layout.or(caps)?, layout.or(jobs)?);
    let room = &seen.room;
    let names = Names::of(room, layout.look.hide_names);
    let person = room.people.iter().find(|person| person.name == name);
    let used = person.map(|person| person.used.clone()).unwrap_or_default();
    let users: Vec<_> = room.people.iter().filter(|person| person.used.gpu_ms > 0).collect();
    let even = users.iter().map(|person| person.used.gpu_ms).sum::<u64>() / users.len().max(1) as u64;
    let mean_wait = used.waited_ms.checked_div(used.started).map_or_else(|| "–".to_owned(), span);
    let facts = vec![
        ("GPU time", gpu_minutes(used.gpu_ms)),
        ("an even share is", gpu_minutes(even)),
        ("waited on average", mean_wait),
        ("done", used.completed.to_string()),
        ("failed", used.failed.to_string()),
        ("cancelled", used.cancelled.to_string()),
        ("waiting now", person.map_or(0, |person| person.waiting).to_string()),
    ];
    let text = |number: Option<u32>| number.map(|number| number.to_string()).unwrap_or_default();
    Ok(render(&PersonPage {
        shown: names.shown(&name),
        label: person.map(|person| person.label.clone()).unwrap_or_default(),
        seat: text(person.and_then(|person| person.seat)),
        disabled: person.is_some_and(|person| person.disabled),
        here: person.is_some_and(|person| person.here),
        signing_out_at: person.and_then(|person| person.signing_out_at),
        facts,
        waiting_cap: text(caps.waiting_per_participant),
        running_cap: text(caps.running_per_participant),
        jobs: jobs.jobs.iter().map(|job| JobRow::of(job, room, &names)).collect(),
        name: name.to_string(),
        layout,
    }))
}

/// Whether somebody is to be listed among the participants.
pub(crate) const fn takes_part(role: Role) -> bool {
    matches!(role, Role::Participant)
}
