//! Health: green only when things are well.

use std::time::Duration;

use serde_json::Value;
use testkit::{WorkshopBuilder, waiting};

const LIMIT: Duration = Duration::from_secs(20);

#[tokio::test]
async fn health_is_red_while_redis_does_not_answer_and_degraded_without_workers() {
    let mut workshop = WorkshopBuilder::new().start().await.unwrap();
    let health = async || {
        let answer = reqwest::get(format!("{}/health", workshop.front)).await?;
        anyhow::Ok((answer.status().as_u16(), answer.json::<Value>().await?["status"].clone()))
    };
    assert_eq!(health().await.unwrap(), (200, "ok".into()));
    let info = workshop.redis(&["info", "server"]).await.unwrap();
    let pid = info.lines().find_map(|line| line.strip_prefix("process_id:")).unwrap().trim().to_owned();
    let signal = |name: &str| {
        std::process::Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap();
    };
    signal("STOP");
    waiting::until("503", LIMIT, async || Ok((health().await? == (503, "unhealthy".into())).then_some(())))
        .await
        .unwrap();
    let alive = reqwest::get(format!("{}/healthz", workshop.front)).await.unwrap();
    assert_eq!(alive.status(), 200, "the event loop turns");
    let ada = workshop.person("user001").unwrap();
    assert_eq!(ada.get("/api/v1/jobs").await.unwrap().status(), 503);
    signal("CONT");
    waiting::until("200", LIMIT, async || Ok((health().await?.0 == 200).then_some(()))).await.unwrap();
    workshop.workers[0].stop().await.unwrap();
    let health = async || {
        let answer = reqwest::get(format!("{}/health", workshop.front)).await?;
        anyhow::Ok((answer.status().as_u16(), answer.json::<Value>().await?["status"].clone()))
    };
    waiting::until("degraded", LIMIT, async || {
        Ok((health().await? == (200, "degraded".into())).then_some(()))
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn the_published_view_has_the_promised_fields() {
    let workshop = WorkshopBuilder::new().start().await.unwrap();
    let status: Value =
        reqwest::get(format!("{}/api/queue/status", workshop.front)).await.unwrap().json().await.unwrap();
    let fields: Vec<_> = status.as_object().unwrap().keys().map(String::as_str).collect();
    let promised = [
        "mode",
        "pending_jobs",
        "running_jobs",
        "completed_jobs",
        "failed_jobs",
        "total_workers",
        "active_workers",
        "queue_depth",
    ];
    assert_eq!(fields, promised);
}

#[tokio::test]
async fn a_stopped_queue_manager_takes_its_redis_with_it() {
    let mut workshop = WorkshopBuilder::new().start().await.unwrap();
    let info = workshop.redis(&["info", "server"]).await.unwrap();
    let pid = info.lines().find_map(|line| line.strip_prefix("process_id:")).unwrap().trim().to_owned();
    // An open feed and an open tab must not keep it from stopping.
    let ada = workshop.person("user001").unwrap();
    let _feed = ada.get("/api/v1/events").await.unwrap();
    let _tab = ada.tab(None).await.unwrap();
    workshop.queue_manager.stop().await.unwrap();
    assert!(!std::path::Path::new("/proc").join(pid).exists());
}
