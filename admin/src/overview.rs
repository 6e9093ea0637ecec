//! The first page: the whole room on one screen, complete as it comes, then kept up to date.

use askama::Template;
use axum::Json;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use queue_client::ClientError;
use queue_protocol::AccountName;
use serde::Deserialize;
use serde_json::json;

use crate::pages::{Failed, Layout, Visitor, render};
use crate::rooms::{Rooms, Seen};
use crate::session::Token;
use crate::wording::money;
use crate::zones::Frame;

#[derive(Template)]
#[template(path = "overview.html")]
struct Overview {
    layout: Layout,
    version: String,
    n: u64,
    now: u64,
    frame: Frame,
    people: Vec<(String, String)>,
    price: String,
}

impl Overview {
    fn of(seen: &Seen, layout: Layout) -> Self {
        let room = &seen.room;
        let names = crate::zones::names::Names::of(room, layout.look.hide_names);
        let people = room.people.iter().map(|person| (person.name.to_string(), names.shown(&person.name)));
        Self {
            version: seen.version.clone(),
            n: room.n,
            now: room.now,
            frame: seen.frame(layout.look.hide_names).clone(),
            people: people.collect(),
            price: if room.price_per_hour > 0 { money(room.price_per_hour) } else { String::new() },
            layout,
        }
    }

    fn text(&self, name: &str) -> &str {
        self.frame.texts.get(name)
    }
}

pub(crate) async fn page(
    State(rooms): State<Rooms>,
    layout: Layout,
    Visitor(token): Visitor,
) -> Result<Response, Failed> {
    let seen = layout.or(rooms.now(&token).await)?;
    Ok(render(&Overview::of(&seen, layout)))
}

/// `GET /alerts`: what a page that is hidden tells its instructor by the browser, and nothing else.
pub(crate) async fn alerts(State(rooms): State<Rooms>, Token(token): Token) -> Response {
    let Some(token) = token else { return StatusCode::UNAUTHORIZED.into_response() };
    match rooms.now(&token).await {
        Ok(seen) => {
            let texts = crate::zones::texts(&seen.room, &crate::zones::names::Names::of(&seen.room, true));
            Json(json!({"failed": texts.get("failed"), "alerts": texts.get("alerts")})).into_response()
        }
        Err(ClientError::Refused) => StatusCode::UNAUTHORIZED.into_response(),
        Err(ClientError::Told { status: 403, .. }) => StatusCode::FORBIDDEN.into_response(),
        Err(_) => StatusCode::BAD_GATEWAY.into_response(),
    }
}

/// `GET /longest`: the job that waits longest, with why.
pub(crate) async fn longest(
    State(rooms): State<Rooms>,
    layout: Layout,
    Visitor(token): Visitor,
) -> Result<Response, Failed> {
    let seen = layout.or(rooms.now(&token).await)?;
    let to = seen.room.longest.as_ref().map_or("/".to_owned(), |job| format!("/job/{}", job.id));
    Ok(Redirect::to(&to).into_response())
}

#[derive(Deserialize)]
pub(crate) struct Wanted {
    q: Option<String>,
}

/// `GET /find?q=…`: a job by its id, a person by any part of a name, else all jobs.
pub(crate) async fn find(
    State(rooms): State<Rooms>,
    layout: Layout,
    Visitor(token): Visitor,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Failed> {
    let seen = layout.or(rooms.now(&token).await)?;
    let wanted = wanted.q.unwrap_or_default().trim().to_lowercase();
    let jobs = seen.room.waiting.iter().chain(&seen.room.aside);
    let running = seen.room.workers.iter().filter_map(|worker| worker.running.as_ref());
    let job = jobs.chain(running).find(|job| wanted.len() >= 4 && job.id.to_string().starts_with(&wanted));
    if let Some(job) = job {
        return Ok(Redirect::to(&format!("/job/{}", job.id)).into_response());
    }
    if wanted.parse::<queue_protocol::JobId>().is_ok() {
        return Ok(Redirect::to(&format!("/job/{wanted}")).into_response());
    }
    let named = |name: &AccountName, label: &str| {
        !wanted.is_empty() && (name.as_str().contains(&wanted) || label.to_lowercase().contains(&wanted))
    };
    if let Some(person) = seen.room.people.iter().find(|person| named(&person.name, &person.label)) {
        return Ok(Redirect::to(&format!("/person/{}", person.name)).into_response());
    }
    let detail = format!("Nobody is called {wanted:?}, and no job begins like that.");
    layout.or(Err(ClientError::Told { status: 404, detail }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::look::Look;
    use crate::wording::tests::empty_room;

    #[test]
    fn a_hostile_name_is_a_text() {
        let mut room = empty_room();
        let name = "<img src=x onerror=alert(1)>\u{202e}\"'";
        room.people.push(queue_protocol::api::PersonInRoom {
            name: "ada".parse().unwrap(),
            label: name.to_owned(),
            seat: Some(1),
            role: queue_protocol::api::Role::Participant,
            disabled: false,
            signing_out_at: None,
            here: true,
            waiting: 0,
            position: None,
            starts_in: None,
            running: Vec::new(),
            latest: None,
            used: queue_protocol::api::Usage::default(),
        });
        let html = Frame::of(&room, false).html("people");
        assert!(html.contains("&#60;img src=x onerror=alert(1)&#62;") && !html.contains("<img"), "{html}");
        let hidden = Frame::of(&room, true).html("people");
        assert!(hidden.contains("Seat 1") && !hidden.contains("onerror"), "{hidden}");
        assert_eq!(Look::default().theme, "");
    }
}
