//! Alerts reach a webhook: signed, again until they are taken, from one of two queue-managers; and a dead one stops nobody.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::{WorkshopBuilder, graphs, waiting};

use crate::hook_server::HookServer;
use crate::room_dashboard::Dashboard;

const LIMIT: Duration = Duration::from_secs(60);
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// No disk has so much room: storage is nearly full from the start.
const ALL: &str = "1000000000";

fn builder(hook: &HookServer) -> WorkshopBuilder {
    WorkshopBuilder::new()
        .setting("ATELIER_WEBHOOK_URL", &hook.url())
        .setting("ATELIER_WEBHOOK_SECRET", SECRET)
        .setting("ATELIER_DISK_FREE_MB", ALL)
}

#[tokio::test]
async fn an_alert_is_sent_signed_again_until_it_is_taken_and_by_one_of_two_queue_managers() {
    let hook = HookServer::start(&[Some(500), Some(302)]).await;
    let mut workshop = builder(&hook).start().await.unwrap();
    let second = workshop.second_queue_manager().await.unwrap();
    let ada = workshop.person("user001").unwrap();
    let job = ada.submit(&graphs::white_picture()).await.unwrap();
    ada.wait_for(&job, "completed").await.unwrap();
    waiting::until("three tries", LIMIT, async || Ok((hook.all().len() == 3).then_some(()))).await.unwrap();
    workshop.workers[0].kill().await.unwrap();
    let lost = hook.wait_for("worker.lost", LIMIT).await;
    let told: Value = serde_json::from_str(&lost.body).unwrap();
    assert_eq!((&told["data"]["subject"], &told["data"]["workshop"]), (&json!("gpu-1"), &json!("workshop")));
    assert_eq!(told["data"]["text"], "gpu-1 is not connected.");

    let came = hook.all();
    let ids: Vec<_> = came.iter().map(|one| one.header("webhook-id")).collect();
    assert_eq!(ids.len(), 4, "three tries of the first and one of the second: {ids:?}");
    assert!(ids[0] == ids[1] && ids[1] == ids[2] && ids[2] != ids[3], "{ids:?}");
    for one in &came {
        assert!(one.is_signed_with(SECRET), "{one:?}");
        assert!(!one.is_signed_with("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"));
        assert_eq!(one.header("content-type"), "application/json");
        let at: u64 = one.header("webhook-timestamp").parse().unwrap();
        assert!(at > 1_700_000_000 && at < 100_000_000_000, "seconds since 1970: {at}");
        let told: Value = serde_json::from_str(&one.body).unwrap();
        assert!(told["timestamp"].as_str().unwrap().ends_with('Z'), "{told}");
        for private in ["user001", "a cat", ".png", &SECRET[6..]] {
            assert!(!one.body.contains(private), "{private} in {}", one.body);
        }
    }
    assert_eq!(serde_json::from_str::<Value>(&came[0].body).unwrap()["type"], "disk.nearly_full");
    let logs = workshop.logs() + &second.output();
    assert!(!logs.contains(&SECRET[6..]) && !logs.contains(&hook.url()), "neither is in a log");
    assert!(logs.contains("it answered 500") && logs.contains("it answered 302"), "{logs}");
}

#[tokio::test]
async fn a_webhook_that_never_answers_stops_nobody() {
    let hook = HookServer::start(&[None, None, None, None]).await;
    let mut workshop = builder(&hook).start().await.unwrap();
    hook.wait_for("disk.nearly_full", LIMIT).await;
    let ada = workshop.person("user001").unwrap();
    let job = ada.submit(&graphs::white_picture()).await.unwrap();
    ada.wait_for(&job, "completed").await.unwrap();
    // Each is given up before the next, on a machine that stands still as well.
    let tries = hook.all().len();
    let given_up = workshop.queue_manager.output().matches("it is sent again").count();
    assert!((1..=given_up + 1).contains(&tries), "it waits for the first answer still: {tries}, {given_up}");
    assert_eq!(workshop.queue_manager.stop().await.unwrap(), Some(0));
}

#[tokio::test]
async fn full_storage_is_a_problem_on_the_page_and_a_warning_of_health() {
    let room = Dashboard::open(WorkshopBuilder::new().setting("ATELIER_DISK_FREE_MB", ALL)).await;
    let health = async || {
        let answer = reqwest::get(format!("{}/health", room.workshop.direct)).await?;
        anyhow::Ok((answer.status().as_u16(), answer.json::<Value>().await?))
    };
    let (status, said) = health().await.unwrap();
    assert_eq!((status, &said["status"]), (200, &json!("degraded")), "{said}");
    let warning = said["warnings"][0].as_str().unwrap();
    assert!(warning.contains("GB left") && warning.contains("data/README.md"), "{warning}");
    assert_eq!(said["checks"]["disk"].as_str().unwrap().split(", ").next(), Some("writable"));

    let info = room.workshop.redis(&["info", "memory"]).await.unwrap();
    let used = info.lines().find_map(|line| line.strip_prefix("used_memory:")).unwrap();
    let limit = (used.trim().parse::<u64>().unwrap() * 11 / 10).to_string();
    room.workshop.redis(&["config", "set", "maxmemory", &limit]).await.unwrap();
    let both = waiting::until("a warning of both", LIMIT, async || {
        let (_, said) = health().await?;
        Ok(said["warnings"][1].as_str().map(ToOwned::to_owned))
    });
    assert!(both.await.unwrap().contains("keep_ended_days"));
    waiting::until("both on the page", LIMIT, async || {
        let page = room.get("/").await.html;
        let problems = page.split("id=\"zone-problems\"").nth(1).unwrap_or_default();
        let (disk, memory) = ("The disk of the data folder has", "of the memory it may have");
        Ok((problems.contains(disk) && problems.contains(memory)).then_some(()))
    })
    .await
    .unwrap();
    room.workshop.redis(&["config", "set", "maxmemory", "0"]).await.unwrap();
    let (_, said) = health().await.unwrap();
    assert_eq!(said["warnings"].as_array().unwrap().len(), 1, "{said}");
}

#[tokio::test]
async fn a_page_that_is_hidden_tells_its_instructor_by_the_browser() {
    let mut room = Dashboard::open(WorkshopBuilder::new().setting("ATELIER_DISK_FREE_MB", "0")).await;
    let driver = testkit::browser::Driver::start(&room.workshop.data()).await.unwrap();
    let browser = crate::room_actions::open(&driver, &room, 1280, 720).await;
    let hide = "window.told = []; \
        window.Notification = class { static permission = 'granted'; \
            constructor(title, about) { window.told.push(about.body); } }; \
        Object.defineProperty(document, 'hidden', { get: () => true }); \
        document.dispatchEvent(new Event('visibilitychange'));";
    browser.script(hide, vec![]).await.unwrap();
    let closed = "return document.getElementById('live').textContent.startsWith('Reconnecting');";
    browser.wait_for("a hidden page that is told nothing", closed, vec![]).await.unwrap();
    room.workshop.workers[0].kill().await.unwrap();
    let told = "return window.told.some((text) => text.includes('gpu-1 is not connected.'));";
    browser.wait_for("the browser's own notification", told, vec![]).await.unwrap();
    let stranger = reqwest::get(format!("{}/alerts", room.admin)).await.unwrap();
    assert_eq!(stranger.status(), 401);
    browser.close().await.unwrap();
}
