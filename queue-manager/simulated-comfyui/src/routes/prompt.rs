//! `/prompt`: submitting, and how much is left.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::{Map, Number, Value, json};
use uuid::Uuid;

use crate::clock::now_ms;
use crate::queue::Prompt;
use crate::reply;
use crate::server::Simulator;
use crate::validation::{Refused, validate};

/// Keys of `extra_data` that never show up again.
const SENSITIVE: [&str; 2] = ["auth_token_comfy_org", "api_key_comfy_org"];

/// `GET /prompt`
pub(crate) async fn remaining(State(simulator): State<Arc<Simulator>>) -> Response {
    reply::json(&json!({"exec_info": {"queue_remaining": simulator.queue.remaining()}}))
}

/// `POST /prompt`
pub(crate) async fn submit(
    State(simulator): State<Arc<Simulator>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let body = match reply::parse(&body) {
        Ok(body) if body.is_object() || body.is_array() || body.is_string() => body,
        Ok(_) => return reply::trouble(),
        Err(response) => return response,
    };
    let Some(number) = number(&simulator, &body) else {
        return reply::trouble();
    };
    let graph = match body.get("prompt") {
        None => return refuse(&no_prompt()),
        Some(Value::Object(graph)) => graph.clone(),
        Some(_) => return reply::trouble(),
    };
    let Some(id) = prompt_id(&body) else {
        return refuse(&invalid_prompt_id());
    };
    let targets = targets(&body);
    let accepted = match validate(graph, targets.as_deref(), &simulator.catalogue, &simulator.folder) {
        Ok(accepted) => accepted,
        Err(refused) => return refuse(&refused),
    };
    simulator.queue.put(Prompt {
        number: number.clone(),
        id: id.clone(),
        graph: accepted.graph,
        extra_data: extra_data(&body, &headers),
        keys: keys(&body),
        outputs: accepted.outputs,
    });
    reply::json(&json!({"prompt_id": id, "number": number, "node_errors": accepted.node_errors}))
}

/// The number as given, or the counter's, negative for the front; `None` if what was given is no number.
fn number(simulator: &Simulator, body: &Value) -> Option<Number> {
    if let Some(given) = body.get("number") {
        return Number::from_f64(given.as_f64()?);
    }
    let drawn = simulator.queue.draw_number();
    Some(if body["front"] == true { -drawn } else { drawn }.into())
}

/// The client's own id, if it is a UUID in its canonical form, or a fresh one.
fn prompt_id(body: &Value) -> Option<String> {
    match body.get("prompt_id") {
        None => Some(Uuid::new_v4().to_string()),
        Some(given) => {
            let given = given.as_str()?;
            let parsed = Uuid::try_parse(given).ok()?;
            (parsed.to_string() == given).then(|| given.to_owned())
        }
    }
}

fn targets(body: &Value) -> Option<Vec<String>> {
    let targets = body.get("partial_execution_targets")?.as_array()?;
    Some(targets.iter().filter_map(|target| target.as_str().map(str::to_owned)).collect())
}

fn extra_data(body: &Value, headers: &HeaderMap) -> Map<String, Value> {
    let mut extra = body["extra_data"].as_object().cloned().unwrap_or_default();
    if let Some(client) = body.get("client_id") {
        extra.insert("client_id".to_owned(), client.clone());
    }
    for key in SENSITIVE {
        extra.remove(key);
    }
    if let Some(source) = headers.get("comfy-usage-source").and_then(|source| source.to_str().ok()) {
        extra.insert("comfy_usage_source".to_owned(), source.into());
    }
    extra.insert("create_time".to_owned(), now_ms().into());
    extra
}

fn keys(body: &Value) -> Vec<String> {
    let key = |name: &&str| Some(format!("{name}={}", body["extra_data"][*name].as_str()?));
    SENSITIVE.iter().filter_map(key).collect()
}

fn refuse(refused: &Refused) -> Response {
    reply::json_status(StatusCode::BAD_REQUEST, &refused.0)
}

fn no_prompt() -> Refused {
    Refused::new("no_prompt", "No prompt provided", "No prompt provided", Value::Null)
}

fn invalid_prompt_id() -> Refused {
    let details = "prompt_id must be a UUID string in canonical lowercase hyphenated form; \
        omit it to let the server generate one";
    Refused::new("invalid_prompt_id", "prompt_id must be a valid UUID", details, Value::Null)
}
