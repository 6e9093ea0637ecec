//! Sending a captured request to the simulation, with its own names in it.

use reqwest::multipart::{Form, Part};
use reqwest::{Method, Response};
use serde_json::Value;

use crate::live::Live;
use crate::recording::base64;

/// Replaces every name once, from left to right.
pub(crate) fn rename(text: &str, names: &[(String, String)]) -> String {
    let mut renamed = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if let Some((from, to)) = names.iter().find(|(from, _)| rest.starts_with(from.as_str())) {
            renamed.push_str(to);
            rest = &rest[from.len()..];
        } else {
            renamed.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    renamed
}

pub(crate) async fn send(live: &Live, request: &Value) -> Response {
    let method: Method = request["method"].as_str().unwrap().parse().unwrap();
    let mut builder = live.http.request(method, live.url(request["path"].as_str().unwrap()));
    for (name, value) in request["headers"].as_object().into_iter().flatten() {
        builder = builder.header(name, value.as_str().unwrap());
    }
    if let Some(json) = request.get("json") {
        builder = builder.json(json);
    }
    if let Some(raw) = request["raw"].as_str() {
        builder = builder.body(raw.to_owned());
    }
    if let Some(parts) = request["multipart"].as_array() {
        builder = builder.multipart(parts.iter().fold(Form::new(), add_part));
    }
    builder.send().await.unwrap()
}

fn add_part(form: Form, part: &Value) -> Form {
    let name = part["name"].as_str().unwrap().to_owned();
    match part["filename"].as_str() {
        Some(file) => {
            // The capture's client wrote a slash in a file name as %2F, and the server takes names as they come.
            let bytes =
                Part::bytes(base64(part["base64"].as_str().unwrap())).file_name(file.replace('/', "%2F"));
            form.part(name, bytes)
        }
        None => form.text(name, part["value"].as_str().unwrap().to_owned()),
    }
}
