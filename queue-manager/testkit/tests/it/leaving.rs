//! A worker that is asked to stop: it finishes what it can, gives back what it cannot, and nobody waits for a lease.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};
use testkit::{Workshop, WorkshopBuilder, graphs, waiting};

const LIMIT: Duration = Duration::from_secs(30);
/// Longer than any of these tests: nothing here may wait for a lease to end.
const LEASE_MS: u64 = 120_000;

async fn worker_field(workshop: &Workshop, field: &str) -> String {
    workshop.redis(&["hget", "{workshop}:worker:gpu-1", field]).await.unwrap().trim().to_owned()
}

#[tokio::test]
async fn a_worker_asked_to_stop_finishes_its_job_and_takes_no_other() {
    let mut workshop = WorkshopBuilder::new().lease_ms(LEASE_MS).start().await.unwrap();
    let (ada, ben) = (workshop.person("user001").unwrap(), workshop.person("user002").unwrap());
    let running = ada.submit(&graphs::sampled_picture(1, 400)).await.unwrap();
    ada.wait_for(&running, "running").await.unwrap();
    let waiting = ben.submit(&graphs::white_picture()).await.unwrap();
    workshop.workers[0].signal(Signal::TERM).unwrap();
    waiting::until("the queue-manager to know", LIMIT, async || {
        Ok((worker_field(&workshop, "unready").await == "leaving").then_some(()))
    })
    .await
    .unwrap();
    assert_eq!(ada.job(&running).await.unwrap()["state"], "running");
    assert_eq!(workshop.workers[0].ended().await.unwrap(), Some(0));
    let job = ada.job(&running).await.unwrap();
    assert_eq!(
        (&job["state"], &job["attempts"]),
        (&json!("completed"), &json!(1)),
        "before the process ended"
    );
    let job = ben.job(&waiting).await.unwrap();
    assert_eq!((&job["state"], &job["attempts"]), (&json!("pending"), &json!(0)));
}

#[tokio::test]
async fn a_job_that_does_not_end_in_time_is_given_back_and_another_worker_has_it_at_once() {
    let mut workshop = WorkshopBuilder::new()
        .lease_ms(LEASE_MS)
        .workers(2)
        .setting("ATELIER_DRAIN_SECONDS", "1")
        .start()
        .await
        .unwrap();
    let ada = workshop.person("user001").unwrap();
    let id = ada.submit(&graphs::sampled_picture(1, 200)).await.unwrap();
    let job = ada.wait_for(&id, "running").await.unwrap();
    let leaving = usize::from(job["worker"] == "gpu-2");
    assert_eq!(workshop.workers[leaving].stop().await.unwrap(), Some(0));
    let entry = waiting::until("its ComfyUI to stop at the next step", LIMIT, async || {
        let history = workshop.ask_comfyui(leaving + 1, &format!("/history/{id}")).await?;
        Ok(Some(history[&id].clone()).filter(|entry| !entry.is_null()))
    });
    let entry = entry.await.unwrap();
    let messages = entry["status"]["messages"].as_array().unwrap();
    assert!(messages.iter().any(|message| message[0] == "execution_interrupted"), "{messages:?}");
    let job = ada.wait_for(&id, "completed").await.unwrap();
    assert_eq!(job["worker"], format!("gpu-{}", 2 - leaving));
    let crashes = workshop.redis(&["hget", &format!("{{workshop}}:job:{id}"), "crashes"]).await.unwrap();
    assert!(matches!(crashes.trim(), "" | "0"), "that was no crash: {crashes}");
}

#[tokio::test]
async fn asked_twice_or_at_a_terminal_a_worker_gives_its_job_back_at_once() {
    let signals: [&[Signal]; 2] = [&[Signal::TERM, Signal::TERM], &[Signal::INT]];
    for signals in signals {
        let mut workshop = WorkshopBuilder::new()
            .lease_ms(LEASE_MS)
            .setting("ATELIER_DRAIN_SECONDS", "600")
            .start()
            .await
            .unwrap();
        let ada = workshop.person("user001").unwrap();
        let id = ada.submit(&graphs::sampled_picture(1, 3_000)).await.unwrap();
        ada.wait_for(&id, "running").await.unwrap();
        for (n, signal) in signals.iter().enumerate() {
            workshop.workers[0].signal(*signal).unwrap();
            let heard = |output: &str| n > 0 || signals.len() == 1 || output.contains("asked to stop");
            // Two signals of one kind that wait together are one.
            waiting::until("the signal to be heard", LIMIT, async || {
                Ok(heard(&workshop.workers[0].output()).then_some(()))
            })
            .await
            .unwrap();
        }
        assert_eq!(workshop.workers[0].ended().await.unwrap(), Some(0));
        // It does not wait for an answer to its goodbye.
        assert_eq!(ada.wait_for(&id, "pending").await.unwrap()["reason"], "released");
    }
}

#[tokio::test]
async fn a_worker_asked_to_stop_while_its_link_is_down_stops() {
    let mut workshop = WorkshopBuilder::new().setting("ATELIER_DRAIN_SECONDS", "1").start().await.unwrap();
    let ada = workshop.person("user001").unwrap();
    ada.submit(&graphs::sampled_picture(1, 3_000)).await.unwrap();
    workshop.wait_for_comfyui_to_run(1).await.unwrap();
    workshop.queue_manager.kill().await.unwrap();
    workshop.workers[0].stop().await.unwrap();
}

#[tokio::test]
async fn a_queue_manager_that_comes_back_in_time_hears_how_a_leaving_workers_job_ended() {
    let mut workshop = WorkshopBuilder::new().lease_ms(LEASE_MS).start().await.unwrap();
    let ada = workshop.person("user001").unwrap();
    let id = ada.submit(&graphs::sampled_picture(1, 100)).await.unwrap();
    workshop.wait_for_comfyui_to_run(1).await.unwrap();
    workshop.queue_manager.kill().await.unwrap();
    workshop.workers[0].signal(Signal::TERM).unwrap();
    workshop.restart_queue_manager().await.unwrap();
    assert_eq!(workshop.workers[0].ended().await.unwrap(), Some(0));
    assert_eq!(ada.job(&id).await.unwrap()["state"], "completed");
}

/// What the API does to drain and resume a worker.
async fn tell_worker(workshop: &Workshop, what: &str) {
    let (command, value): (&str, &[&str]) = if what == "drain" { ("hset", &["1"]) } else { ("hdel", &[]) };
    let set = [&[command, "{workshop}:worker:gpu-1", "draining"], value].concat();
    workshop.redis(&set).await.unwrap();
    workshop.redis(&["publish", "{workshop}:workers", &json!({what: "gpu-1"}).to_string()]).await.unwrap();
}

#[tokio::test]
async fn a_drained_worker_finishes_what_runs_and_claims_again_only_when_it_is_told() {
    let mut workshop = WorkshopBuilder::new().lease_ms(LEASE_MS).start().await.unwrap();
    let (ada, ben) = (workshop.person("user001").unwrap(), workshop.person("user002").unwrap());
    let running = ada.submit(&graphs::sampled_picture(1, 300)).await.unwrap();
    ada.wait_for(&running, "running").await.unwrap();
    let waiting = ben.submit(&graphs::white_picture()).await.unwrap();
    tell_worker(&workshop, "drain").await;
    assert_eq!(ada.wait_for(&running, "completed").await.unwrap()["attempts"], 1);
    // A new link must not make it forget.
    let told = |workshop: &Workshop| workshop.workers[0].output().matches("draining: no further job").count();
    let before = told(&workshop);
    workshop.queue_manager.kill().await.unwrap();
    workshop.restart_queue_manager().await.unwrap();
    waiting::until("the worker to be told again", LIMIT, async || {
        Ok((told(&workshop) > before).then_some(()))
    })
    .await
    .unwrap();
    assert_eq!(ben.job(&waiting).await.unwrap()["state"], "pending");
    tell_worker(&workshop, "resume").await;
    ben.wait_for(&waiting, "completed").await.unwrap();
}

#[tokio::test]
async fn an_idle_worker_asked_to_stop_is_never_lent_a_job_that_nobody_runs() {
    // Submits and the signal at the same moment, again and again: an offer may cross the worker's word.
    let mut workshop = WorkshopBuilder::new().lease_ms(LEASE_MS).start().await.unwrap();
    let ada = workshop.person("user001").unwrap();
    for _ in 0..8 {
        let graph = graphs::white_picture();
        let (id, ()) =
            tokio::join!(ada.submit(&graph), async { workshop.workers[0].signal(Signal::TERM).unwrap() });
        let id = id.unwrap();
        assert_eq!(workshop.workers[0].ended().await.unwrap(), Some(0));
        let job: Value = ada.job(&id).await.unwrap();
        assert!(job["state"] == "pending" || job["state"] == "completed", "{job}");
        workshop.restart_worker(1).unwrap();
        ada.wait_for(&id, "completed").await.unwrap();
    }
}
