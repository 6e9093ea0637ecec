//! What a worker is told of the job that probably comes next: its inputs, and nothing else.

use std::time::Duration;

use reqwest::multipart::{Form, Part};
use reqwest::{Client, Method, StatusCode};
use serde_json::Value;
use testkit::{Person, Workshop, WorkshopBuilder, graphs, waiting};

const LIMIT: Duration = Duration::from_secs(30);

/// Uploads a small picture of one colour.
pub async fn upload(person: &Person, name: &str, colour: u8) {
    let mut picture = Vec::new();
    let mut encoder = png::Encoder::new(&mut picture, 8, 8);
    encoder.set_color(png::ColorType::Rgb);
    encoder.write_header().unwrap().write_image_data(&[colour; 8 * 8 * 3]).unwrap();
    let form = Form::new().part("image", Part::bytes(picture).file_name(name.to_owned()));
    let path = format!("/{}/upload/image", person.name);
    person.request(Method::POST, &path).multipart(form).send().await.unwrap().error_for_status().unwrap();
}

/// The content of the only input of a job, as the store has it.
async fn input_of(workshop: &Workshop, job: &str) -> String {
    let json = workshop.redis(&["get", &format!("{{workshop}}:inputs:{job}")]).await.unwrap();
    let inputs: Value = serde_json::from_str(&json).unwrap();
    inputs[0]["sha256"].as_str().unwrap().to_owned()
}

async fn fetch(workshop: &Workshop, job: &str, sha256: &str) -> StatusCode {
    let url = format!("{}/link/next/{job}/inputs/{sha256}", workshop.link);
    let token = workshop.worker_token(1).unwrap();
    Client::new().get(url).bearer_auth(token).send().await.unwrap().status()
}

#[tokio::test]
async fn the_next_jobs_inputs_come_while_the_current_one_runs_and_nobody_elses() {
    let workshop = WorkshopBuilder::new().people(3).start().await.unwrap();
    let [ada, ben, eve] = ["user001", "user002", "user003"].map(|name| workshop.person(name).unwrap());
    upload(&ben, "in.png", 1).await;
    upload(&eve, "in.png", 2).await;
    // So that the worker has met this class of needs.
    let met = eve.submit(&graphs::inverted_upload("in.png")).await.unwrap();
    eve.wait_for(&met, "completed").await.unwrap();
    upload(&eve, "other.png", 3).await;
    let running = ada.submit(&graphs::sampled_picture(1, 3_000)).await.unwrap();
    ada.wait_for(&running, "running").await.unwrap();
    let next = ben.submit(&graphs::inverted_upload("in.png")).await.unwrap();
    let later = eve.submit(&graphs::inverted_upload("other.png")).await.unwrap();
    let (bens, eves) = (input_of(&workshop, &next).await, input_of(&workshop, &later).await);
    let cached = |sha256: &str| workshop.cache().join("gpu-1").join(sha256).exists();
    waiting::until("the next job's input", LIMIT, async || Ok(cached(&bens).then_some(()))).await.unwrap();
    assert_eq!(ada.job(&running).await.unwrap()["state"], "running");
    assert!(
        !cached(&eves),
        "one job is hinted at {} {bens} {eves} {}",
        workshop.logs(),
        workshop.redis(&["keys", "*turns*"]).await.unwrap()
    );

    assert_eq!(fetch(&workshop, &next, &bens).await, StatusCode::OK);
    assert_eq!(fetch(&workshop, &later, &eves).await, StatusCode::NOT_FOUND, "another job's");
    assert_eq!(fetch(&workshop, &next, &eves).await, StatusCode::NOT_FOUND, "another content");
    let stop = ada.request(Method::DELETE, &format!("/api/v1/jobs/{running}")).send().await.unwrap();
    assert!(stop.status().is_success());
    ben.wait_for(&next, "completed").await.unwrap();
    assert_eq!(fetch(&workshop, &next, &bens).await, StatusCode::NOT_FOUND, "the hint ended with the claim");
    eve.wait_for(&later, "completed").await.unwrap();
}

#[tokio::test]
async fn a_hint_that_came_true_before_its_files_did_costs_nothing() {
    let workshop = WorkshopBuilder::new().start().await.unwrap();
    let (ada, ben) = (workshop.person("user001").unwrap(), workshop.person("user002").unwrap());
    upload(&ben, "in.png", 3).await;
    // The hint is sent together with the job before, and that one is over at once.
    let first = ada.submit(&graphs::sampled_picture(1, 20)).await.unwrap();
    let ids = [
        ben.submit(&graphs::inverted_upload("in.png")).await.unwrap(),
        ben.submit(&graphs::inverted_upload("in.png")).await.unwrap(),
    ];
    ada.wait_for(&first, "completed").await.unwrap();
    for id in &ids {
        assert_eq!(ben.wait_for(id, "completed").await.unwrap()["attempts"], 1);
    }
    let left =
        std::fs::read_dir(workshop.cache().join("gpu-1")).unwrap().map(|entry| entry.unwrap().file_name());
    let arriving: Vec<_> = left.filter(|name| name.to_string_lossy().starts_with("arriving")).collect();
    assert!(arriving.is_empty(), "{arriving:?}");
}
