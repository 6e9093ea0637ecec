//! Cancel: it reaches ComfyUI, frees the worker, and is nobody else's to do.

use std::time::Instant;

use serde_json::{Value, json};
use testkit::{WorkshopBuilder, graphs};

#[tokio::test]
async fn cancelling_a_running_job_interrupts_comfyui_and_frees_the_worker() {
    let workshop = WorkshopBuilder::new().start().await.unwrap();
    let (ada, ben) = (workshop.person("user001").unwrap(), workshop.person("user002").unwrap());
    let mut tab = ada.tab(None).await.unwrap();
    let body = json!({"prompt": graphs::sampled_picture(1, 3_000), "client_id": tab.sid});
    let answer: Value = ada.post("/user001/api/prompt", &body).await.unwrap().json().await.unwrap();
    let id = answer["prompt_id"].as_str().unwrap();
    tab.hear("progress", id).await.unwrap();
    let next = ben.submit(&graphs::white_picture()).await.unwrap();

    let asked = Instant::now();
    let answer = ada.post("/user001/api/interrupt", &json!({"prompt_id": id})).await.unwrap();
    assert_eq!(answer.status(), 200);
    tab.hear("execution_interrupted", id).await.unwrap();
    println!("interrupted after {} ms", asked.elapsed().as_millis());
    ada.wait_for(id, "cancelled").await.unwrap();
    ben.wait_for(&next, "completed").await.unwrap();
    println!("the worker had run the next job after {} ms", asked.elapsed().as_millis());
    let queue = workshop.ask_comfyui(1, "/queue").await.unwrap();
    assert_eq!(queue, json!({"queue_running": [], "queue_pending": []}));
}

#[tokio::test]
async fn an_interrupt_stops_ones_own_job_and_never_anybody_elses() {
    let workshop = WorkshopBuilder::new().start().await.unwrap();
    let (ada, ben) = (workshop.person("user001").unwrap(), workshop.person("user002").unwrap());
    let id = ada.submit(&graphs::sampled_picture(1, 200)).await.unwrap();
    ada.wait_for(&id, "running").await.unwrap();
    for body in [json!({}), json!({"prompt_id": id})] {
        assert_eq!(ben.post("/user002/api/interrupt", &body).await.unwrap().status(), 200);
    }
    let refused = ben.request(reqwest::Method::DELETE, &format!("/api/v1/jobs/{id}")).send().await.unwrap();
    assert_eq!(refused.status(), 404);
    let cancelled = ben.post(&format!("/user002/api/jobs/{id}/cancel"), &json!({})).await.unwrap();
    assert_eq!(cancelled.json::<Value>().await.unwrap(), json!({"cancelled": false}));
    assert_eq!(ada.job(&id).await.unwrap()["reason"], Value::Null);
    assert_eq!(ada.wait_for(&id, "completed").await.unwrap()["attempts"], 1);
}

#[tokio::test]
async fn a_waiting_job_taken_out_of_the_queue_never_runs() {
    let workshop = WorkshopBuilder::new().start().await.unwrap();
    let ada = workshop.person("user001").unwrap();
    let long = ada.submit(&graphs::sampled_picture(1, 500)).await.unwrap();
    ada.wait_for(&long, "running").await.unwrap();
    let waiting = ada.submit(&graphs::white_picture()).await.unwrap();
    assert_eq!(ada.json("/user001/queue").await.unwrap()["queue_pending"].as_array().unwrap().len(), 1);
    assert_eq!(ada.post("/user001/queue", &json!({"delete": [waiting]})).await.unwrap().status(), 200);
    assert_eq!(ada.job(&waiting).await.unwrap()["state"], "cancelled");
    ada.wait_for(&long, "completed").await.unwrap();
    let history = workshop.ask_comfyui(1, "/history").await.unwrap();
    assert_eq!(history.as_object().unwrap().len(), 1);
}
