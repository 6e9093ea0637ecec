//! The rest of what a seat answers, in ComfyUI's shapes.

use serde_json::{Value, json};
use testkit::{WorkshopBuilder, graphs};

#[tokio::test]
async fn a_seat_answers_what_the_frontend_needs_to_leave_its_splash_screen() {
    let workshop = WorkshopBuilder::new().start().await.unwrap();
    let ada = workshop.person("user001").unwrap();
    assert_eq!(ada.json("/user001/api/users").await.unwrap(), json!({"storage": "server", "migrated": true}));
    assert_eq!(ada.json("/user001/api/settings").await.unwrap()["Comfy.TutorialCompleted"], true);
    assert!(ada.json("/user001/api/extensions").await.unwrap().is_array());
    assert!(ada.json("/user001/api/object_info").await.unwrap()["KSampler"].is_object());
    for path in
        ["features", "system_stats", "i18n", "global_subgraphs", "node_replacements", "embeddings", "models"]
    {
        assert_eq!(ada.get(&format!("/user001/api/{path}")).await.unwrap().status(), 200, "{path}");
    }
    let page = ada.get("/user001/").await.unwrap().text().await.unwrap();
    assert!(page.contains("My jobs"), "the plain page stands in for a missing frontend");
    assert_eq!(ada.get("/user001").await.unwrap().headers()["location"], "/user001/");
}

#[tokio::test]
async fn settings_of_two_tabs_are_merged_and_nobody_elses() {
    let workshop = WorkshopBuilder::new().start().await.unwrap();
    let (ada, ben) = (workshop.person("user001").unwrap(), workshop.person("user002").unwrap());
    ada.post("/user001/api/settings/Comfy.A", &json!("one")).await.unwrap();
    ada.post("/user001/api/settings", &json!({"Comfy.B": 2})).await.unwrap();
    let settings = ada.json("/user001/api/settings").await.unwrap();
    assert_eq!((&settings["Comfy.A"], &settings["Comfy.B"]), (&json!("one"), &json!(2)));
    assert_eq!(ben.json("/user002/api/settings/Comfy.A").await.unwrap(), Value::Null);
}

#[tokio::test]
async fn history_jobs_and_queue_tell_the_same_story() {
    let workshop = WorkshopBuilder::new().start().await.unwrap();
    let (ada, ben) = (workshop.person("user001").unwrap(), workshop.person("user002").unwrap());
    let id = ada.submit(&graphs::white_picture()).await.unwrap();
    ada.wait_for(&id, "completed").await.unwrap();
    let history = ada.json(&format!("/user001/history/{id}")).await.unwrap();
    let entry = &history[&id];
    assert_eq!(entry["status"]["status_str"], "success");
    assert_eq!(entry["prompt"][1], id.as_str());
    assert_eq!(entry["prompt"][4], json!(["3"]), "the output nodes");
    assert_eq!(entry["outputs"]["3"]["images"][0]["subfolder"], id.as_str());
    let jobs = ada.json("/user001/api/jobs").await.unwrap();
    let job = &jobs["jobs"][0];
    assert_eq!((&job["status"], &job["outputs_count"]), (&json!("completed"), &json!(1)));
    assert!(job["create_time"].is_u64() && job["execution_end_time"].is_u64());
    assert_eq!(job["preview_output"]["nodeId"], "3");
    assert_eq!(jobs["pagination"], json!({"offset": 0, "limit": null, "total": 1, "has_more": false}));
    assert_eq!(ada.json("/user001/queue").await.unwrap(), json!({"queue_running": [], "queue_pending": []}));
    for path in [format!("/user002/history/{id}"), "/user002/history".to_owned()] {
        assert_eq!(ben.json(&path).await.unwrap(), json!({}));
    }
    assert_eq!(ben.get(&format!("/user002/api/jobs/{id}")).await.unwrap().status(), 404);
    ada.post("/user001/history", &json!({"delete": [id]})).await.unwrap();
    assert_eq!(ada.json("/user001/history").await.unwrap(), json!({}));
}

#[tokio::test]
async fn every_change_of_ones_line_brings_one_status_with_ones_own_count() {
    let workshop = WorkshopBuilder::new().start().await.unwrap();
    let (ada, ben) = (workshop.person("user001").unwrap(), workshop.person("user002").unwrap());
    let mut bystander = ben.tab(None).await.unwrap();
    let mut tab = ada.tab(None).await.unwrap();
    assert_eq!(tab.heard[0]["data"]["status"]["exec_info"]["queue_remaining"], 0);
    let id = ada.submit(&graphs::white_picture()).await.unwrap();
    ada.wait_for(&id, "completed").await.unwrap();
    let mut last = Value::Null;
    while last != 0 {
        let message = tab.next().await.unwrap();
        if message["type"] == "status" {
            last = message["data"]["status"]["exec_info"]["queue_remaining"].clone();
        }
    }
    // Feature flags and the first status, nothing of ada's.
    workshop.pause().await.unwrap();
    ben.submit(&graphs::white_picture()).await.unwrap();
    while bystander.next().await.unwrap()["data"]["status"]["exec_info"]["queue_remaining"] != 1 {}
    let before: Vec<_> = bystander.heard.iter().filter(|m| m["type"] == "status").collect();
    assert_eq!(before.len(), 2, "{before:?}");
}
