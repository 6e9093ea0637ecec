//! The audit log: who did what, when, to whom, and how it was before.

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use queue_client::ClientError;
use queue_client::api::Api;
use queue_protocol::Mode;
use queue_protocol::api::{AuditEntry, AuditLog};
use serde::Deserialize;

use super::{Failed, Layout, Visitor, export, render, times};
use crate::wording::{mode, money};
use crate::zones::lanes::short;

#[derive(Template)]
#[template(path = "pages/audit.html")]
struct AuditPage {
    layout: Layout,
    entries: Vec<Entry>,
    next: String,
}

struct Entry {
    at: u64,
    time: String,
    who: String,
    what: &'static str,
    code: String,
    target: String,
    link: String,
    before: String,
    after: String,
}

#[derive(Deserialize)]
pub(crate) struct Page {
    cursor: Option<u64>,
}

/// A deed in words; its code stands beside it.
fn words(what: &str) -> &'static str {
    match what {
        "queue.change" => "changed the queue",
        "queue.clear" => "cleared the queue",
        "caps.change" => "changed caps",
        "demo.begin" => "began a demo",
        "demo.end" => "ended a demo",
        "message.send" => "said",
        "job.cancel" => "cancelled a job",
        "job.keep" => "kept a job",
        "job.hold" => "put a job aside",
        "job.release" => "put a job back",
        "job.move" => "moved a job",
        "job.lane" => "moved a job to a lane",
        "job.retry" => "retried a job",
        "job.open" => "opened a job",
        "cause.retry" => "retried all jobs of a cause",
        "cause.dismiss" => "dismissed a cause",
        "cause.cancel" => "cancelled all jobs of a cause",
        "worker.drain" => "drained a worker",
        "worker.resume" => "resumed a worker",
        "worker.forget" => "forgot a worker",
        "account.token" => "made a token for a program of",
        "account.token_revoked" => "revoked a token of",
        "token.issue" => "made a worker's token",
        "token.revoke" => "revoked a worker's token",
        "account.add" => "added a person",
        "account.change" => "changed an account",
        "account.place" => "changed a label or seat",
        "account.password" => "made a new password",
        "account.sign_out" => "signed somebody out",
        "account.stay" => "kept somebody signed in",
        "account.link" => "made a sign-in link",
        "browser_files.accept" => "accepted a script of custom nodes",
        "browser_files.refuse" => "refused a script of custom nodes",
        _ => "did",
    }
}

/// How it was or is, for people; what the log says in words stays as it is.
fn said(what: &str, text: &str) -> String {
    let parts = match what {
        "account.place" => text.strip_prefix("label=").and_then(|place| place.rsplit_once(" seat=")),
        "queue.change" | "caps.change" => text.split_once('='),
        _ => None,
    };
    let Some((name, value)) = parts else { return text.to_owned() };
    match (what, name, value) {
        ("account.place", "", "") => "none".to_owned(),
        ("account.place", label, "") => label.to_owned(),
        ("account.place", "", seat) => format!("seat {seat}"),
        ("account.place", label, seat) => format!("{label}, seat {seat}"),
        _ => setting(name, value),
    }
}

fn setting(name: &str, value: &str) -> String {
    let on = value == "1";
    match name {
        "paused" => if on { "paused" } else { "not paused" }.to_owned(),
        "one_each" => if on { "one job each" } else { "more than one job each" }.to_owned(),
        "mode" => mode(value.parse().unwrap_or(Mode::Fifo)).to_owned(),
        "price_per_hour" => value.parse().map_or_else(|_| "no price".to_owned(), money),
        _ if value.is_empty() => format!("{}: as usual", name.replace('_', " ")),
        _ => format!("{}: {value}", name.replace('_', " ")),
    }
}

impl Entry {
    fn of(entry: &AuditEntry, hide_names: bool) -> Self {
        let said = |text: &str| match entry.what.as_str() {
            "account.place" if hide_names => "hidden".to_owned(),
            what => said(what, text),
        };
        let link = match entry.what.split('.').next() {
            Some("job") => format!("/job/{}", entry.target),
            Some("account") => format!("/person/{}", entry.target),
            Some("worker") => format!("/workers#{}", entry.target),
            _ => String::new(),
        };
        Self {
            at: entry.at,
            time: times::utc(entry.at),
            who: entry.who.to_string(),
            what: words(&entry.what),
            code: entry.what.clone(),
            target: if link.starts_with("/job/") { short(&entry.target) } else { entry.target.clone() },
            link,
            before: said(&entry.before),
            after: said(&entry.after),
        }
    }
}

pub(crate) async fn page(
    State(api): State<Api>,
    layout: Layout,
    Visitor(token): Visitor,
    Query(page): Query<Page>,
) -> Result<Response, Failed> {
    let cursor = page.cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
    let log: AuditLog = layout.or(api.get(&token, &format!("/audit?limit=100{cursor}")).await)?;
    Ok(render(&AuditPage {
        entries: log.entries.iter().map(|entry| Entry::of(entry, layout.look.hide_names)).collect(),
        next: log.cursor.map(|cursor| cursor.to_string()).unwrap_or_default(),
        layout,
    }))
}

/// The whole log as a file.
pub(super) async fn export(api: &Api, token: &str, csv: bool) -> Result<Response, ClientError> {
    let (mut entries, mut cursor) = (Vec::new(), String::new());
    loop {
        let log: AuditLog = api.get(token, &format!("/audit?limit=1000{cursor}")).await?;
        entries.extend(log.entries);
        match log.cursor {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    if !csv {
        let text = serde_json::to_string(&entries).unwrap_or_default();
        return Ok(export::file("audit.json", export::JSON, text));
    }
    let mut text = export::line(["id", "time", "who", "what", "target", "before", "after"]);
    for entry in &entries {
        let (id, time) = (entry.id.to_string(), times::machine(entry.at));
        let who = entry.who.as_str();
        text += &export::line([&id, &time, who, &entry.what, &entry.target, &entry.before, &entry.after]);
    }
    Ok(export::file("audit.csv", export::CSV, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_and_seats_are_said_in_words_and_other_texts_as_they_were_written() {
        let set = |text: &str| said("queue.change", text);
        assert_eq!([set("paused="), set("paused=1")], ["not paused", "paused"]);
        assert_eq!([set("mode="), set("mode=fair")], ["first come, first served", "by GPU time used"]);
        assert_eq!([set("price_per_hour="), set("price_per_hour=150")], ["no price", "1.50"]);
        assert_eq!(said("caps.change", "waiting_per_participant=7"), "waiting per participant: 7");
        let places = ["label= seat=", "label=Eve seat=", "label= seat=4", "label=Eve C. seat=4"];
        let places = places.map(|text| said("account.place", text)).join("; ");
        assert_eq!(places, "none; Eve; seat 4; Eve C., seat 4");
        assert_eq!(said("message.send", "paused=1"), "paused=1");
    }
}
