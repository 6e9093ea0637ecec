//! The cache, and the leak that a worker must defend against.

use std::time::Duration;

use serde_json::{Value, json};

use crate::files::{inverted, view};
use crate::live::{Live, Socket};

async fn run_as(live: &Live, socket: &Socket, graph: &Value) -> Value {
    let body = json!({"prompt": graph, "client_id": socket.client,
        "extra_data": {"extra_pnginfo": {"workflow": {"owner": socket.client}}}});
    let id = live.post_json("/prompt", &body).await["prompt_id"].as_str().unwrap().to_owned();
    socket.wait_for_end(&id).await;
    live.get_json(&format!("/history/{id}")).await[&id].clone()
}

async fn owner(live: &Live, entry: &Value) -> String {
    let saved = view(live, &entry["outputs"]["3"]["images"][0]).await;
    saved.texts.into_iter().find(|(name, _)| name == "workflow").unwrap().1
}

#[tokio::test]
async fn the_same_graph_from_another_person_hands_out_the_first_ones_file_and_workflow() {
    let live = Live::start(Duration::ZERO).await;
    let (ada, bob) = (live.socket("ada").await, live.socket("bob").await);
    run_as(&live, &ada, &inverted(1)).await;
    let entry = run_as(&live, &bob, &inverted(1)).await;
    assert_eq!(entry["status"]["messages"][1][1]["nodes"], json!(["1", "2", "3"]));
    assert_eq!(owner(&live, &entry).await, r#"{"owner": "ada"}"#);
    assert!(bob.kinds().contains(&"executed".to_owned()), "the old names are told again");
}

#[tokio::test]
async fn an_input_that_no_node_declares_keeps_people_apart_and_the_rest_cached() {
    let live = Live::start(Duration::ZERO).await;
    let (ada, bob) = (live.socket("ada").await, live.socket("bob").await);
    let marked = |owner: &str| {
        let mut graph = inverted(1);
        graph["3"]["inputs"]["atelier"] = owner.into();
        graph
    };
    run_as(&live, &ada, &marked("ada")).await;
    let entry = run_as(&live, &bob, &marked("bob")).await;
    assert_eq!(entry["status"]["messages"][1][1]["nodes"], json!(["1", "2"]));
    assert_eq!(owner(&live, &entry).await, r#"{"owner": "bob"}"#);
}

#[tokio::test]
async fn freeing_memory_empties_the_cache() {
    let live = Live::start(Duration::ZERO).await;
    let ada = live.socket("ada").await;
    run_as(&live, &ada, &inverted(1)).await;
    live.post("/free", &json!({"unload_models": true, "free_memory": true})).await;
    let entry = run_as(&live, &ada, &inverted(1)).await;
    assert_eq!(entry["status"]["messages"][1][1]["nodes"], json!([]));
}
