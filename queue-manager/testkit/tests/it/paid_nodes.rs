//! Keys of paid nodes: sealed while the job waits, told to the worker that runs it, and to nobody and nothing else.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::{Value, json};
use testkit::{Person, Workshop, WorkshopBuilder, graphs};

const CANARIES: [&str; 2] = ["canary-of-a-key", "canary \"of\" a token"];

fn with_keys(graph: &Value, client: &str) -> Value {
    let keys = json!({"api_key_comfy_org": CANARIES[0], "auth_token_comfy_org": CANARIES[1], "keep": 1});
    json!({"prompt": graph, "client_id": client, "extra_data": keys})
}

async fn submit(person: &Person, body: &Value) -> String {
    let answer: Value = person.post("/user001/prompt", body).await.unwrap().json().await.unwrap();
    answer["prompt_id"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
}

/// Every byte of every file beneath a folder.
fn bytes_in(folder: &Path, found: &mut Vec<u8>) {
    // Without a worker there is no cache.
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        match std::fs::metadata(&path) {
            Ok(about) if about.is_dir() => bytes_in(&path, found),
            Ok(about) if about.is_file() => found.extend(std::fs::read(&path).unwrap_or_default()),
            _ => {}
        }
    }
}

fn assert_nowhere(workshop: &Workshop, said: &str) {
    let mut everything = format!("{}{said}", workshop.logs()).into_bytes();
    bytes_in(&workshop.data(), &mut everything);
    bytes_in(&workshop.cache(), &mut everything);
    let text = String::from_utf8_lossy(&everything);
    // Any spelling: as it is, and as JSON has it.
    for canary in ["canary-of-a-key", "canary \"of", "canary \\\"of"] {
        assert!(!text.contains(canary), "{canary}");
    }
}

async fn sealed(workshop: &Workshop, id: &str) -> bool {
    workshop.redis(&["exists", &format!("{{workshop}}:sealed:{id}")]).await.unwrap().trim() == "1"
}

#[tokio::test]
async fn keys_reach_the_node_that_needs_them_and_nothing_that_is_kept_or_shown() {
    let workshop = WorkshopBuilder::new().start().await.unwrap();
    let ada = workshop.person("user001").unwrap();
    let mut tab = ada.tab(None).await.unwrap();
    let failing = graphs::misbehaving(graphs::white_picture(), "2", "fail");
    let id = submit(&ada, &with_keys(&failing, &tab.sid)).await;
    tab.hear_the_end(&id).await.unwrap();
    let told = tab.heard.iter().find(|message| message["type"] == "execution_error").unwrap();
    let message = told["data"]["exception_message"].as_str().unwrap();
    // The simulated node says what it was given: it was given both, and nobody else sees them.
    assert!(message.contains("with auth_token_comfy_org=*** api_key_comfy_org=***"), "{message}");
    assert!(!sealed(&workshop, &id).await, "they end with the job");
    let again: Value =
        ada.post(&format!("/api/v1/jobs/{id}/retry"), &json!({})).await.unwrap().json().await.unwrap();
    // None of its nodes asks for keys: without them it is the same.
    ada.wait_for(again["id"].as_str().unwrap_or_else(|| panic!("{again}")), "failed").await.unwrap();

    let id = submit(&ada, &with_keys(&graphs::white_picture(), &tab.sid)).await;
    let job = ada.wait_for(&id, "completed").await.unwrap();
    let mut said = format!("{:?}{job}", tab.heard);
    for path in [
        format!("history/{id}"),
        "history".to_owned(),
        format!("api/jobs/{id}"),
        "api/jobs".to_owned(),
        "queue".to_owned(),
    ] {
        said += &ada.get(&format!("/user001/{path}")).await.unwrap().text().await.unwrap();
    }
    assert!(said.contains("\"keep\":1"), "what else came with it is there");
    said += &String::from_utf8_lossy(&ada.picture(&job, 0).await.unwrap());
    assert_nowhere(&workshop, &said);
}

#[tokio::test]
async fn keys_wait_sealed_with_their_job_and_go_when_it_is_cancelled() {
    let workshop = WorkshopBuilder::new().workers(0).start().await.unwrap();
    let ada = workshop.person("user001").unwrap();
    let body = with_keys(&graphs::white_picture(), "tab");
    let id = submit(&ada, &body).await;
    assert!(sealed(&workshop, &id).await);
    let mode = std::fs::metadata(workshop.data().join("secret.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // The same click with a fresher key is the same job.
    let mut again = body.clone();
    again["prompt_id"] = json!("7f2c1b9e-0a55-4b7c-9f56-0e6c56b1f001");
    for key in ["first", "fresher"] {
        again["extra_data"]["api_key_comfy_org"] = json!(key);
        assert_eq!(ada.post("/user001/prompt", &again).await.unwrap().status(), 200);
    }
    assert_eq!(ada.json("/api/v1/jobs").await.unwrap()["jobs"].as_array().unwrap().len(), 2);
    assert_nowhere(&workshop, "");
    assert_eq!(ada.post("/user001/queue", &json!({"delete": [id]})).await.unwrap().status(), 200);
    assert!(!sealed(&workshop, &id).await);
}

#[tokio::test]
async fn a_job_that_may_need_its_keys_is_not_tried_again_without_them() {
    let mut workshop = WorkshopBuilder::new().workers(0).start().await.unwrap();
    let [ada, boss] = ["user001", "instructor"].map(|name| workshop.person(name).unwrap());
    // As long as no worker was there, nobody knows which nodes ask for them.
    let failing = graphs::misbehaving(graphs::white_picture(), "2", "fail");
    let id = submit(&ada, &with_keys(&failing, "tab")).await;
    workshop.add_worker(1, None).await.unwrap();
    ada.wait_for(&id, "failed").await.unwrap();
    let refused = ada.post(&format!("/api/v1/jobs/{id}/retry"), &json!({})).await.unwrap();
    assert_eq!(refused.status(), 409);
    let problem: Value = refused.json().await.unwrap();
    assert!(problem["detail"].as_str().unwrap().contains("Press Run in the tab"), "{problem}");
    let cause = boss.json("/api/v1/room").await.unwrap()["problems"][0]["id"].as_str().unwrap().to_owned();
    let done = boss.post(&format!("/api/v1/causes/{cause}/retry"), &json!({})).await.unwrap();
    assert_eq!(done.json::<Value>().await.unwrap(), json!({"jobs": 0, "refused": 1}));
}
