//! What a container has that no GPU has: its own node classes, marked so, the scripts of its page, and its example workflows.

use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use axum::http::uri::PathAndQuery;
use http_body_util::{BodyExt, Limited};
use queue_protocol::AccountName;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::Containers;
use crate::workflow::depth::has_more_values;

/// A tab waits for both lists at its start.
const PATIENCE: Duration = Duration::from_secs(10);
/// A thousand nodes are about 2 MB.
const LARGEST: usize = 8 * 1024 * 1024;
/// And have some 60,000 values. Each takes a multiple of its bytes in memory.
const VALUES: usize = 250_000;

const MARK: &str = "on no GPU";
const WHY: &str =
    "No connected GPU has this node: workflows that use it are refused. Ask your instructor to add it there.";

/// Adds the container's own node classes to those of the workers, where the participant has a container and it answers.
pub(in crate::seat) async fn add_nodes(
    containers: &Containers,
    participant: &AccountName,
    nodes: &mut Map<String, Value>,
) {
    let Some(own) = ask::<Map<String, Value>>(containers, participant, "/object_info").await else { return };
    for (class, about) in own {
        if !nodes.contains_key(&class) {
            nodes.insert(class.clone(), marked(&class, about));
        }
    }
}

/// The scripts that the container's page is to load.
pub(in crate::seat) async fn scripts(containers: &Containers, participant: &AccountName) -> Vec<String> {
    ask(containers, participant, "/extensions").await.unwrap_or_default()
}

/// The example workflows of the container's node packs: pack and names.
pub(in crate::seat) async fn templates(
    containers: &Containers,
    participant: &AccountName,
) -> Map<String, Value> {
    ask(containers, participant, "/workflow_templates").await.unwrap_or_default()
}

fn marked(class: &str, mut about: Value) -> Value {
    let name = about["display_name"].as_str().filter(|name| !name.is_empty()).unwrap_or(class).to_owned();
    let text = about["description"].as_str().unwrap_or_default().to_owned();
    if let Some(about) = about.as_object_mut() {
        about.insert("display_name".to_owned(), format!("{name} ({MARK})").into());
        about.insert("description".to_owned(), format!("{WHY} {text}").trim().into());
    }
    about
}

/// What the container answers; `None` when it does not, or with something else.
pub(super) async fn ask<T: DeserializeOwned>(
    containers: &Containers,
    participant: &AccountName,
    path: &'static str,
) -> Option<T> {
    let address = containers.address(participant, &PathAndQuery::from_static(path))?;
    let request = Request::get(address).body(Body::empty()).ok()?;
    let answer = async {
        let body = containers.client.request(request).await.ok()?.into_body();
        let bytes = Limited::new(body, LARGEST).collect().await.ok()?.to_bytes();
        if has_more_values(&bytes, VALUES) {
            return None;
        }
        serde_json::from_slice(&bytes).ok()
    };
    let answer = tokio::time::timeout(PATIENCE, answer).await.ok().flatten();
    if answer.is_none() {
        tracing::warn!(path, participant.id = %participant, "a participant's container did not say what it has");
    }
    answer
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_node_that_no_gpu_has_says_so() {
        let node = marked("Mine", json!({"display_name": "My node", "description": "Does it.", "input": {}}));
        assert_eq!(node["display_name"], "My node (on no GPU)");
        assert!(node["description"].as_str().unwrap().ends_with("Does it."));
        assert_eq!(marked("Mine", json!({}))["display_name"], "Mine (on no GPU)");
    }
}
