//! Several workers on one box, and two that were given one token by mistake.

use std::time::Duration;

use serde_json::json;
use testkit::{WorkshopBuilder, graphs, waiting};

use crate::png_text::embedded;

const LIMIT: Duration = Duration::from_secs(30);

#[tokio::test]
async fn workers_that_share_a_cache_and_comfyui_folders_mix_nobodys_files() {
    let workshop = WorkshopBuilder::new().workers(2).shared_folder().start().await.unwrap();
    let people = [workshop.person("user001").unwrap(), workshop.person("user002").unwrap()];
    let mut jobs = Vec::new();
    for _ in 0..15 {
        for person in &people {
            jobs.push((person, person.submit(&graphs::white_picture()).await.unwrap()));
        }
    }
    let mut workers = std::collections::BTreeSet::new();
    for (person, id) in jobs {
        let job = person.wait_for(&id, "completed").await.unwrap();
        workers.insert(job["worker"].as_str().unwrap().to_owned());
        let file = &job["outputs"][0];
        assert!(!file.to_string().contains("gpu-"), "nobody sees which folder it was: {file}");
        let picture = person.picture(&job, 0).await.unwrap();
        assert_eq!(embedded(&picture, "workflow")["id"], format!("workflow-of-{}", person.name));
        assert_eq!(embedded(&picture, "prompt")["3"]["inputs"]["atelier"], json!(id));
    }
    assert_eq!(workers.len(), 2, "both worked");
    assert!(workshop.cache().join("gpu-1").is_dir() && workshop.cache().join("gpu-2").is_dir());
}

#[tokio::test]
async fn of_two_processes_with_one_token_the_newer_works_and_the_older_waits_for_its_end() {
    let mut workshop = WorkshopBuilder::new().lease_ms(8_000).start().await.unwrap();
    let ada = workshop.person("user001").unwrap();
    let running = ada.submit(&graphs::sampled_picture(1, 1_000)).await.unwrap();
    ada.wait_for(&running, "running").await.unwrap();
    // What is lent but not posted yet is nothing to adopt.
    workshop.wait_for_comfyui_to_run(1).await.unwrap();
    // Beside the same ComfyUI, as after a restart by somebody who forgot the old one.
    let mut newer = workshop.start_worker_as(1, 1, "newer").unwrap();
    waiting::until("the older to be told", LIMIT, async || {
        Ok(workshop.workers[0].output().contains("has taken its place").then_some(()))
    })
    .await
    .unwrap();
    let job = ada.wait_for(&running, "completed").await.unwrap();
    assert_eq!(job["attempts"], 1, "the newer adopted what ran");
    assert!(newer.output().contains("adopted a prompt"), "{}", newer.output());
    for _ in 0..3 {
        let id = ada.submit(&graphs::white_picture()).await.unwrap();
        assert_eq!(ada.wait_for(&id, "completed").await.unwrap()["attempts"], 1);
        assert!(newer.output().contains(&id), "the newer ran it");
    }
    // Longer than it takes the older to ask whether the place is free.
    let refused = "another link with this worker's token is open";
    waiting::until("the older to ask twice", Duration::from_secs(60), async || {
        Ok((workshop.queue_manager.output().matches(refused).count() >= 3).then_some(()))
    })
    .await
    .unwrap();
    assert_eq!(workshop.queue_manager.output().matches("a worker joined").count(), 2, "no fight");
    newer.kill().await.unwrap();
    let id = ada.submit(&graphs::white_picture()).await.unwrap();
    ada.wait_for(&id, "completed").await.unwrap();
    assert!(workshop.workers[0].output().contains(&id), "the older is back");
    // Told to stop while it is out, it goes at once.
    let _newest = workshop.start_worker_as(1, 1, "newest").unwrap();
    waiting::until("the older to be told again", LIMIT, async || {
        Ok((workshop.workers[0].output().matches("has taken its place").count() == 2).then_some(()))
    })
    .await
    .unwrap();
    assert_eq!(workshop.workers[0].stop().await.unwrap(), Some(0));
    let health = waiting::until("health, as the older took nothing with it", LIMIT, async || {
        Ok((ada.json("/health").await?["status"] == "ok").then_some(()))
    });
    health.await.unwrap();
}
