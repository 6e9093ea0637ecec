//! A recorded conversation with a real ComfyUI: its lines, and what its answers and messages were.

use std::collections::BTreeMap;

use serde_json::Value;
use testkit::process::repository;

/// A request and its answer.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) method: String,
    /// As the recording has it.
    pub(super) path: String,
    pub(super) status: u16,
    /// Without parameters; empty for none.
    pub(super) kind: String,
    /// `None` for what is no JSON.
    pub(super) json: Option<Value>,
}

/// A websocket message.
#[derive(Debug, Clone)]
pub(super) enum Frame {
    Text(Value),
    /// Its event number.
    Binary(u32),
}

/// What was seen, in either place.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) exchanges: Vec<Exchange>,
    /// By the name that the recording gives the websocket.
    pub(super) streams: BTreeMap<String, Vec<Frame>>,
}

/// The lines of one recording.
pub(super) fn lines(name: &str) -> Vec<Value> {
    let folder = repository().join("queue-manager/simulated-comfyui/captures");
    let text = std::fs::read_to_string(folder.join(format!("{name}.jsonl"))).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What the recording saw.
pub(super) fn seen(lines: &[Value]) -> Seen {
    let mut seen = Seen::default();
    for line in lines {
        let stream = seen.streams.entry(line["client"].as_str().unwrap_or_default().to_owned());
        match line["kind"].as_str().unwrap() {
            "ws_text" => stream.or_default().push(Frame::Text(line["json"].clone())),
            "ws_binary" => {
                let event = u32::try_from(line["event"].as_u64().unwrap()).unwrap();
                stream.or_default().push(Frame::Binary(event));
            }
            "http" => seen.exchanges.push(exchange(line)),
            _ => {}
        }
    }
    seen
}

fn exchange(line: &Value) -> Exchange {
    let (request, response) = (&line["request"], &line["response"]);
    let headers = response["headers"].as_object().unwrap();
    let kind = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    Exchange {
        method: text(&request["method"]),
        path: text(&request["path"]),
        status: response["status"].as_u64().unwrap().try_into().unwrap(),
        kind: kind.map(|(_, kind)| essence(kind.as_str().unwrap())).unwrap_or_default(),
        json: response.get("json").cloned(),
    }
}

/// A content type without its parameters.
pub(super) fn essence(kind: &str) -> String {
    kind.split(';').next().unwrap().trim().to_owned()
}
