//! Every action of the dashboard is one form POST that becomes one request to the queue-manager: it checks the role,
//! does it once, and writes the audit log. Without scripts the browser comes back to the page it came from; the page's
//! script asks for JSON instead and shows the answer beside the buttons.

use std::collections::HashMap;

use axum::Json;
use axum::extract::{Form, Path, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use queue_client::ClientError;
use queue_client::api::{Acted, Api};
use queue_protocol::{AccountName, JobId, Mode, WorkerName};
use serde_json::{Value, json};

use crate::look::Look;
use crate::pages::{Layout, Refused, render};
use crate::session::Token;
use crate::sign_in::ours;
use crate::wording::many;

/// What came with a form.
pub(crate) type Fields = HashMap<String, String>;

/// One request to the queue-manager, and what is said when it is done.
#[derive(Debug, PartialEq)]
pub(crate) struct Act {
    method: Method,
    path: String,
    body: Option<Value>,
    said: String,
    /// Takes it back, and is offered for ten seconds.
    undo: Option<String>,
}

fn act(method: Method, path: impl Into<String>, body: Option<Value>, said: impl Into<String>) -> Act {
    Act { method, path: path.into(), body, said: said.into(), undo: None }
}

/// A page of ours to come back to: never another site's.
pub(crate) fn safe_path(path: Option<&str>) -> &str {
    path.filter(|path| path.starts_with('/') && !path.starts_with("//") && !path.contains(['\\', '\r', '\n']))
        .unwrap_or("/")
}

/// Undo beats "are you sure?": so long may a cancel or a sign-out be taken back.
const UNDO_MS: u32 = 10_000;

/// What a button means; `None` for one that there is not.
fn meaning(group: &str, target: &str, verb: &str, fields: &Fields, look: Look) -> Option<Act> {
    match group {
        "do" => room(target, verb, fields, look),
        "jobs" => job(target.parse().ok()?, verb, fields),
        "causes" => cause(target, verb),
        "workers" => worker(&target.parse().ok()?, verb),
        "people" => person(&target.parse().ok()?, verb, fields, look),
        _ => None,
    }
}

fn field<'a>(fields: &'a Fields, name: &str) -> &'a str {
    fields.get(name).map(|text| text.trim()).unwrap_or_default()
}

/// A number that was typed; none where the field is empty.
fn number(fields: &Fields, name: &str) -> Option<u64> {
    field(fields, name).parse().ok()
}

fn room(what: &str, verb: &str, fields: &Fields, look: Look) -> Option<Act> {
    let queue = |change: Value, said: &str| Some(act(Method::PATCH, "/queue", Some(change), said));
    match (what, verb) {
        ("pause", "") => queue(json!({"paused": true}), "Paused. Running jobs finish."),
        ("resume", "") => queue(json!({"paused": false}), "Resumed."),
        ("mode", word) => {
            let mode: Mode = word.parse().ok()?;
            queue(json!({"mode": mode}), &format!("The order is now {}.", crate::wording::mode(mode)))
        }
        ("one-each", "again") => queue(json!({"one_each": true}), "Everybody may have another one."),
        ("one-each", "on") => queue(json!({"one_each": true}), "One job each from now on."),
        ("one-each", "off") => queue(json!({"one_each": false}), "The usual order again."),
        ("demo", "") => Some(act(
            Method::POST,
            "/queue/demo",
            Some(json!({})),
            "Demo: your next job goes first, for ten minutes.",
        )),
        ("demo", "end") => Some(act(Method::DELETE, "/queue/demo", None, "The demo is over.")),
        ("message", "") => {
            let to = Some(field(fields, "to")).filter(|to| !to.is_empty());
            let said = format!("Said to {}.", to.map_or("everyone", |to| look.called(to)));
            let body = json!({"to": to, "text": field(fields, "text")});
            Some(act(Method::POST, "/messages", Some(body), said))
        }
        ("clear", "") => {
            let body = json!({"expected": number(fields, "expected")?});
            Some(act(Method::POST, "/queue/clear", Some(body), "The queue is empty."))
        }
        ("caps", "") => Some(act(Method::PATCH, "/caps", Some(caps(fields)), "The caps are changed.")),
        ("price", "") => {
            let (whole, part) =
                field(fields, "price").split_once(['.', ',']).unwrap_or((field(fields, "price"), ""));
            let part = format!("{part:0<2}");
            let hundredths =
                whole.parse::<u64>().ok()?.checked_mul(100)? + part.get(..2)?.parse::<u64>().ok()?;
            queue(json!({"price_per_hour": hundredths}), "The price is noted.")
        }
        _ => None,
    }
}

fn caps(fields: &Fields) -> Value {
    let mut caps = serde_json::Map::new();
    for name in ["waiting_per_participant", "running_per_participant"] {
        if let Some(number) = number(fields, name) {
            caps.insert(name.to_owned(), number.into());
        }
    }
    caps.into()
}

fn job(id: JobId, verb: &str, fields: &Fields) -> Option<Act> {
    let post = |path: &str, body: Option<Value>, said: &str| {
        Some(act(Method::POST, format!("/jobs/{id}/{path}"), body, said))
    };
    let undoable = |said: &str| {
        let undo = Some(format!("/jobs/{id}/keep"));
        post("cancel", Some(json!({"after_ms": UNDO_MS})), said).map(|act| Act { undo, ..act })
    };
    match verb {
        "cancel" => undoable("It is cancelled in ten seconds."),
        "stop" => undoable("It is stopped in ten seconds, at its next step."),
        "keep" => post("keep", None, "It stays."),
        "hold" => post("hold", None, "Put aside."),
        "release" => post("release", None, "Back in its place."),
        "first" => post("lane", Some(json!({"lane": "instructor"})), "It goes first."),
        "normal" => post("lane", Some(json!({"lane": "normal"})), "Back to its turn."),
        "move" => {
            post("move", Some(json!({"place": number(fields, "place")?})), "Moved within its owner's line.")
        }
        "retry" => post("retry", Some(json!({})), "Submitted again, as a new job."),
        _ => None,
    }
}

fn cause(id: &str, verb: &str) -> Option<Act> {
    let said = match verb {
        "retry" => "Submitted again",
        "dismiss" => "Taken off the list",
        "cancel" => "Cancelled in ten seconds",
        "keep" => "Kept",
        _ => return None,
    };
    if id.len() > 64 || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let undo = (verb == "cancel").then(|| format!("/causes/{id}/keep"));
    Some(Act { undo, ..act(Method::POST, format!("/causes/{id}/{verb}"), None, said) })
}

fn worker(name: &WorkerName, verb: &str) -> Option<Act> {
    match verb {
        "drain" => {
            let said = format!("{name} finishes what runs and takes nothing more.");
            let undo = Some(format!("/workers/{name}/resume"));
            Some(Act { undo, ..act(Method::POST, format!("/workers/{name}/drain"), None, said) })
        }
        "resume" => {
            Some(act(Method::POST, format!("/workers/{name}/resume"), None, format!("{name} works again.")))
        }
        "forget" => {
            Some(act(Method::DELETE, format!("/workers/{name}"), None, format!("{name} is forgotten.")))
        }
        _ => None,
    }
}

fn person(name: &AccountName, verb: &str, fields: &Fields, look: Look) -> Option<Act> {
    let who = look.called(name.as_str());
    // Begins a sentence.
    let they = if look.hide_names { "This person" } else { who };
    let account = |change: Value, said: String| {
        Some(act(Method::PATCH, format!("/accounts/{name}"), Some(change), said))
    };
    match verb {
        "sign-out" => {
            let said = format!("{they} is signed out everywhere in ten seconds.");
            let undo = Some(format!("/people/{name}/stay"));
            let body = Some(json!({"after_ms": UNDO_MS}));
            Some(Act { undo, ..act(Method::POST, format!("/accounts/{name}/sign-out"), body, said) })
        }
        "stay" => {
            let said = format!("{they} stays signed in.");
            Some(act(Method::POST, format!("/accounts/{name}/stay"), None, said))
        }
        "disable" => {
            let undo = Some(format!("/people/{name}/enable"));
            account(json!({"disabled": true}), format!("{they} cannot sign in any more."))
                .map(|act| Act { undo, ..act })
        }
        "enable" => account(json!({"disabled": false}), format!("{they} can sign in again.")),
        "place" => {
            let seat = number(fields, "seat").unwrap_or_default();
            account(json!({"label": field(fields, "label"), "seat": seat}), "Noted.".to_owned())
        }
        "caps" => {
            let path = format!("/accounts/{name}/caps");
            Some(act(Method::PATCH, path, Some(caps(fields)), format!("The caps of {who} are changed.")))
        }
        "demo" => {
            let body = json!({"participant": name});
            Some(act(Method::POST, "/queue/demo", Some(body), format!("The next job of {who} goes first.")))
        }
        _ => None,
    }
}

/// `POST /{group}/{target}/{verb}`
pub(crate) async fn submit(
    State(api): State<Api>,
    layout: Layout,
    Token(token): Token,
    Path((group, target, verb)): Path<(String, String, String)>,
    headers: HeaderMap,
    Form(fields): Form<Fields>,
) -> Response {
    let meant = meaning(&group, &target, &verb, &fields, layout.look);
    run(&api, &layout, token, meant, &headers, &fields).await
}

/// `POST /do/{what}`
pub(crate) async fn submit_for_room(
    State(api): State<Api>,
    layout: Layout,
    Token(token): Token,
    Path(what): Path<String>,
    headers: HeaderMap,
    Form(fields): Form<Fields>,
) -> Response {
    let meant = meaning("do", &what, "", &fields, layout.look);
    run(&api, &layout, token, meant, &headers, &fields).await
}

async fn run(
    api: &Api,
    layout: &Layout,
    token: Option<String>,
    meant: Option<Act>,
    headers: &HeaderMap,
    fields: &Fields,
) -> Response {
    if !ours(headers) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let back = safe_path(fields.get("back").map(String::as_str)).to_owned();
    let quiet = headers.get(header::ACCEPT).is_some_and(|accept| accept == "application/json");
    let Some(token) = token else { return signed_out(quiet, &back) };
    let Some(meant) = meant else {
        return refused(
            layout,
            quiet,
            &back,
            StatusCode::BAD_REQUEST,
            "That cannot be done like this: a number is missing, or is none.",
        );
    };
    let action = action_id(fields);
    let acted = api.act(&token, meant.method.clone(), &meant.path, meant.body.as_ref(), &action).await;
    match acted {
        Ok(Acted { body, .. }) => {
            let said = said(&meant.said, &body);
            if quiet {
                return Json(json!({"said": said, "undo": meant.undo, "action": new_action()}))
                    .into_response();
            }
            Redirect::to(&back).into_response()
        }
        Err(ClientError::Refused) => signed_out(quiet, &back),
        Err(ClientError::Told { status, detail }) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
            refused(layout, quiet, &back, status, &detail)
        }
        Err(error) => {
            tracing::warn!(%error, "an action could not be passed on");
            refused(
                layout,
                quiet,
                &back,
                StatusCode::BAD_GATEWAY,
                "The queue-manager did not answer. It may have been done; look, and try again.",
            )
        }
    }
}

/// The sentence, with how many jobs it was where that was not known before.
fn said(sentence: &str, body: &Value) -> String {
    match (body["jobs"].as_u64(), body["refused"].as_u64()) {
        (Some(jobs), Some(0)) => format!("{sentence}: {}.", many(jobs, "job", "jobs")),
        (Some(jobs), Some(refused)) => {
            format!("{sentence}: {}; {refused} could not be.", many(jobs, "job", "jobs"))
        }
        _ => sentence.to_owned(),
    }
}

/// The id that makes a form's action happen once. A form without one is a script's, which may have sent anything.
pub(crate) fn action_id(fields: &Fields) -> String {
    fields.get("action").filter(|id| (8..=64).contains(&id.len())).cloned().unwrap_or_else(new_action)
}

/// An id for the next action of a page.
pub(crate) fn new_action() -> String {
    JobId::random().to_string()
}

pub(crate) fn signed_out(quiet: bool, back: &str) -> Response {
    if quiet {
        let said = json!({"failed": "Your session is over. Sign in again; nothing was done."});
        return (StatusCode::UNAUTHORIZED, Json(said)).into_response();
    }
    Redirect::to(&crate::pages::sign_in(back)).into_response()
}

fn refused(layout: &Layout, quiet: bool, back: &str, status: StatusCode, why: &str) -> Response {
    if quiet {
        return (status, Json(json!({"failed": why, "action": new_action()}))).into_response();
    }
    let page = Refused { layout: layout.clone(), why: why.to_owned(), back: back.to_owned() };
    (status, render(&page)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> Fields {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn only_our_own_pages_are_come_back_to() {
        assert_eq!(safe_path(Some("/person/ada?x=1")), "/person/ada?x=1");
        for other in
            ["//evil.example", "https://evil.example", "/\\evil.example", "/x\r\nSet-Cookie: a=b", ""]
        {
            assert_eq!(safe_path(Some(other)), "/", "{other:?}");
        }
    }

    #[test]
    fn a_button_that_there_is_not_means_nothing() {
        let none = Fields::new();
        assert!(meaning("jobs", "../accounts", "cancel", &none, Look::default()).is_none());
        assert!(meaning("causes", "abc/../..", "retry", &none, Look::default()).is_none());
        assert!(meaning("people", "ada", "promote", &none, Look::default()).is_none());
        assert!(meaning("do", "mode", "lifo", &none, Look::default()).is_none());
        assert!(meaning("do", "clear", "", &fields(&[("expected", "all")]), Look::default()).is_none());
    }

    #[test]
    fn what_is_said_on_a_projector_names_nobody() {
        let hidden = Look { hide_names: true, ..Look::default() };
        let place = fields(&[("to", "ada"), ("text", "Hello.")]);
        let said = |group: &str, target: &str, verb: &str, look: Look| {
            meaning(group, target, verb, &place, look).map(|act| act.said).unwrap()
        };
        assert_eq!(said("do", "message", "", Look::default()), "Said to ada.");
        assert_eq!(said("do", "message", "", hidden), "Said to this person.");
        for verb in ["sign-out", "stay", "disable", "enable", "place", "caps", "demo"] {
            assert!(!said("people", "ada", verb, hidden).contains("ada"), "{verb}");
        }
    }

    #[test]
    fn a_price_is_read_as_it_is_written() {
        let price = |text: &str| {
            meaning("do", "price", "", &fields(&[("price", text)]), Look::default()).and_then(|act| act.body)
        };
        assert_eq!(price("1.5"), Some(json!({"price_per_hour": 150})));
        assert_eq!(price("0,99"), Some(json!({"price_per_hour": 99})));
        assert_eq!(price("2"), Some(json!({"price_per_hour": 200})));
        assert_eq!(price("much"), None);
    }
}
