//! Jobs that fail, each with the words a tab can show.

use serde_json::{Value, json};
use testkit::{Person, Tab, WorkshopBuilder, graphs};

async fn run(ada: &Person, tab: &mut Tab, graph: &Value) -> Result<String, Value> {
    let body = json!({"prompt": graph, "client_id": tab.sid});
    let answer = ada.post("/user001/api/prompt", &body).await.unwrap();
    let status = answer.status();
    let body: Value = answer.json().await.unwrap();
    if status != 200 {
        assert_eq!(status, 400);
        return Err(body);
    }
    let id = body["prompt_id"].as_str().unwrap().to_owned();
    tab.hear_the_end(&id).await.unwrap();
    Ok(id)
}

#[tokio::test]
async fn a_job_that_fails_validation_at_the_worker_shows_its_error_in_the_tab() {
    let workshop = WorkshopBuilder::new().start().await.unwrap();
    let ada = workshop.person("user001").unwrap();
    let mut tab = ada.tab(None).await.unwrap();
    let mut graph = graphs::white_picture();
    // Nothing that the seat's own check judges: more digits than it reads.
    graph["1"]["inputs"]["width"] = json!(1e30);
    let id = run(&ada, &mut tab, &graph).await.unwrap();
    assert_eq!(tab.story(&id), ["execution_start", "execution_error", "executing"]);
    let job = ada.wait_for(&id, "failed").await.unwrap();
    assert_eq!(job["error"]["node_id"], "1");
    assert_eq!(job["error"]["exception_type"], "value_bigger_than_max");
}

#[tokio::test]
async fn a_node_that_raises_and_a_full_gpu_fail_the_job_and_not_the_worker() {
    let workshop = WorkshopBuilder::new().start().await.unwrap();
    let ada = workshop.person("user001").unwrap();
    let mut tab = ada.tab(None).await.unwrap();
    for (how, kind) in [("fail", "RuntimeError"), ("out_of_memory", "torch.OutOfMemoryError")] {
        let graph = graphs::misbehaving(graphs::white_picture(), "2", how);
        let id = run(&ada, &mut tab, &graph).await.unwrap();
        let job = ada.wait_for(&id, "failed").await.unwrap();
        assert_eq!((&job["error"]["node_id"], &job["error"]["exception_type"]), (&json!("2"), &json!(kind)));
        assert_eq!(job["attempts"], 1);
        assert_eq!(tab.story(&id).iter().filter(|kind| **kind == "execution_error").count(), 1);
        let told = tab.heard.iter().rfind(|message| message["type"] == "execution_error").unwrap();
        assert_eq!((&told["data"]["node_id"], &told["data"]["exception_type"]), (&json!("2"), &json!(kind)));
        let shown = ada.json(&format!("/user001/api/jobs/{id}")).await.unwrap();
        assert_eq!(shown["status"], "failed");
        assert_eq!(shown["execution_error"]["node_type"], "ImageInvert");
    }
    let id = run(&ada, &mut tab, &graphs::white_picture()).await.unwrap();
    ada.wait_for(&id, "completed").await.unwrap();
}

#[tokio::test]
async fn a_job_that_runs_again_says_so_and_shows_an_error_only_at_its_real_end() {
    let workshop = WorkshopBuilder::new().setting("ATELIER_ATTEMPTS_RUN", "2").start().await.unwrap();
    workshop.redis(&["hset", "{workshop}:settings", "backoff_ms", "50"]).await.unwrap();
    let ada = workshop.person("user001").unwrap();
    let mut tab = ada.tab(None).await.unwrap();
    let graph = graphs::misbehaving(graphs::white_picture(), "2", "fail");
    let id = run(&ada, &mut tab, &graph).await.unwrap();
    assert_eq!(ada.wait_for(&id, "failed").await.unwrap()["attempts"], 2);
    let kinds: Vec<_> = tab.heard.iter().filter_map(|message| message["type"].as_str()).collect();
    let at = |kind: &str| kinds.iter().position(|known| *known == kind).unwrap();
    assert_eq!(kinds.iter().filter(|kind| **kind == "execution_error").count(), 1, "{kinds:?}");
    assert_eq!(kinds.iter().filter(|kind| **kind == "execution_start").count(), 2, "{kinds:?}");
    assert!(at("notification") < at("execution_error"));
    let told = &tab.heard[at("notification")]["data"];
    assert_eq!(told["id"], id.as_str());
    assert!(told["value"].as_str().unwrap().starts_with("Waiting for a machine"), "{told}");
    // The same to a tab that was away.
    let again = ada.json(&format!("/user001/api/jobs/{id}")).await.unwrap();
    assert_eq!(
        again["execution_error"]["current_inputs"],
        tab.heard[at("execution_error")]["data"]["current_inputs"]
    );
}

#[tokio::test]
async fn a_tab_that_was_away_when_its_job_failed_is_shown_the_error() {
    let workshop = WorkshopBuilder::new().start().await.unwrap();
    let ada = workshop.person("user001").unwrap();
    let sid = ada.tab(None).await.unwrap().sid;
    let graph = graphs::misbehaving(graphs::white_picture(), "2", "fail");
    let body = json!({"prompt": graph, "client_id": sid});
    let answer: Value = ada.post("/user001/api/prompt", &body).await.unwrap().json().await.unwrap();
    let id = answer["prompt_id"].as_str().unwrap();
    ada.wait_for(id, "failed").await.unwrap();
    let mut tab = ada.tab(Some(&sid)).await.unwrap();
    tab.hear_the_end(id).await.unwrap();
    let story = tab.story(id);
    assert_eq!(story[story.len() - 2..], ["execution_error", "executing"], "{story:?}");
    assert_eq!(story[0], "execution_start");
}

#[tokio::test]
async fn what_no_worker_can_run_is_refused_at_once_in_comfyuis_words() {
    let workshop = WorkshopBuilder::new().start().await.unwrap();
    let ada = workshop.person("user001").unwrap();
    let mut tab = ada.tab(None).await.unwrap();
    let unknown = run(&ada, &mut tab, &json!({"1": {"class_type": "NoSuchNode", "inputs": {}}})).await;
    assert_eq!(unknown.unwrap_err()["error"]["type"], "missing_node_type");
    let mut graph = graphs::sampled_picture(1, 1);
    graph["4"]["inputs"]["ckpt_name"] = json!("absent.safetensors");
    let missing = run(&ada, &mut tab, &graph).await.unwrap_err();
    assert_eq!(missing["node_errors"]["4"]["errors"][0]["type"], "value_not_in_list");
    let no_outputs = json!({"1": {"class_type": "EmptyImage", "inputs": {}}});
    assert_eq!(run(&ada, &mut tab, &no_outputs).await.unwrap_err()["error"]["type"], "prompt_no_outputs");
    assert_eq!(ada.json("/api/v1/jobs").await.unwrap()["jobs"], json!([]), "nothing was stored");
}

#[tokio::test]
async fn a_lost_comfyui_socket_loses_no_picture() {
    let workshop = WorkshopBuilder::new().start().await.unwrap();
    let ada = workshop.person("user001").unwrap();
    let mut tab = ada.tab(None).await.unwrap();
    let graph = graphs::misbehaving(graphs::sampled_picture(1, 20), "3", "drop_socket");
    let id = run(&ada, &mut tab, &graph).await.unwrap();
    let job = ada.wait_for(&id, "completed").await.unwrap();
    assert!(ada.picture(&job, 0).await.unwrap().starts_with(b"\x89PNG"));
    assert!(tab.heard.iter().any(|message| message["type"] == "executed"));
}

#[tokio::test]
async fn the_same_click_twice_is_one_job_and_another_body_is_refused() {
    let workshop = WorkshopBuilder::new().start().await.unwrap();
    let (ada, ben) = (workshop.person("user001").unwrap(), workshop.person("user002").unwrap());
    let id = "7f2c1b9e-0a55-4b7c-9f56-0e6c56b1f001";
    let body = json!({"prompt": graphs::white_picture(), "prompt_id": id});
    for _ in 0..3 {
        assert_eq!(ada.post("/user001/prompt", &body).await.unwrap().status(), 200);
    }
    assert_eq!(ada.json("/api/v1/jobs").await.unwrap()["jobs"].as_array().unwrap().len(), 1);
    let other = json!({"prompt": graphs::sampled_picture(1, 1), "prompt_id": id});
    assert_eq!(ada.post("/user001/prompt", &other).await.unwrap().status(), 400);
    assert_eq!(ben.post("/user002/prompt", &body).await.unwrap().status(), 400);
}

#[tokio::test]
async fn a_request_of_a_strange_shape_blocks_nobody() {
    let workshop = WorkshopBuilder::new().start().await.unwrap();
    let (ada, ben) = (workshop.person("user001").unwrap(), workshop.person("user002").unwrap());
    for extra in [json!("x"), json!([1]), json!(7), json!(true)] {
        let body = json!({"prompt": graphs::white_picture(), "extra_data": extra});
        assert_eq!(ada.post("/user001/prompt", &body).await.unwrap().status(), 400);
    }
    let mut graph = graphs::white_picture();
    graph["3"]["inputs"] = json!("no object");
    let body = json!({"prompt": graph});
    assert_eq!(ada.post("/user001/prompt", &body).await.unwrap().status(), 400);
    let id = ben.submit(&graphs::white_picture()).await.unwrap();
    ben.wait_for(&id, "completed").await.unwrap();
}

#[tokio::test]
async fn an_output_larger_than_the_link_carries_frees_the_worker_all_the_same() {
    let workshop = WorkshopBuilder::new().start().await.unwrap();
    let (ada, ben) = (workshop.person("user001").unwrap(), workshop.person("user002").unwrap());
    let graph = json!({
        "1": {"class_type": "PrimitiveString", "inputs": {"value": "x".repeat(5 * 1024 * 1024)}},
        "2": {"class_type": "PreviewAny", "inputs": {"source": ["1", 0]}},
    });
    let id = ada.submit(&graph).await.unwrap();
    let next = ben.submit(&graphs::white_picture()).await.unwrap();
    let job = ada.wait_for(&id, "completed").await.unwrap();
    assert_eq!(job["attempts"], 1);
    ben.wait_for(&next, "completed").await.unwrap();
}
