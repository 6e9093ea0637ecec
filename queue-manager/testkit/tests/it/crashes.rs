//! kill -9 of each process: nothing acknowledged is lost, nothing ends twice.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};
use testkit::{WorkshopBuilder, graphs, waiting};

const LIMIT: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_killed_workers_job_runs_again_on_another_after_one_lease() {
    let mut workshop = WorkshopBuilder::new().lease_ms(8_000).workers(2).start().await.unwrap();
    let ada = workshop.person("user001").unwrap();
    let id = ada.submit(&graphs::sampled_picture(1, 100)).await.unwrap();
    let job = ada.wait_for(&id, "running").await.unwrap();
    let victim = usize::from(job["worker"] == "gpu-2");
    workshop.workers[victim].kill().await.unwrap();
    let job = ada.wait_for(&id, "completed").await.unwrap();
    assert_eq!(job["attempts"], 2);
    assert_ne!(job["worker"], format!("gpu-{}", victim + 1), "another worker ran it");
    assert!(ada.picture(&job, 0).await.unwrap().starts_with(b"\x89PNG"));
    let status: Value = ada.json("/api/queue/status").await.unwrap();
    assert_eq!((&status["completed_jobs"], &status["queue_depth"]), (&json!(1), &json!(0)), "it ended once");
}

#[tokio::test]
async fn a_worker_that_restarts_within_its_lease_adopts_what_still_runs() {
    let mut workshop = WorkshopBuilder::new().lease_ms(10_000).start().await.unwrap();
    let ada = workshop.person("user001").unwrap();
    let mut tab = ada.tab(None).await.unwrap();
    // Longer than a lease, so that it is renewed by the worker that came back or not at all.
    let body = json!({"prompt": graphs::sampled_picture(1, 700), "client_id": tab.sid});
    let answer: Value = ada.post("/user001/prompt", &body).await.unwrap().json().await.unwrap();
    let id = answer["prompt_id"].as_str().unwrap();
    tab.hear("progress", id).await.unwrap();
    workshop.workers[0].kill().await.unwrap();
    workshop.restart_worker(1).unwrap();
    tab.hear_the_end(id).await.unwrap();
    let job = ada.wait_for(id, "completed").await.unwrap();
    assert_eq!(job["attempts"], 1, "the same claim");
    let history = workshop.ask_comfyui(1, "/history").await.unwrap();
    assert_eq!(history.as_object().unwrap().len(), 1, "ComfyUI ran it once");
    assert!(tab.heard.iter().any(|message| message["type"] == "executed"), "the picture reached the tab");
}

#[tokio::test]
async fn a_killed_queue_manager_loses_no_acknowledged_job_and_its_tabs_come_back() {
    let mut workshop = WorkshopBuilder::new().lease_ms(30_000).people(3).start().await.unwrap();
    let ada = workshop.person("user001").unwrap();
    let mut tab = ada.tab(None).await.unwrap();
    let body = json!({"prompt": graphs::sampled_picture(1, 100), "client_id": tab.sid});
    let answer: Value = ada.post("/user001/prompt", &body).await.unwrap().json().await.unwrap();
    let running = answer["prompt_id"].as_str().unwrap().to_owned();
    tab.hear("progress", &running).await.unwrap();
    let mut acknowledged = vec![(ada.clone(), running.clone())];
    for n in 0..20 {
        let person = workshop.person(&format!("user{:03}", n % 3 + 1)).unwrap();
        let id = person.submit(&graphs::white_picture()).await.unwrap();
        acknowledged.push((person, id));
    }
    workshop.queue_manager.kill().await.unwrap();
    assert!(tab.hear("status", "").await.is_err(), "the socket closed");
    workshop.restart_queue_manager().await.unwrap();
    // As the frontend does: the same client id again, and what was missed comes by itself.
    let mut tab = ada.tab(Some(&tab.sid)).await.unwrap();
    tab.hear_the_end(&running).await.unwrap();
    assert!(tab.heard.iter().any(|m| m["type"] == "executed" && m["data"]["prompt_id"] == running.as_str()));
    for (person, id) in &acknowledged {
        let job = person.wait_for(id, "completed").await.unwrap();
        assert_eq!(job["attempts"], 1, "the worker went on; no lease was taken from it");
    }
}

#[tokio::test]
async fn a_killed_redis_loses_no_acknowledged_job() {
    let workshop = WorkshopBuilder::new().lease_ms(30_000).people(3).start().await.unwrap();
    let ada = workshop.person("user001").unwrap();
    let mut acknowledged = vec![(ada.clone(), ada.submit(&graphs::sampled_picture(1, 150)).await.unwrap())];
    ada.wait_for(&acknowledged[0].1, "running").await.unwrap();
    for n in 0..10 {
        let person = workshop.person(&format!("user{:03}", n % 3 + 1)).unwrap();
        acknowledged.push((person.clone(), person.submit(&graphs::white_picture()).await.unwrap()));
    }
    // It writes each second; what was acknowledged less than that before a power cut may go, and here it must not.
    waiting::until("Redis to have written what it acknowledged", LIMIT, async || {
        let info = workshop.redis(&["info", "persistence"]).await?;
        Ok(info.lines().any(|line| line.trim() == "aof_buffer_length:0").then_some(()))
    })
    .await
    .unwrap();
    workshop.kill_redis().await.unwrap();
    workshop.wait_until_up().await.unwrap();
    let running = waiting::until("the store to know its jobs", LIMIT, async || {
        Ok(ada.job(&acknowledged[0].1).await.ok())
    });
    assert_eq!(running.await.unwrap()["attempts"], 1);
    for (person, id) in &acknowledged {
        person.wait_for(id, "completed").await.unwrap();
    }
    let status: Value = ada.json("/api/queue/status").await.unwrap();
    assert_eq!((&status["completed_jobs"], &status["queue_depth"]), (&json!(11), &json!(0)));
}

#[tokio::test]
async fn a_comfyui_that_dies_costs_an_attempt_and_the_tab_is_told_what_happens() {
    let mut workshop = WorkshopBuilder::new().workers(2).start().await.unwrap();
    let ada = workshop.person("user001").unwrap();
    let mut tab = ada.tab(None).await.unwrap();
    let body = json!({"prompt": graphs::sampled_picture(1, 100), "client_id": tab.sid});
    let answer: Value = ada.post("/user001/prompt", &body).await.unwrap().json().await.unwrap();
    let id = answer["prompt_id"].as_str().unwrap();
    tab.hear("progress", id).await.unwrap();
    let victim = usize::from(ada.job(id).await.unwrap()["worker"] == "gpu-2");
    workshop.comfyuis[victim].kill().await.unwrap();
    tab.hear_the_end(id).await.unwrap();
    let job = ada.wait_for(id, "completed").await.unwrap();
    assert_eq!(job["attempts"], 2);
    let kinds: Vec<_> = tab.heard.iter().map(|message| message["type"].as_str().unwrap()).collect();
    assert!(kinds.contains(&"notification"), "the tab was told that the job runs again");
    assert!(!kinds.contains(&"execution_error"), "and not that it failed");
}

#[tokio::test]
async fn a_job_that_ends_while_the_queue_manager_is_away_keeps_its_picture() {
    let mut workshop = WorkshopBuilder::new().lease_ms(30_000).start().await.unwrap();
    let ada = workshop.person("user001").unwrap();
    let id = ada.submit(&graphs::sampled_picture(1, 100)).await.unwrap();
    workshop.wait_for_comfyui_to_run(1).await.unwrap();
    workshop.queue_manager.kill().await.unwrap();
    waiting::until("ComfyUI to be done", LIMIT, async || {
        let history = workshop.ask_comfyui(1, "/history").await?;
        Ok(history.as_object().is_some_and(|entries| !entries.is_empty()).then_some(()))
    })
    .await
    .unwrap();
    workshop.restart_queue_manager().await.unwrap();
    let job = ada.wait_for(&id, "completed").await.unwrap();
    assert_eq!(job["attempts"], 1);
    assert!(ada.picture(&job, 0).await.unwrap().starts_with(b"\x89PNG"));
}

#[tokio::test]
async fn a_worker_that_was_frozen_for_longer_than_its_lease_does_not_end_the_job_again() {
    let workshop = WorkshopBuilder::new().lease_ms(8_000).workers(2).start().await.unwrap();
    let ada = workshop.person("user001").unwrap();
    let id = ada.submit(&graphs::sampled_picture(1, 100)).await.unwrap();
    let first = ada.wait_for(&id, "running").await.unwrap()["worker"].clone();
    let victim = usize::from(first == "gpu-2");
    workshop.workers[victim].signal(Signal::STOP).unwrap();
    let job = ada.wait_for(&id, "completed").await.unwrap();
    assert_eq!((&job["attempts"], job["worker"] == first), (&json!(2), false));
    let picture = ada.picture(&job, 0).await.unwrap();
    workshop.workers[victim].signal(Signal::CONT).unwrap();
    waiting::until("the frozen worker to hear that it lost the job", LIMIT, async || {
        Ok(workshop.workers[victim].output().contains("a lease was lost").then_some(()))
    })
    .await
    .unwrap();
    let after = ada.job(&id).await.unwrap();
    assert_eq!((&after["attempts"], &after["worker"]), (&job["attempts"], &job["worker"]));
    assert_eq!(ada.picture(&after, 0).await.unwrap(), picture, "the files are those of the attempt that won");
    // It is as good as before: with the other one gone it gets the next job.
    workshop.workers[1 - victim].signal(Signal::STOP).unwrap();
    let next = ada.submit(&graphs::white_picture()).await.unwrap();
    ada.wait_for(&next, "completed").await.unwrap();
}
