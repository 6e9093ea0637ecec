//! Lines between worker and queue-manager that are slow, silent, or silent in one direction.

use std::time::Duration;

use serde_json::json;
use testkit::{Line, Relay, Workshop, WorkshopBuilder, graphs, waiting};

const LIMIT: Duration = Duration::from_secs(60);

/// A workshop whose worker comes over a line that can be made bad.
async fn by_relay(builder: WorkshopBuilder) -> (Workshop, Relay) {
    let mut workshop = builder.workers(0).start().await.unwrap();
    let relay = Relay::start(workshop.link.strip_prefix("http://").unwrap()).unwrap();
    workshop.worker_settings = vec![("ATELIER_QUEUE_MANAGER".to_owned(), relay.url.clone())];
    workshop.add_worker(20, None).await.unwrap();
    (workshop, relay)
}

#[tokio::test]
async fn a_slow_uplink_loses_previews_and_progress_but_no_lease_and_no_message() {
    let (workshop, relay) = by_relay(WorkshopBuilder::new().lease_ms(8_000)).await;
    let ada = workshop.person("user001").unwrap();
    let mut tab = ada.tab(None).await.unwrap();
    // 50 steps a second, each with progress and a preview: many times what this line carries.
    relay.set(Line { up: Some(16 * 1024), ..Line::default() });
    let body = json!({"prompt": graphs::sampled_picture(1, 600), "client_id": tab.sid});
    let answer: serde_json::Value = ada.post("/user001/prompt", &body).await.unwrap().json().await.unwrap();
    let id = answer["prompt_id"].as_str().unwrap();
    tab.hear_the_end(id).await.unwrap();
    let job = ada.wait_for(id, "completed").await.unwrap();
    assert_eq!(job["attempts"], 1, "longer than a lease, and renewed in time");
    assert!(!workshop.workers[0].output().contains("the link was lost"), "{}", workshop.workers[0].output());
    let story = tab.story(id);
    assert_eq!(story.first(), Some(&"execution_start"));
    assert_eq!(story[story.len() - 3..], ["executed", "execution_success", "executing"]);
    let progress = tab.heard.iter().filter(|message| message["type"] == "progress").count();
    assert!(progress < 600, "the newest wins: {progress}");
    let last = tab.heard.iter().rfind(|message| message["type"] == "progress").unwrap();
    assert_eq!(last["data"]["value"], 600, "and the last one is not lost");
}

#[tokio::test]
async fn a_picture_that_takes_longer_to_store_than_comfyui_is_asked_costs_no_message() {
    let (workshop, relay) = by_relay(WorkshopBuilder::new().lease_ms(30_000)).await;
    let ada = workshop.person("user001").unwrap();
    let mut tab = ada.tab(None).await.unwrap();
    relay.set(Line { up: Some(2 * 1024), ..Line::default() });
    for seed in 0..4 {
        let body = json!({"prompt": graphs::sampled_picture(seed, 1), "client_id": tab.sid});
        let answer = ada.post("/user001/prompt", &body).await.unwrap();
        let answer: serde_json::Value = answer.json().await.unwrap();
        let id = answer["prompt_id"].as_str().unwrap();
        tab.hear_the_end(id).await.unwrap();
        let job = ada.wait_for(id, "completed").await.unwrap();
        let bytes = ada.picture(&job, 0).await.unwrap().len();
        assert!(bytes > 3 * 2 * 1024, "{bytes} bytes take longer than from one question to the next");
        let story = tab.story(id);
        assert_eq!(story[story.len() - 3..], ["executed", "execution_success", "executing"]);
    }
}

#[tokio::test]
async fn a_line_that_breaks_with_messages_on_it_costs_the_tab_none_of_them() {
    let (workshop, relay) = by_relay(WorkshopBuilder::new().lease_ms(30_000)).await;
    let ada = workshop.person("user001").unwrap();
    let mut tab = ada.tab(None).await.unwrap();
    let mut stories = Vec::new();
    // The first one leaves ComfyUI's cache as the other two find it.
    for (seed, breaks) in [(1, false), (2, false), (3, true)] {
        let body = json!({"prompt": graphs::sampled_picture(seed, 100), "client_id": tab.sid});
        let answer = ada.post("/user001/prompt", &body).await.unwrap();
        let answer: serde_json::Value = answer.json().await.unwrap();
        let id = answer["prompt_id"].as_str().unwrap();
        if breaks {
            workshop.wait_for_comfyui_to_run(1).await.unwrap();
            relay.set(Line { up_silent: true, ..Line::default() });
            waiting::until("ComfyUI to have said everything", LIMIT, async || {
                let queue = workshop.ask_comfyui(1, "/queue").await?;
                Ok((queue["queue_running"].as_array().map(Vec::len) == Some(0)).then_some(()))
            })
            .await
            .unwrap();
            // The worker hands on what it heard at once.
            tokio::time::sleep(Duration::from_millis(300)).await;
            relay.break_off();
        }
        tab.hear_the_end(id).await.unwrap();
        assert_eq!(ada.wait_for(id, "completed").await.unwrap()["attempts"], 1);
        stories.push(tab.story(id).into_iter().map(str::to_owned).collect::<Vec<_>>());
    }
    assert!(workshop.workers[0].output().contains("the link was lost"));
    assert_eq!(stories[1], stories[2]);
}

#[tokio::test]
async fn a_line_that_is_silent_for_less_than_a_lease_costs_nothing() {
    let (workshop, relay) = by_relay(WorkshopBuilder::new().lease_ms(15_000)).await;
    let ada = workshop.person("user001").unwrap();
    let id = ada.submit(&graphs::sampled_picture(1, 600)).await.unwrap();
    workshop.wait_for_comfyui_to_run(1).await.unwrap();
    relay.set(Line::CUT);
    waiting::until("ComfyUI to go on for a while", LIMIT, async || {
        let queue = workshop.ask_comfyui(1, "/queue").await?;
        assert_eq!(queue["queue_running"].as_array().map(Vec::len), Some(1));
        let age = workshop.redis(&["zscore", "{workshop}:workers", "gpu-1"]).await?;
        let now = workshop.redis(&["time"]).await?;
        let now: f64 = now.lines().next().unwrap_or_default().parse()?;
        Ok((now - age.trim().parse::<f64>()? / 1_000.0 > 6.0).then_some(()))
    })
    .await
    .unwrap();
    relay.set(Line::default());
    assert_eq!(ada.wait_for(&id, "completed").await.unwrap()["attempts"], 1);
    assert!(!workshop.workers[0].output().contains("the link was lost"), "it was not even noticed");
}

#[tokio::test]
async fn a_worker_that_falls_silent_loses_its_job_once_and_comes_back_without_it() {
    let (mut workshop, relay) = by_relay(WorkshopBuilder::new().lease_ms(3_000)).await;
    let ada = workshop.person("user001").unwrap();
    // It must not be done before the line is cut.
    workshop.simulate(1, &json!({"step_ms": 1_000})).await.unwrap();
    let id = ada.submit(&graphs::sampled_picture(1, 150)).await.unwrap();
    workshop.wait_for_comfyui_to_run(1).await.unwrap();
    workshop.worker_settings.clear();
    workshop.add_worker(20, None).await.unwrap();
    relay.set(Line::CUT);
    let job = ada.wait_for(&id, "completed").await.unwrap();
    assert_eq!((&job["attempts"], &job["worker"]), (&json!(2), &json!("gpu-2")));
    // Both sides notice, and neither waits for the system to give the connection up.
    waiting::until("both sides to notice", LIMIT, async || {
        let (worker, queue_manager) = (workshop.workers[0].output(), workshop.queue_manager.output());
        let noticed = worker.contains("nothing was heard") && queue_manager.contains("nothing was heard");
        Ok(noticed.then_some(()))
    })
    .await
    .unwrap();
    relay.set(Line::default());
    waiting::until("the worker to come back and be told", LIMIT, async || {
        Ok(workshop.workers[0].output().contains("a lease was lost").then_some(()))
    })
    .await
    .unwrap();
    assert_eq!(ada.job(&id).await.unwrap()["attempts"], 2, "one end, ever");
}

#[tokio::test]
async fn a_job_whose_offer_was_lost_on_the_way_is_stranded_for_one_lease_and_no_longer() {
    let (workshop, relay) = by_relay(WorkshopBuilder::new().lease_ms(3_000)).await;
    let ada = workshop.person("user001").unwrap();
    waiting::until("the worker to be ready", LIMIT, async || {
        let idle = workshop.redis(&["zscore", "{workshop}:idle", "gpu-1"]).await?;
        Ok((!idle.trim().is_empty()).then_some(()))
    })
    .await
    .unwrap();
    relay.set(Line { down_silent: true, ..Line::default() });
    let id = ada.submit(&graphs::white_picture()).await.unwrap();
    let job = waiting::until("the lease to end", LIMIT, async || {
        Ok(Some(ada.job(&id).await?).filter(|job| job["reason"] == "worker_lost"))
    });
    assert_eq!(job.await.unwrap()["attempts"], 1, "it was lent once");
    let crashes = workshop.redis(&["hget", &format!("{{workshop}}:job:{id}"), "crashes"]).await.unwrap();
    assert_eq!(crashes.trim(), "0", "it took no worker down");
    relay.set(Line::default());
    ada.wait_for(&id, "completed").await.unwrap();
}
