//! A ComfyUI that takes its time to answer: a stop is heard all the same, and a lease is renewed.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use testkit::{Person, Relay, Workshop, WorkshopBuilder, graphs, waiting};

use crate::next_job::upload;

const LIMIT: Duration = Duration::from_secs(30);

/// A picture that is saved at once, and another one that waits for ever.
pub fn saved_early() -> Value {
    let mut graph = graphs::white_picture();
    graph["4"] = json!({"class_type": "ImageInvert", "inputs": {"image": ["2", 0], "simulate": "hang"}});
    graph["5"] =
        json!({"class_type": "SaveImage", "inputs": {"images": ["4", 0], "filename_prefix": "late"}});
    graph
}

async fn silent_on(workshop: &Workshop, path: &str) {
    workshop.simulate(1, &json!({"silent": path})).await.unwrap();
}

async fn wait_for_a_request(workshop: &Workshop, path: &str) {
    waiting::until("the worker to ask", LIMIT, async || {
        let output = workshop.comfyuis[0].output();
        Ok(output
            .lines()
            .any(|line| line.contains("told not to answer") && line.contains(path))
            .then_some(()))
    })
    .await
    .unwrap();
}

async fn cancel(ada: &Person, id: &str) {
    let answer = ada.request(Method::DELETE, &format!("/api/v1/jobs/{id}")).send().await.unwrap();
    assert!(answer.status().is_success());
}

/// Waits until ComfyUI neither runs nor holds anything.
pub async fn wait_until_comfyui_is_idle(workshop: &Workshop) {
    waiting::until("ComfyUI to have nothing to do", LIMIT, async || {
        let queue = workshop.ask_comfyui(1, "/queue").await?;
        Ok((queue == json!({"queue_running": [], "queue_pending": []})).then_some(()))
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_job_cancelled_before_its_inputs_are_in_place_is_never_posted() {
    let workshop = WorkshopBuilder::new().start().await.unwrap();
    let ada = workshop.person("user001").unwrap();
    upload(&ada, "cat.png", 1).await;
    silent_on(&workshop, "/upload").await;
    let id = ada.submit(&graphs::inverted_upload("cat.png")).await.unwrap();
    wait_for_a_request(&workshop, "/upload/image").await;
    cancel(&ada, &id).await;
    ada.wait_for(&id, "cancelled").await.unwrap();
    silent_on(&workshop, "").await;
    assert_eq!(workshop.ask_comfyui(1, "/history").await.unwrap(), json!({}), "it ran nothing");
    let next = ada.submit(&graphs::white_picture()).await.unwrap();
    ada.wait_for(&next, "completed").await.unwrap();
}

#[tokio::test]
async fn a_cancel_stops_comfyui_while_an_early_picture_is_being_stored() {
    let workshop = WorkshopBuilder::new().start().await.unwrap();
    let ada = workshop.person("user001").unwrap();
    silent_on(&workshop, "/view").await;
    let id = ada.submit(&saved_early()).await.unwrap();
    wait_for_a_request(&workshop, "/view").await;
    cancel(&ada, &id).await;
    wait_until_comfyui_is_idle(&workshop).await;
    silent_on(&workshop, "").await;
    let job = ada.wait_for(&id, "cancelled").await.unwrap();
    assert_eq!(job["attempts"], 1);
}

#[tokio::test]
async fn a_worker_that_holds_a_job_comes_back_without_asking_its_comfyui_anything() {
    let mut workshop = WorkshopBuilder::new().workers(0).start().await.unwrap();
    let relay = Relay::start(workshop.link.strip_prefix("http://").unwrap()).unwrap();
    workshop.worker_settings = vec![("ATELIER_QUEUE_MANAGER".to_owned(), relay.url.clone())];
    workshop.add_worker(20, None).await.unwrap();
    let ada = workshop.person("user001").unwrap();
    // Longer than a lease.
    let id = ada.submit(&graphs::sampled_picture(1, 1_000)).await.unwrap();
    workshop.wait_for_comfyui_to_run(1).await.unwrap();
    silent_on(&workshop, "/system_stats").await;
    relay.break_off();
    let job = ada.wait_for(&id, "completed").await.unwrap();
    assert_eq!(job["attempts"], 1, "renewed in time");
    assert!(workshop.workers[0].output().contains("the link was lost"));
}
