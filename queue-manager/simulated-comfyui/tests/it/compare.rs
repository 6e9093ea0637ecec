//! Holding a simulation's recording against the capture it replayed.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::differences::{field_may_differ, is_not_asked, may_be_longer, may_have_other_entries};
use crate::files::decode;
use crate::recording::{Body, Exchange, Frame, Recording};

/// Posts whose answers are compared to the letter, but for ids and numbers; of others, the fields and their types.
const EXACT: &[&str] = &["/prompt", "/upload", "/api/jobs"];

const HEADERS: &[&str] = &["content-type", "content-disposition", "x-content-type-options", "content-range"];

/// Fails on any difference that is not meant.
pub(crate) fn assert_alike(name: &str, captured: &Recording, live: &Recording, statuses_race: bool) {
    let asked: Vec<&Exchange> =
        captured.exchanges.iter().filter(|exchange| !is_not_asked(exchange)).collect();
    assert_eq!(asked.len(), live.exchanges.len());
    for (captured, live) in asked.into_iter().zip(&live.exchanges) {
        assert_answers_alike(captured, live);
    }
    for (socket, frames) in &captured.streams {
        let ours = &live.streams[socket];
        let (mut theirs_told, mut ours_told) = (story(frames), story(ours));
        if may_be_longer(name, socket) {
            theirs_told.pop_if(|last| last.starts_with("step "));
            ours_told.truncate(theirs_told.len());
        }
        assert_eq!(ours_told, theirs_told, "what {socket} was told");
        if !statuses_race && !may_be_longer(name, socket) {
            assert_eq!(statuses(ours), statuses(frames), "the queue lengths that {socket} was told");
        }
    }
    let (theirs, ours) = (frame_shapes(captured), frame_shapes(live));
    for (kind, shape) in &theirs {
        if let Some(ours) = ours.get(kind) {
            assert_shapes_alike(kind, shape, ours, false);
        }
    }
}

fn assert_answers_alike(captured: &Exchange, live: &Exchange) {
    let title = captured.title();
    assert_eq!(live.status, captured.status, "{title}: status, answered {:?}", live.body);
    for header in HEADERS {
        // The length behind the slash of a Content-Range is the compressor's.
        let value = |exchange: &Exchange| {
            exchange.headers.get(*header).map(|value| match value.strip_prefix("bytes ") {
                Some(range) => range.split('/').next().unwrap().to_owned(),
                None => value.clone(),
            })
        };
        assert_eq!(value(live), value(captured), "{title}: header {header}");
    }
    match (&captured.body, &live.body) {
        (Body::Json(captured_json), Body::Json(live_json)) => {
            let path = captured.path();
            let posted =
                captured.request["method"] == "POST" && EXACT.iter().any(|start| path.starts_with(start));
            if posted || path.starts_with("/models") {
                assert_eq!(comparable(live_json), comparable(captured_json), "{title}");
            }
            let others = may_have_other_entries(captured);
            assert_shapes_alike(&title, &shape(captured_json), &shape(live_json), others);
        }
        (Body::Bytes(theirs), Body::Bytes(ours)) if captured.status == 200 && is_png(captured) => {
            // HEAD has the headers only.
            if captured.request["method"] == "GET" {
                assert_eq!(decode(ours), decode(theirs), "{title}");
            }
        }
        (theirs, ours) => assert_eq!(ours, theirs, "{title}"),
    }
}

fn is_png(exchange: &Exchange) -> bool {
    exchange.headers.get("content-type").is_some_and(|kind| kind == "image/png")
}

/// Without what changes from run to run or is meant to differ.
fn comparable(value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .iter()
            .filter(|(name, _)| !field_may_differ(name) && *name != "number")
            .map(|(name, field)| {
                let mut field = comparable(field);
                if name == "dependent_outputs" {
                    field.as_array_mut().unwrap().sort_by_key(ToString::to_string);
                }
                (name.clone(), field)
            })
            .collect(),
        Value::Array(items) => items.iter().map(comparable).collect(),
        other => other.clone(),
    }
}

type Shape = BTreeMap<String, BTreeSet<&'static str>>;

/// Every field's path with the types seen there; ids in paths and positions in lists count as one.
fn shape(value: &Value) -> Shape {
    let mut shape = Shape::new();
    add_shape("", value, &mut shape);
    shape
}

fn add_shape(path: &str, value: &Value, shape: &mut Shape) {
    let kind = match value {
        Value::Null => return,
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "text",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    };
    shape.entry(path.to_owned()).or_default().insert(kind);
    match value {
        Value::Array(items) => items.iter().for_each(|item| add_shape(&format!("{path}/[]"), item, shape)),
        Value::Object(fields) => {
            for (name, field) in fields {
                // The inputs of a graph are the client's own.
                if field_may_differ(name) || path.ends_with("/inputs") {
                    continue;
                }
                let is_id = name.len() == 36 || name.bytes().all(|byte| byte.is_ascii_digit());
                let name = if is_id { "{}" } else { name };
                add_shape(&format!("{path}/{name}"), field, shape);
            }
        }
        _ => {}
    }
}

/// Fails on a field that one side lacks although it has the object around it; `others` says that the lists hold other
/// entries, of which only the types of common fields can be compared.
fn assert_shapes_alike(what: &str, theirs: &Shape, ours: &Shape, others: bool) {
    let lacking = |one: &Shape, other: &Shape| -> Vec<String> {
        let missing = one.keys().filter(|path| {
            let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
            let name = path.rsplit_once('/').map_or("", |(_, name)| name);
            !other.contains_key(*path) && other.contains_key(parent) && name != "[]" && name != "{}"
        });
        missing.cloned().collect()
    };
    if !others {
        let none = Vec::<String>::new();
        assert_eq!(lacking(ours, theirs), none, "{what}: fields that the real server does not have");
        assert_eq!(lacking(theirs, ours), none, "{what}: fields that are missing");
    }
    for (path, kinds) in theirs {
        if let Some(ours) = ours.get(path) {
            assert!(ours.is_subset(kinds) || others, "{what}: {path} is {ours:?}, not {kinds:?}");
        }
    }
}

fn frame_shapes(recording: &Recording) -> BTreeMap<String, Shape> {
    let mut shapes = BTreeMap::<String, Shape>::new();
    for frame in recording.streams.values().flatten() {
        // The end of a job and the greeting of a client that comes back have their own forms of `executing`.
        let node = if frame.kind() == "executing" { frame.data()["prompt_id"].is_null() } else { false };
        let kind = format!("{}{}{}", frame.kind(), if node { " again" } else { "" }, frame.ends_a_job());
        for (path, kinds) in shape(frame.data()) {
            shapes.entry(kind.clone()).or_default().entry(path).or_default().extend(kinds);
        }
    }
    shapes
}

/// The queue lengths that a socket was told, one after the other.
fn statuses(frames: &[Frame]) -> Vec<u64> {
    let statuses = frames.iter().filter(|frame| frame.kind() == "status");
    statuses.map(|frame| frame.data()["status"]["exec_info"]["queue_remaining"].as_u64().unwrap()).collect()
}

/// What a socket was told of jobs, in order; any number of a sampler's steps is one word.
fn story(frames: &[Frame]) -> Vec<String> {
    let mut story: Vec<String> = Vec::new();
    for frame in frames {
        let data = frame.data();
        let node = data["node"].as_str().unwrap_or("none");
        let kind = frame.kind();
        let word = match kind.as_str() {
            "status" | "feature_flags" => continue,
            "executing" => format!("executing {node}"),
            "executed" => format!("executed {node} {}", data["output"]),
            "execution_cached" => format!("cached {}", data["nodes"]),
            "execution_error" => format!("error in {} {}", data["node_id"], data["exception_type"]),
            "execution_interrupted" => format!("interrupted in {} {}", data["node_id"], data["executed"]),
            "progress_state" => states(data),
            "progress" => {
                let preview = story.pop_if(|last| last.starts_with("binary"));
                story.pop_if(|last| last.starts_with("states"));
                format!("step {node} {}", preview.unwrap_or_default())
            }
            _ => kind,
        };
        if word.starts_with("interrupted") {
            // How far the sampler came by then depends on luck.
            while story.pop_if(|last| last.starts_with("step ") || last.starts_with("states")).is_some() {}
        }
        if story.last() != Some(&word) {
            story.push(word);
        }
    }
    story
}

fn states(data: &Value) -> String {
    let nodes = data["nodes"].as_object().unwrap();
    let states = nodes.iter().map(|(id, node)| format!("{id} {}", node["state"].as_str().unwrap()));
    format!("states {}", states.collect::<Vec<_>>().join(", "))
}
