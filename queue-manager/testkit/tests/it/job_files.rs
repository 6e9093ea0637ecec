//! Files of a job that cannot be moved: it ends, whatever is wrong with them, and it can be stopped.

use std::path::PathBuf;
use std::time::Duration;

use reqwest::Method;
use rustix::process::Signal;
use serde_json::{Value, json};
use testkit::{Workshop, WorkshopBuilder, graphs, waiting};

use crate::next_job::upload;
use crate::slow_comfyui::{saved_early, wait_until_comfyui_is_idle};

const LIMIT: Duration = Duration::from_secs(30);

/// Where the simulated ComfyUI puts what a job of `gpu-1` makes.
fn made_by(workshop: &Workshop, job: &str) -> PathBuf {
    workshop.data().with_file_name("comfyui-1").join("output/atelier/gpu-1").join(job)
}

#[tokio::test]
async fn a_film_larger_than_a_file_may_be_fails_its_job_in_plain_words() {
    let workshop = WorkshopBuilder::new().lease_ms(30_000).start().await.unwrap();
    let (ada, ben) = (workshop.person("user001").unwrap(), workshop.person("user002").unwrap());
    let id = ada.submit(&graphs::sampled_picture(1, 200)).await.unwrap();
    workshop.wait_for_comfyui_to_run(1).await.unwrap();
    workshop.workers[0].signal(Signal::STOP).unwrap();
    wait_until_comfyui_is_idle(&workshop).await;
    // As large as a long film, and no room taken.
    let film = std::fs::read_dir(made_by(&workshop, &id)).unwrap().next().unwrap().unwrap();
    std::fs::File::options().write(true).open(film.path()).unwrap().set_len(3 << 30).unwrap();
    workshop.workers[0].signal(Signal::CONT).unwrap();
    let job = ada.wait_for(&id, "failed").await.unwrap();
    let message = job["error"]["exception_message"].as_str().unwrap();
    assert!(message.contains("larger than 2 GiB"), "{message}");
    let next = ben.submit(&graphs::white_picture()).await.unwrap();
    ben.wait_for(&next, "completed").await.unwrap();
}

#[tokio::test]
async fn a_file_that_the_queue_manager_cannot_store_fails_its_job_and_a_cancel_does_not_wait_for_that() {
    let workshop = WorkshopBuilder::new().start().await.unwrap();
    let (ada, ben) = (workshop.person("user001").unwrap(), workshop.person("user002").unwrap());
    let outputs = workshop.data().join("files/outputs");
    std::fs::create_dir_all(&outputs).unwrap();
    std::os::unix::fs::symlink("/nowhere", outputs.join("user001")).unwrap();
    let id = ada.submit(&graphs::white_picture()).await.unwrap();
    waiting::until("the file to be refused", LIMIT, async || {
        Ok(workshop.workers[0].output().contains("a file waits").then_some(()))
    })
    .await
    .unwrap();
    let stop = ada.request(Method::DELETE, &format!("/api/v1/jobs/{id}")).send().await.unwrap();
    assert!(stop.status().is_success());
    ada.wait_for(&id, "cancelled").await.unwrap();
    let id = ada.submit(&graphs::white_picture()).await.unwrap();
    let job = ada.wait_for(&id, "failed").await.unwrap();
    assert_eq!((&job["attempts"], &job["error"]["exception_type"]), (&json!(1), &Value::from("Files")));
    let next = ben.submit(&graphs::white_picture()).await.unwrap();
    ben.wait_for(&next, "completed").await.unwrap();
}

#[tokio::test]
async fn a_job_that_is_given_up_leaves_nothing_running_in_comfyui() {
    let workshop = WorkshopBuilder::new().start().await.unwrap();
    let (ada, ben) = (workshop.person("user001").unwrap(), workshop.person("user002").unwrap());
    let outputs = workshop.data().join("files/outputs");
    std::fs::create_dir_all(&outputs).unwrap();
    std::fs::write(outputs.join("user001"), "in the way").unwrap();
    let id = ada.submit(&saved_early()).await.unwrap();
    let job = ada.wait_for(&id, "failed").await.unwrap();
    assert_eq!(job["error"]["exception_type"], "Files");
    wait_until_comfyui_is_idle(&workshop).await;
    let next = ben.submit(&graphs::white_picture()).await.unwrap();
    ben.wait_for(&next, "completed").await.unwrap();
}

#[tokio::test]
async fn what_a_job_left_on_the_gpu_box_goes_when_another_begins() {
    let mut workshop = WorkshopBuilder::new().workers(0).start().await.unwrap();
    let comfyui = workshop.data().with_file_name("comfyui-1");
    workshop.worker_settings = vec![
        ("ATELIER_COMFYUI_FOLDER".to_owned(), comfyui.display().to_string()),
        ("ATELIER_WORKER_KEEP_HOURS".to_owned(), "0".to_owned()),
    ];
    workshop.add_worker(20, None).await.unwrap();
    let ada = workshop.person("user001").unwrap();
    upload(&ada, "cat.png", 1).await;
    let first = ada.submit(&graphs::inverted_upload("cat.png")).await.unwrap();
    let job = ada.wait_for(&first, "completed").await.unwrap();
    let inputs = [workshop.cache().join("gpu-1"), comfyui.join("input/atelier/gpu-1/user001")];
    let files = |folder: &PathBuf| std::fs::read_dir(folder).unwrap().count();
    assert!(made_by(&workshop, &first).exists() && inputs.iter().all(|folder| files(folder) == 1));
    let second = ada.submit(&graphs::white_picture()).await.unwrap();
    ada.wait_for(&second, "completed").await.unwrap();
    assert!(!made_by(&workshop, &first).exists() && inputs.iter().all(|folder| files(folder) == 0));
    assert!(made_by(&workshop, &second).exists());
    assert!(ada.picture(&job, 0).await.unwrap().starts_with(b"\x89PNG"), "the queue-manager has it");
}
