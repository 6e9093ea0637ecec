//! Holding what a seat answered and told against the recording.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::capture::{Exchange, Frame, Seen};
use super::shape;

/// One difference: of which route or message, what, and both sides in full for whoever reads a failure.
#[derive(Debug)]
pub(super) struct Difference {
    pub(super) route: String,
    pub(super) what: String,
    pub(super) detail: String,
}

/// Everything in which the seat is not the recording.
pub(super) fn differences(theirs: &Seen, ours: &Seen) -> Vec<Difference> {
    let mut found = Vec::new();
    assert_eq!(theirs.exchanges.len(), ours.exchanges.len());
    // The recorded server had run other scenarios before.
    let submitted =
        |exchange: &Exchange| exchange.json.as_ref()?["prompt_id"].as_str().map(ToOwned::to_owned);
    let jobs: BTreeSet<_> = theirs.exchanges.iter().filter_map(submitted).collect();
    for (theirs, ours) in theirs.exchanges.iter().zip(&ours.exchanges) {
        found.extend(of_an_answer(theirs, ours, &jobs));
    }
    for (name, frames) in &theirs.streams {
        found.extend(of_a_stream(frames, ours.streams.get(name).map(Vec::as_slice).unwrap_or_default()));
    }
    found.extend(of_messages(theirs, ours));
    found
}

/// A route as the table names it: ids left out, and what is asked of a file or a list.
fn route(exchange: &Exchange) -> String {
    let path = exchange.path.split('?').next().unwrap();
    let segments = path.split('/').map(|segment| if segment.len() == 36 { "{id}" } else { segment });
    format!("{} {}", exchange.method, segments.collect::<Vec<_>>().join("/"))
}

/// The jobs of this scenario that an answer lists, and the answer with no others in it: first one's own, then those that the
/// other answer lists as well.
fn listed(answer: &Value, jobs: &BTreeSet<String>) -> (BTreeSet<String>, Value) {
    let mut answer = answer.clone();
    let mut found = BTreeSet::new();
    if let Some(list) = answer.get_mut("jobs").and_then(Value::as_array_mut) {
        list.retain(|job| job["id"].as_str().is_some_and(|id| jobs.contains(id)));
        found.extend(list.iter().filter_map(|job| job["id"].as_str().map(ToOwned::to_owned)));
    } else if let Some(entries) = answer.as_object_mut() {
        entries.retain(|id, _| id.len() != 36 || jobs.contains(id));
        found.extend(entries.keys().filter(|id| id.len() == 36).cloned());
    }
    (found, answer)
}

fn of_an_answer(theirs: &Exchange, ours: &Exchange, jobs: &BTreeSet<String>) -> Vec<Difference> {
    let (asked, mut what) = (&theirs.path, Vec::new());
    if theirs.status != ours.status {
        what.push(format!("{}, not {}", ours.status, theirs.status));
    }
    if theirs.kind != ours.kind {
        let word = |kind: &str| if kind.is_empty() { "nothing".to_owned() } else { kind.to_owned() };
        what.push(format!("{}, not {}", word(&ours.kind), word(&theirs.kind)));
    }
    if let (Some(theirs), Some(ours)) = (&theirs.json, &ours.json) {
        let (told, heard) = (listed(theirs, jobs).0, listed(ours, jobs).0);
        // A page of a longer list has other jobs on it.
        let is_page = ["max_items=", "limit="].iter().any(|word| asked.contains(word));
        if told != heard && !is_page {
            what.push(format!("lists {} jobs, not {}", heard.len(), told.len()));
        }
        let both = told.intersection(&heard).cloned().collect();
        let (theirs, ours) = (listed(theirs, &both).1, listed(ours, &both).1);
        what.extend(shape::differences(&shape::of([&theirs]), &shape::of([&ours])));
    }
    let detail =
        || format!("{} {}\n  theirs {:?}\n  ours   {:?}", theirs.method, theirs.path, theirs.json, ours.json);
    what.into_iter().map(|what| Difference { route: route(theirs), what, detail: detail() }).collect()
}

/// What one websocket was told of each job, in order.
fn of_a_stream(theirs: &[Frame], ours: &[Frame]) -> Vec<Difference> {
    let (told, heard) = (stories(theirs), stories(ours));
    let jobs: BTreeSet<_> = told.keys().chain(heard.keys()).collect();
    let mut found = Vec::new();
    for job in jobs {
        let (told, heard) = (told.get(job), heard.get(job));
        if told != heard {
            let what = match (told, heard) {
                (Some(_), None) => "tells nothing of a job",
                (None, Some(_)) => "tells of a job from its start",
                _ => "another order",
            };
            let detail = format!("{job}\n  theirs {told:?}\n  ours   {heard:?}");
            found.push(Difference { route: "ws".to_owned(), what: what.to_owned(), detail });
        }
    }
    let events = |frames: &[Frame]| -> BTreeSet<u32> {
        frames
            .iter()
            .filter_map(|frame| if let Frame::Binary(event) = frame { Some(*event) } else { None })
            .collect()
    };
    let (told, heard) = (events(theirs), events(ours));
    if told != heard {
        let what = format!("binary {heard:?}, not {told:?}");
        found.push(Difference { route: "ws".to_owned(), what, detail: String::new() });
    }
    found
}

/// Job → its messages. Progress is left out: of that the newest wins.
pub(super) fn stories(frames: &[Frame]) -> BTreeMap<String, Vec<String>> {
    let mut stories = BTreeMap::<String, Vec<String>>::new();
    for frame in frames {
        let Frame::Text(json) = frame else { continue };
        let (kind, data) = (json["type"].as_str().unwrap(), &json["data"]);
        let Some(job) = data["prompt_id"].as_str().filter(|_| !kind.starts_with("progress")) else {
            continue;
        };
        let word = match kind {
            "executing" | "executed" => format!("{kind} {}", data["node"]),
            "execution_cached" => format!("cached {}", data["nodes"]),
            "execution_error" => format!("error in {} {}", data["node_id"], data["exception_type"]),
            "execution_interrupted" => format!("interrupted in {}", data["node_id"]),
            other => other.to_owned(),
        };
        stories.entry(job.to_owned()).or_default().push(word);
    }
    stories
}

/// The shape of each kind of message.
fn of_messages(theirs: &Seen, ours: &Seen) -> Vec<Difference> {
    let (told, heard) = (messages(theirs), messages(ours));
    let mut found = Vec::new();
    let mut put = |kind: &str, what: String, detail: String| {
        found.push(Difference { route: format!("ws {kind}"), what, detail });
    };
    for (kind, theirs) in &told {
        match heard.get(kind) {
            Some(ours) => {
                let (shape, our_shape) = (shape::of(theirs.iter().copied()), shape::of(ours.iter().copied()));
                for what in shape::differences(&shape, &our_shape) {
                    put(kind, what, format!("  theirs {}\n  ours   {}", theirs[0], ours[0]));
                }
            }
            None => put(kind, "never".to_owned(), theirs[0].to_string()),
        }
    }
    // How far a job came before it was stopped depends on luck.
    let fresh = heard.iter().filter(|(kind, _)| !told.contains_key(*kind) && !kind.starts_with("progress"));
    for (kind, ours) in fresh {
        put(kind, "new".to_owned(), ours[0].to_string());
    }
    found
}

fn messages(seen: &Seen) -> BTreeMap<String, Vec<&Value>> {
    let mut messages = BTreeMap::<String, Vec<&Value>>::new();
    for stream in seen.streams.values() {
        for (at, frame) in stream.iter().enumerate() {
            let Frame::Text(json) = frame else { continue };
            let (kind, data) = (json["type"].as_str().unwrap(), &json["data"]);
            let form = match kind {
                // The greeting has the socket's own id, and `executing` three forms.
                "status" if at == 0 => " at first",
                "executing" if data["node"].is_null() => " at the end",
                "executing" if data["prompt_id"].is_null() => " again",
                _ => "",
            };
            messages.entry(format!("{kind}{form}")).or_default().push(json);
        }
    }
    messages
}
