//! The dashboard: for the instructor, live, and never in the way of the queue.

use std::time::Duration;

use futures_util::StreamExt;
use reqwest::header::{CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use reqwest::{Client, redirect};
use serde_json::Value;
use testkit::{Workshop, WorkshopBuilder, graphs, waiting};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

async fn sign_in(workshop: &Workshop, name: &str) -> reqwest::Response {
    let client = Client::builder().redirect(redirect::Policy::none()).build().unwrap();
    let form = format!("name={name}&password={}", workshop.password(name).unwrap());
    let request = client.post(format!("{}/sign-in", workshop.admin.as_ref().unwrap())).body(form);
    request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").send().await.unwrap()
}

#[tokio::test]
async fn the_instructor_sees_live_counts_and_a_participant_has_no_dashboard() {
    let workshop = WorkshopBuilder::new().with_admin().with_nginx().start().await.unwrap();
    let admin = workshop.admin.clone().unwrap();
    waiting::until("the dashboard", Duration::from_secs(20), async || {
        Ok(reqwest::get(format!("{admin}/healthz")).await?.status().is_success().then_some(()))
    })
    .await
    .unwrap();
    let refused = sign_in(&workshop, "user001").await;
    assert_eq!(refused.headers()[LOCATION], "/sign-in?failed=role");
    assert!(refused.headers().get(SET_COOKIE).is_none());

    let answer = sign_in(&workshop, "instructor").await;
    let cookie = answer.headers()[SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned();
    assert!(cookie.starts_with("atelier-admin="), "its own cookie, for cookies know no ports");
    let page = Client::new().get(format!("{admin}/")).header(COOKIE, &cookie).send().await.unwrap();
    assert!(page.headers()["content-security-policy"].to_str().unwrap().contains("default-src 'none'"));
    let html = page.text().await.unwrap();
    assert!(html.contains("Nobody is waiting. 1 GPU idle."));
    assert!(html.contains("Simulated ComfyUI: its pictures"), "nobody may take them for real ones");

    let version = html.split("data-version=\"").nth(1).unwrap().split('"').next().unwrap();
    let address = format!("{}/live?version={version}", admin.replacen("http", "ws", 1));
    let mut request = address.into_client_request().unwrap();
    request.headers_mut().insert("cookie", cookie.parse().unwrap());
    let (mut feed, _) = tokio_tungstenite::connect_async(request).await.unwrap();
    let ada = workshop.person("user001").unwrap();
    let id = ada.submit(&graphs::sampled_picture(1, 400)).await.unwrap();
    let (mut known, mut running) = (version.to_owned(), false);
    while !running {
        let message = feed.next().await.unwrap().unwrap();
        let update: Value = serde_json::from_str(message.to_text().unwrap()).unwrap();
        assert_eq!(update["from"], known.as_str(), "each update builds on the one before");
        update["version"].as_str().unwrap().clone_into(&mut known);
        let lane = update["change"]["zones"]["lanes"]["rows"]["w-gpu-1"].as_str().unwrap_or_default();
        running = lane.contains("user001") && lane.contains(&id);
    }
    ada.wait_for(&id, "completed").await.unwrap();
    let client = Client::builder().redirect(redirect::Policy::none()).build().unwrap();
    let out = client.post(format!("{admin}/sign-out")).header(COOKIE, &cookie).header("origin", &admin);
    assert_eq!(out.send().await.unwrap().headers()[LOCATION], "/sign-in");
    let page = client.get(format!("{admin}/")).header(COOKIE, &cookie);
    assert_eq!(
        page.send().await.unwrap().headers()[LOCATION],
        "/sign-in",
        "the session ended, not only the cookie"
    );
}

#[tokio::test]
async fn forty_open_feeds_keep_nobody_waiting() {
    let workshop = WorkshopBuilder::new().start().await.unwrap();
    let (ada, teacher) = (workshop.person("user001").unwrap(), workshop.person("instructor").unwrap());
    let mut feeds = Vec::new();
    for _ in 0..20 {
        // Opened and never read: a viewer that does not keep up.
        feeds.push(teacher.get("/api/v1/events").await.unwrap());
        feeds.push(ada.get("/api/v1/events").await.unwrap());
    }
    for _ in 0..20 {
        let id = ada.submit(&graphs::white_picture()).await.unwrap();
        ada.wait_for(&id, "completed").await.unwrap();
    }
    assert_eq!(ada.json("/api/queue/status").await.unwrap()["completed_jobs"], 20);
}
