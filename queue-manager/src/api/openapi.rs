//! The description of the API in OpenAPI 3.1, made from the table of routes and the shapes they name.

use axum::Json;
use schemars::generate::SchemaSettings;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::table::{Needs, Row, Who, rows};

pub(crate) async fn document() -> Json<Value> {
    Json(describe(&rows()))
}

/// What every error answers; `code` is its stable word.
fn meaning(status: u16) -> &'static str {
    match status {
        400 => "The request cannot be understood, or the workflow not be accepted.",
        401 => "Nobody is signed in, or the password is wrong.",
        403 => "Only the instructor may, the token was made for less, or the request came from another site.",
        404 => "There is no such thing, or it is somebody else's.",
        405 => "There is no such method here.",
        409 => "Not in the state it is in now.",
        413 => "The body is larger than the limit.",
        415 => "The body does not say that it is JSON.",
        426 => "A websocket is needed.",
        429 => "Too often, or a cap is reached; Retry-After says when to come back.",
        503 => "The queue store is not answering; say it again in a moment.",
        507 => "There is no room to store it; nothing was stored.",
        _ => "Something went wrong on our side.",
    }
}

/// Every status but the good one that a route may answer.
fn errors(row: &Row) -> Vec<u16> {
    let mut statuses = vec![400, 500, 503];
    statuses.extend_from_slice(row.also);
    if row.who != Who::Anyone {
        statuses.extend([401, 403, 429]);
    }
    if row.method != http::Method::GET {
        statuses.push(403);
    }
    if row.path.contains('{') || row.query.is_some() || row.path == "/messages" {
        statuses.push(404);
    }
    if row.method != http::Method::GET {
        statuses.extend([409, 413, 429, 507]);
    }
    if row.body.is_some() {
        statuses.push(415);
    }
    statuses.sort_unstable();
    statuses.dedup();
    statuses.retain(|status| *status >= 400);
    statuses
}

fn parameters(row: &Row, generator: &mut SchemaGenerator) -> Vec<Value> {
    let in_path = row.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let mut all: Vec<Value> = in_path
        .map(|name| {
            if name == "cause" {
                return json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}});
            }
            let schema = match name {
                "n" => json!({"type": "integer", "minimum": 0}),
                "id" => generator.subschema_for::<queue_protocol::JobId>().to_value(),
                "worker" => generator.subschema_for::<queue_protocol::WorkerName>().to_value(),
                "hash" => generator.subschema_for::<queue_protocol::FileHash>().to_value(),
                "token" | "session" => generator.subschema_for::<queue_protocol::TokenId>().to_value(),
                _ => generator.subschema_for::<queue_protocol::AccountName>().to_value(),
            };
            json!({"name": name, "in": "path", "required": true, "schema": schema})
        })
        .collect();
    let query = row.query.map(|query| resolve(query(generator), generator)).unwrap_or_default();
    for (name, mut schema) in query.get("properties").and_then(Value::as_object).cloned().unwrap_or_default()
    {
        not_null(&mut schema);
        all.push(json!({"name": name, "in": "query", "schema": schema}));
    }
    all
}

/// A query has no null: what is optional is left out.
fn not_null(schema: &mut Value) {
    if let Some(choices) = schema.get("anyOf").and_then(Value::as_array) {
        let real: Vec<_> = choices.iter().filter(|choice| choice["type"] != "null").cloned().collect();
        if let [one] = real.as_slice() {
            *schema = one.clone();
        }
    }
    if let Some(Value::Array(types)) = schema.get("type").cloned() {
        schema["type"] = types.into_iter().find(|kind| kind != "null").unwrap_or(Value::Null);
    }
    if let Some(object) = schema.as_object_mut() {
        object.remove("default");
    }
}

fn resolve(schema: Schema, generator: &SchemaGenerator) -> Value {
    let schema = schema.to_value();
    let name = schema["$ref"].as_str().and_then(|reference| reference.rsplit('/').next()).map(str::to_owned);
    name.and_then(|name| generator.definitions().get(&name).cloned()).unwrap_or(schema)
}

fn operation(row: &Row, generator: &mut SchemaGenerator) -> Value {
    let mut responses = Map::new();
    let (status, shape) = &row.answers;
    let good = match (shape, row.kind) {
        (Some(shape), kind) => {
            json!({"description": "Done.", "content": {kind: {"schema": shape(generator)}}})
        }
        (None, "application/json" | "") => json!({"description": "Done."}),
        (None, kind) => json!({"description": "Done.", "content": {kind: {}}}),
    };
    for status in row.also.iter().filter(|status| **status < 300) {
        responses.insert(status.to_string(), good.clone());
    }
    responses.insert(status.to_string(), good);
    for status in errors(row) {
        let problem = json!({"$ref": "#/components/schemas/Problem"});
        let content = json!({"application/problem+json": {"schema": problem}});
        responses.insert(status.to_string(), json!({"description": meaning(status), "content": content}));
    }
    let who = match row.who {
        Who::Anyone => "Anyone.",
        Who::Account => "Everyone who is signed in: their own; the instructor: everyone's.",
        Who::Instructor => "The instructor.",
    };
    let with = match row.needs() {
        _ if row.who == Who::Anyone => String::new(),
        Needs::Scope(scope) => format!(" With a token: one for `{}`.", scope.word()),
        Needs::InPerson => " Not with a token.".to_owned(),
    };
    let words = row.path.replace(['{', '}'], "").replace('/', "_");
    let mut operation = json!({
        "operationId": format!("{}{words}", row.method.as_str().to_lowercase()),
        "summary": row.says,
        "description": format!("Who may: {who}{with}"),
        "parameters": parameters(row, generator),
        "responses": responses,
        "security": if row.who == Who::Anyone { json!([]) } else { json!([{"bearer": []}, {"basic": []}, {"cookie": []}]) },
    });
    if let Some(body) = row.body {
        let schema = body(generator);
        // A body whose every field may be left out may be left out itself.
        let required = resolve(schema.clone(), generator).get("required").is_some();
        let content = json!({"application/json": {"schema": schema}});
        operation["requestBody"] = json!({"required": required, "content": content});
    }
    operation
}

/// The whole description.
#[must_use]
pub fn describe(rows: &[Row]) -> Value {
    let mut settings = SchemaSettings::draft2020_12();
    settings.definitions_path = "/components/schemas".into();
    settings.meta_schema = None;
    let mut generator = settings.into_generator();
    generator.subschema_for::<queue_protocol::api::Problem>();
    let mut paths = Map::new();
    for row in rows {
        let path = paths.entry(format!("/api/v1{}", row.path)).or_insert_with(|| json!({}));
        path[row.method.as_str().to_lowercase()] = operation(row, &mut generator);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Atelier",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Jobs of a ComfyUI workshop: submit, watch, steer. Errors are application/problem+json.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "The token of POST /api/v1/session, or one of POST /api/v1/account/tokens."},
                "basic": {"type": "http", "scheme": "basic"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "atelier",
                    "description": "A browser's session; `__Host-atelier` behind https."},
            },
        },
    })
}
