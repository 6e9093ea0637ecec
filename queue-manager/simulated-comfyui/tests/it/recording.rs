//! What was seen of one scenario: requests with their answers, and what each websocket received.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;

/// What was seen of one scenario.
#[derive(Debug, Default)]
pub(crate) struct Recording {
    pub(crate) exchanges: Vec<Exchange>,
    /// By the name that the capture gives the socket.
    pub(crate) streams: BTreeMap<String, Vec<Frame>>,
}

/// A request and its answer.
#[derive(Debug, Clone)]
pub(crate) struct Exchange {
    pub(crate) request: Value,
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Body,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Body {
    Json(Value),
    Bytes(Vec<u8>),
}

#[derive(Debug, Clone)]
pub(crate) enum Frame {
    Text(Value),
    Binary(Vec<u8>),
}

impl Exchange {
    pub(crate) fn path(&self) -> &str {
        self.request["path"].as_str().unwrap()
    }

    pub(crate) fn is(&self, method: &str, path: &str) -> bool {
        self.request["method"] == method && self.path() == path
    }

    pub(crate) fn json(&self) -> &Value {
        match &self.body {
            Body::Json(value) => value,
            Body::Bytes(_) => panic!("{} answered no JSON", self.request),
        }
    }

    pub(crate) fn title(&self) -> String {
        format!("{} {}", self.request["method"].as_str().unwrap(), self.path())
    }
}

impl Frame {
    /// The event of a text frame, or the number of a binary one.
    pub(crate) fn kind(&self) -> String {
        match self {
            Self::Text(json) => json["type"].as_str().unwrap().to_owned(),
            Self::Binary(bytes) => format!("binary {}", bytes[3]),
        }
    }

    pub(crate) fn data(&self) -> &Value {
        match self {
            Self::Text(json) => &json["data"],
            Self::Binary(_) => &Value::Null,
        }
    }

    pub(crate) fn ends_a_job(&self) -> bool {
        self.kind() == "executing" && self.data()["node"].is_null()
    }
}

/// The lines of one capture.
pub(crate) fn capture(name: &str) -> Vec<Value> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("captures");
    let text = std::fs::read_to_string(folder.join(format!("{name}.jsonl"))).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What the capture saw.
pub(crate) fn captured(lines: &[Value]) -> Recording {
    let mut recording = Recording::default();
    for line in lines {
        let client = line["client"].as_str().unwrap_or_default().to_owned();
        match line["kind"].as_str().unwrap() {
            "ws_open" => {
                recording.streams.insert(client, Vec::new());
            }
            "ws_text" => recording.streams.get_mut(&client).unwrap().push(Frame::Text(line["json"].clone())),
            "ws_binary" => {
                let bytes = base64(line["base64"].as_str().unwrap());
                recording.streams.get_mut(&client).unwrap().push(Frame::Binary(bytes));
            }
            "http" => recording.exchanges.push(exchange(line)),
            _ => {}
        }
    }
    recording
}

fn exchange(line: &Value) -> Exchange {
    let response = &line["response"];
    let headers = response["headers"].as_object().unwrap();
    let body = match (response.get("json"), response["text"].as_str(), response["base64"].as_str()) {
        (Some(json), ..) => Body::Json(json.clone()),
        (_, Some(text), _) => Body::Bytes(text.into()),
        (.., data) => Body::Bytes(base64(data.unwrap_or_default())),
    };
    Exchange {
        request: line["request"].clone(),
        status: response["status"].as_u64().unwrap().try_into().unwrap(),
        headers: headers
            .iter()
            .map(|(name, value)| (name.to_lowercase(), value.as_str().unwrap().to_owned()))
            .collect(),
        body,
    }
}

/// Decodes base64, whole groups of four.
pub(crate) fn base64(text: &str) -> Vec<u8> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let mut bytes = Vec::new();
    for group in text.as_bytes().chunks_exact(4) {
        let bits = group.iter().fold(0u32, |bits, &byte| bits << 6 | u32::from(digit(byte)));
        let padding = group.rsplit(|&byte| byte != b'=').next().map_or(0, <[u8]>::len);
        bytes.extend_from_slice(&bits.to_be_bytes()[1..4 - padding]);
    }
    bytes
}
