//! What the instructor clicks and presses in a real browser, what the store says then, and what the log says.

use std::time::Duration;

use axum::routing::get;
use axum::{Json, Router};
use fantoccini::Locator;
use fantoccini::key::Key;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::browser::{Browser, Driver};
use testkit::{WorkshopBuilder, graphs, waiting};
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

use crate::room_dashboard::Dashboard;

const LONG: Duration = Duration::from_secs(30);

pub async fn open(driver: &Driver, room: &Dashboard, width: u32, height: u32) -> Browser {
    let browser = driver.browser(width, height).await.unwrap();
    browser.sign_in(&room.admin, "instructor", room.workshop.password("instructor").unwrap()).await.unwrap();
    let live = "return document.getElementById('live')?.textContent === 'Live';";
    browser.wait_for("the dashboard to be live", live, vec![]).await.unwrap();
    browser
}

/// Clicks, once more where the row was replaced under the finger.
pub async fn click(browser: &Browser, css: &str) {
    browser.page.wait().for_element(Locator::Css(css)).await.unwrap();
    let clicked = waiting::until(css, LONG, async || {
        browser.page.find(Locator::Css(css)).await?.click().await?;
        Ok(Some(()))
    });
    clicked.await.unwrap();
}

async fn press(browser: &Browser, keys: &str) {
    browser.page.find(Locator::Css("body")).await.unwrap().send_keys(keys).await.unwrap();
}

pub async fn shown(browser: &Browser, css: &str) {
    let there = "return !!document.querySelector(arguments[0]);";
    browser.wait_for(css, there, vec![json!(css)]).await.unwrap();
}

async fn said(browser: &Browser, text: &str) {
    let said = "return document.getElementById('said').textContent.includes(arguments[0]);";
    browser.wait_for(text, said, vec![json!(text)]).await.unwrap();
}

/// Waits for the last deed, and that it was about this.
async fn logged(room: &Dashboard, what: &str, target: &str) {
    let logged = waiting::until(what, LONG, async || {
        let (did, to) = room.last_deed().await;
        Ok((did == what && to == target).then_some(()))
    });
    logged.await.unwrap();
}

#[tokio::test]
async fn the_whole_room_is_steered_by_clicks() {
    let room = Dashboard::open(WorkshopBuilder::new().workers(1).step_ms(100)).await;
    let driver = Driver::start(&room.workshop.data()).await.unwrap();
    let browser = open(&driver, &room, 1280, 720).await;

    click(&browser, "[formaction='/do/pause']").await;
    shown(&browser, "[formaction='/do/resume']").await;
    logged(&room, "queue.change", "").await;
    assert_eq!(room.ask("/queue").await["paused"], true);
    click(&browser, "[formaction='/do/mode/round_robin']").await;
    shown(&browser, "[formaction='/do/mode/round_robin'][aria-pressed=true]").await;
    click(&browser, "[formaction='/do/demo']").await;
    shown(&browser, "[formaction='/do/demo/end']").await;
    logged(&room, "demo.begin", "instructor").await;
    click(&browser, "[formaction='/do/demo/end']").await;
    logged(&room, "demo.end", "instructor").await;
    click(&browser, "[formaction='/do/one-each/on']").await;
    shown(&browser, "[formaction='/do/one-each/off']").await;
    click(&browser, "[formaction='/do/one-each/off']").await;
    shown(&browser, "[formaction='/do/one-each/on']").await;

    let mut feed = room.workshop.person("user001").unwrap().get("/api/v1/events").await.unwrap();
    click(&browser, "#say > summary").await;
    browser.page.find(Locator::Id("say-text")).await.unwrap().send_keys("Break until ten.").await.unwrap();
    click(&browser, "#say button.main").await;
    said(&browser, "Said to everyone").await;
    logged(&room, "message.send", "").await;
    let heard = tokio::time::timeout(LONG, async {
        let mut text = String::new();
        while !text.contains("Break until ten.") {
            text += &String::from_utf8_lossy(&feed.chunk().await.unwrap().unwrap());
        }
    });
    heard.await.expect("every tab hears it");

    // The instructor's lane is served in a pause as well: nothing is to run away here.
    click(&browser, "[formaction='/workers/gpu-1/drain']").await;
    shown(&browser, "[formaction='/workers/gpu-1/resume']").await;
    logged(&room, "worker.drain", "gpu-1").await;

    let (first, second) = (room.submit("user001").await, room.submit("user002").await);
    let rows = "return [...document.querySelectorAll('#zone-queue > li a[href^=\"/job/\"]')].map((job) => job.pathname.slice(5));";
    let order = |ids: [&str; 2]| {
        let expected = json!(ids);
        let browser = &browser;
        async move {
            waiting::until("the order", LONG, async || {
                Ok((browser.script(rows, vec![]).await? == expected).then_some(()))
            })
            .await
            .unwrap();
        }
    };
    order([&first, &second]).await;
    click(&browser, &format!("[formaction='/jobs/{second}/first']")).await;
    logged(&room, "job.lane", &second).await;
    // The pointer is in the list: nothing moves until somebody says so.
    shown(&browser, "[data-chip=queue]:not([hidden])").await;
    assert_eq!(browser.script(rows, vec![]).await.unwrap(), json!([first, second]));
    click(&browser, "[data-chip=queue]").await;
    order([&second, &first]).await;

    click(&browser, &format!("[formaction='/jobs/{first}/cancel']")).await;
    logged(&room, "job.cancel", &first).await;
    assert_eq!(room.ask(&format!("/jobs/{first}")).await["reason"], "cancelling");
    click(&browser, "#said button").await;
    logged(&room, "job.keep", &first).await;
    assert_eq!(room.ask(&format!("/jobs/{first}")).await["reason"], Value::Null);

    click(&browser, "[formaction='/workers/gpu-1/resume']").await;
    logged(&room, "worker.resume", "gpu-1").await;
    browser.close().await.unwrap();
}

#[tokio::test]
async fn a_running_job_is_stopped_failures_are_retried_and_dismissed_and_a_lost_worker_is_forgotten_by_clicks()
 {
    let mut room = Dashboard::open(WorkshopBuilder::new().workers(1).step_ms(100)).await;
    let driver = Driver::start(&room.workshop.data()).await.unwrap();
    let ada = room.workshop.person("user001").unwrap();
    for seed in [1, 2] {
        let bad =
            ada.submit(&graphs::misbehaving(graphs::sampled_picture(seed, 1), "3", "fail")).await.unwrap();
        ada.wait_for(&bad, "failed").await.unwrap();
    }
    let browser = open(&driver, &room, 1280, 720).await;
    let retry = "#zone-problems [data-key=r]";
    let button = browser.page.wait().for_element(Locator::Css(retry)).await.unwrap();
    assert_eq!(button.text().await.unwrap(), "Retry all 2", "it says how many before");
    button.click().await.unwrap();
    said(&browser, "Submitted again: 2 jobs.").await;
    let (what, _) = room.last_deed().await;
    assert_eq!(what, "cause.retry");
    waiting::until("both to fail again", LONG, async || {
        Ok((room.ask("/queue").await["failed_jobs"] == 4).then_some(()))
    })
    .await
    .unwrap();
    let id = ada.submit(&graphs::sampled_picture(9, 3_000)).await.unwrap();
    ada.wait_for(&id, "running").await.unwrap();
    let step = "return document.querySelector('#w-gpu-1 [data-c=step]')?.textContent.includes('KSampler');";
    browser.wait_for("the step on the lane", step, vec![]).await.unwrap();
    click(&browser, &format!("[formaction='/jobs/{id}/stop']")).await;
    shown(&browser, &format!("#w-gpu-1 [formaction='/jobs/{id}/keep']")).await;
    assert_eq!(room.ask(&format!("/jobs/{id}")).await["state"], "running", "for ten seconds it can be kept");
    ada.wait_for(&id, "cancelled").await.unwrap();
    logged(&room, "job.cancel", &id).await;

    click(&browser, "#zone-problems [formaction^='/causes/'][formaction$='/dismiss']").await;
    // What is under the pointer stays there, struck out.
    let gone = "return !document.querySelector(\"#zone-problems li:not(.gone) [formaction$='/dismiss']\");";
    browser.wait_for("the problem to go", gone, vec![]).await.unwrap();
    waiting::until("the log to have it", LONG, async || {
        Ok((room.last_deed().await.0 == "cause.dismiss").then_some(()))
    })
    .await
    .unwrap();
    room.workshop.workers[0].stop().await.unwrap();
    click(&browser, "#w-gpu-1 [formaction='/workers/gpu-1/forget']").await;
    let gone = "return !document.querySelector('#w-gpu-1:not(.gone)');";
    browser.wait_for("the lane to go", gone, vec![]).await.unwrap();
    logged(&room, "worker.forget", "gpu-1").await;
    browser.close().await.unwrap();
}

/// A ComfyUI with one node and no model, to which nobody's job is lent.
pub async fn bare_comfyui() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let answer = |json: Value| get(async move || Json(json));
    let router = Router::new()
        .route("/system_stats", answer(json!({"system": {"comfyui_version": "0"}, "devices": []})))
        .route("/object_info", answer(json!({"ImageInvert": {"input": {}, "output": []}})))
        .route("/queue", answer(json!({"queue_running": [], "queue_pending": []})));
    TaskTracker::new().spawn(async move { axum::serve(listener, router).await });
    address
}

#[tokio::test]
async fn jobs_that_no_gpu_here_can_run_are_one_problem_and_one_click_cancels_all_but_what_is_kept() {
    let mut room = Dashboard::open(WorkshopBuilder::new().workers(1)).await;
    room.workshop.add_worker(20, Some(&bare_comfyui().await)).await.unwrap();
    // From now on no GPU that is here has the model, which the workshop has met.
    room.workshop.workers[0].stop().await.unwrap();
    let mut ids = Vec::new();
    for (who, seed) in [("user001", 1), ("user001", 2), ("user002", 3)] {
        let person = room.workshop.person(who).unwrap();
        ids.push(person.submit(&graphs::sampled_picture(seed, 1)).await.unwrap());
    }
    let driver = Driver::start(&room.workshop.data()).await.unwrap();
    let browser = open(&driver, &room, 1280, 720).await;
    let all = "#zone-problems [formaction^='/causes/'][formaction$='/cancel']";
    let says = "return document.querySelector(arguments[0])?.textContent === arguments[1];";
    browser.wait_for("all three", says, vec![json!(all), json!("Cancel all 3")]).await.unwrap();
    click(&browser, all).await;
    said(&browser, "Cancelled in ten seconds: 3 jobs.").await;
    assert_eq!(room.last_deed().await.0, "cause.cancel");
    for id in &ids {
        assert_eq!(
            room.ask(&format!("/jobs/{id}")).await["reason"],
            "cancelling",
            "until then each can be kept"
        );
    }
    click(&browser, &format!("[formaction='/jobs/{}/keep']", ids[2])).await;
    logged(&room, "job.keep", &ids[2]).await;
    for id in &ids[..2] {
        room.workshop.person("user001").unwrap().wait_for(id, "cancelled").await.unwrap();
    }
    assert_eq!(room.ask(&format!("/jobs/{}", ids[2])).await["reason"], "on_hold");
    browser.wait_for("the kept one", says, vec![json!(all), json!("Cancel all 1")]).await.unwrap();
    browser.close().await.unwrap();
}

#[tokio::test]
async fn everything_can_be_done_with_the_keys_alone() {
    let room = Dashboard::open(WorkshopBuilder::new().workers(0)).await;
    let driver = Driver::start(&room.workshop.data()).await.unwrap();
    let ids = [room.submit("user001").await, room.submit("user002").await];
    let browser = open(&driver, &room, 1280, 720).await;
    press(&browser, "p").await;
    said(&browser, "Paused").await;
    assert_eq!(room.ask("/queue").await["paused"], true);
    press(&browser, "d").await;
    said(&browser, "Demo").await;
    press(&browser, "gq").await;
    let row = "return document.activeElement.closest('[data-row]')?.querySelector('[href^=\"/job/\"]').getAttribute('href') ?? null;";
    assert_eq!(browser.script(row, vec![]).await.unwrap(), json!(format!("/job/{}", ids[0])));
    let active = async || browser.page.active_element().await.unwrap();
    active().await.send_keys("j").await.unwrap();
    assert_eq!(browser.script(row, vec![]).await.unwrap(), json!(format!("/job/{}", ids[1])));
    active().await.send_keys(&Key::Delete.to_string()).await.unwrap();
    logged(&room, "job.cancel", &ids[1]).await;
    said(&browser, "cancelled in ten seconds").await;
    press(&browser, "u").await;
    logged(&room, "job.keep", &ids[1]).await;
    press(&browser, "m").await;
    let typing = "return document.activeElement.id;";
    assert_eq!(browser.script(typing, vec![]).await.unwrap(), json!("say-text"));
    active().await.send_keys("pd").await.unwrap();
    assert_eq!(room.ask("/queue").await["paused"], true, "letters in a text are letters");
    active().await.send_keys(&Key::Escape.to_string()).await.unwrap();
    press(&browser, "?").await;
    shown(&browser, "#help[open]").await;
    click(&browser, "#keys-off").await;
    click(&browser, "#help button.main").await;
    press(&browser, "p").await;
    let still = room.ask("/queue").await;
    assert_eq!(still["paused"], true, "keys that are switched off do nothing");
    press(&browser, "/").await;
    assert_ne!(browser.script(typing, vec![]).await.unwrap(), json!("find"));
    browser.close().await.unwrap();
}

#[tokio::test]
async fn a_card_signs_its_person_in_and_people_are_added_by_hand() {
    let room = Dashboard::open(WorkshopBuilder::new().workers(0)).await;
    let driver = Driver::start(&room.workshop.data()).await.unwrap();
    let browser = open(&driver, &room, 1280, 720).await;
    browser.page.goto(&format!("{}/people", room.admin)).await.unwrap();
    browser.page.find(Locator::Id("names")).await.unwrap().send_keys("maria").await.unwrap();
    click(&browser, "form[action='/people'] button").await;
    shown(&browser, "td.mono").await;
    browser.page.goto(&format!("{}/people", room.admin)).await.unwrap();
    click(&browser, "[data-check=none]").await;
    click(&browser, "[name=card-maria]").await;
    click(&browser, "form[action='/cards'] button.main").await;
    shown(&browser, ".cards svg path").await;
    let link =
        browser.page.find(Locator::Css(".cards a")).await.unwrap().attr("href").await.unwrap().unwrap();
    // The card has the port people usually come by; here the seats have another.
    let secret = link.rsplit('/').next().unwrap();
    browser.page.goto(&format!("{}/join/{secret}", room.workshop.front)).await.unwrap();
    click(&browser, "button[type=submit]").await;
    let seat = "return location.pathname === '/maria/';";
    browser.wait_for("maria's seat", seat, vec![]).await.unwrap();
    assert_eq!(
        room.call("maria", Method::GET, "/queue", Value::Null).await.0,
        401,
        "her password is nobody's"
    );
    browser.close().await.unwrap();
}
