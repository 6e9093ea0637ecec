//! The workshop panel in the unmodified editor: what a person reads there, and that nothing depends on it.

use fantoccini::Locator;
use fantoccini::actions::{InputSource, MOUSE_BUTTON_LEFT, MouseActions, PointerAction};
use serde_json::{Value, json};
use testkit::browser::{Browser, Driver};
use testkit::process::repository;
use testkit::{Workshop, WorkshopBuilder, graphs, waiting};

const ARROW_DOWN: char = '\u{e015}';

async fn reads(browser: &Browser, what: &str) {
    let bar = "const bar = document.querySelector('.atelier-bar'); \
        return bar && [...bar.children].filter((part) => !part.matches('.atelier-hidden')) \
            .some((part) => part.textContent.includes(arguments[0])) || null;";
    browser.wait_for(&format!("the bar to say {what}"), bar, vec![json!(what)]).await.unwrap();
}

async fn press(browser: &Browser, within: &str, text: &str) {
    let find = format!("//*[contains(@class, '{within}')]//button[text()='{text}']");
    browser.page.wait().for_element(Locator::XPath(&find)).await.unwrap().click().await.unwrap();
}

async fn shot(browser: &Browser, name: &str) {
    browser.screenshot(&repository().join(format!("screenshots/panel-{name}.png"))).await.unwrap();
}

async fn open(workshop: &Workshop, driver: &Driver, (width, height): (u32, u32)) -> Browser {
    let browser = driver.browser(width, height).await.unwrap();
    browser.open_seat(&workshop.front, "user001", workshop.password("user001").unwrap()).await.unwrap();
    browser
}

async fn say(workshop: &Workshop, method: reqwest::Method, path: &str, body: &Value) {
    let url = format!("{}/api/v1{path}", workshop.direct);
    let request = reqwest::Client::new().request(method, url).json(body);
    let answer = request.basic_auth("instructor", workshop.password("instructor").ok()).send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
}

#[tokio::test]
async fn the_bar_says_where_a_job_stands_and_why() {
    let workshop = WorkshopBuilder::new().with_frontend().step_ms(50).start().await.unwrap();
    let driver = Driver::start(&workshop.data()).await.unwrap();
    let browser = open(&workshop, &driver, (1280, 800)).await;
    reads(&browser, "Ready").await;
    reads(&browser, "simulated").await;

    let ben = workshop.person("user002").unwrap();
    let film = ben.submit(&graphs::sampled_picture(1, 5_000)).await.unwrap();
    ben.wait_for(&film, "running").await.unwrap();
    ben.submit(&graphs::sampled_picture(2, 40)).await.unwrap();
    browser.run(&graphs::sampled_picture(7, 100), "user001").await.unwrap();
    reads(&browser, "in line").await;
    let pause = |paused| json!({"paused": paused});
    say(&workshop, reqwest::Method::PATCH, "/queue", &pause(true)).await;
    reads(&browser, "Paused by your instructor").await;
    reads(&browser, "Your place is kept").await;
    say(&workshop, reqwest::Method::POST, "/messages", &json!({"text": "Lunch until one."})).await;
    reads(&browser, "Lunch until one.").await;
    shot(&browser, "paused").await;
    browser
        .page
        .find(Locator::Css("[aria-label='Dismiss this message']"))
        .await
        .unwrap()
        .click()
        .await
        .unwrap();
    let gone = "return !document.querySelector('.atelier-bar').textContent.includes('Lunch');";
    browser.wait_for("the message to go", gone, vec![]).await.unwrap();
    say(&workshop, reqwest::Method::PATCH, "/queue", &pause(false)).await;
    reads(&browser, "in line").await;

    press(&browser, "atelier-bar", "Cancel").await;
    reads(&browser, "Will be cancelled").await;
    press(&browser, "atelier-bar", "Undo").await;
    reads(&browser, "in line").await;
    browser.page.find(Locator::Css(".atelier-chip")).await.unwrap().click().await.unwrap();
    let listed = "return document.querySelectorAll('.atelier-jobs li').length === 1 || null;";
    browser.wait_for("the list", listed, vec![]).await.unwrap();
    let delete = format!("/jobs/{film}/cancel");
    ben.post(&format!("/api/v1{delete}"), &json!({})).await.unwrap();
    reads(&browser, " %").await;
    shot(&browser, "running").await;
    reads(&browser, "Done in").await;
    let pictured = "const image = document.querySelector('.atelier-jobs img'); return image && image.naturalWidth > 0 || null;";
    browser.wait_for("the picture in the list", pictured, vec![]).await.unwrap();
    shot(&browser, "done").await;
    browser.close().await.unwrap();

    let phone = open(&workshop, &driver, (360, 740)).await;
    reads(&phone, "Done in").await;
    shot(&phone, "phone").await;
    phone.close().await.unwrap();
}

/// Takes the row of one job with the mouse and lets go of it over another's.
async fn drag(browser: &Browser, job: &str, onto: &str) {
    let handle = async |job: &str| {
        let css = format!(".atelier-jobs [data-job=\"{job}\"] .atelier-handle");
        browser.page.wait().for_element(Locator::Css(&css)).await.unwrap()
    };
    let to = |element| PointerAction::MoveToElement { element, duration: None, x: 0.0, y: 0.0 };
    let mouse = MouseActions::new("mouse".to_owned())
        .then(to(handle(job).await))
        .then(PointerAction::Down { button: MOUSE_BUTTON_LEFT })
        .then(to(handle(onto).await))
        .then(PointerAction::Up { button: MOUSE_BUTTON_LEFT });
    browser.page.perform_actions(mouse).await.unwrap();
}

#[tokio::test]
async fn ones_own_jobs_change_places_by_mouse_and_by_keys() {
    let workshop = WorkshopBuilder::new().with_frontend().step_ms(50).start().await.unwrap();
    let (ada, ben) = (workshop.person("user001").unwrap(), workshop.person("user002").unwrap());
    let film = ben.submit(&graphs::sampled_picture(1, 5_000)).await.unwrap();
    ben.wait_for(&film, "running").await.unwrap();
    let mut jobs = Vec::new();
    for seed in 0..3 {
        jobs.push(ada.submit(&graphs::sampled_picture(seed, 5)).await.unwrap());
    }
    let driver = Driver::start(&workshop.data()).await.unwrap();
    let browser = open(&workshop, &driver, (1280, 800)).await;
    browser.click(".atelier-chip").await.unwrap();
    let shown = async |order: [&String; 3]| {
        let look = "return [...document.querySelectorAll('.atelier-jobs li')].map((row) => row.dataset.job).join() === arguments[0];";
        let order = order.map(String::as_str).join(",");
        browser.wait_for("the order", look, vec![json!(order)]).await.unwrap();
    };
    shown([&jobs[0], &jobs[1], &jobs[2]]).await;
    drag(&browser, &jobs[2], &jobs[0]).await;
    shown([&jobs[2], &jobs[0], &jobs[1]]).await;
    let position = ada.json(&format!("/api/v1/jobs/{}", jobs[2])).await.unwrap()["position"].clone();
    assert_eq!(position, 1, "the queue has it there as well");
    // The one that was dragged has the focus still, wherever it is now.
    browser.press(&[ARROW_DOWN]).await.unwrap();
    shown([&jobs[0], &jobs[2], &jobs[1]]).await;
    browser.press(&[ARROW_DOWN]).await.unwrap();
    shown([&jobs[0], &jobs[1], &jobs[2]]).await;
    browser.click(".atelier-list summary").await.unwrap();
    browser.shows("GPU time used so far: you 0 min, everybody together").await.unwrap();
    shot(&browser, "dragged").await;
    browser.close().await.unwrap();
}

#[tokio::test]
async fn jobs_that_a_power_cut_took_are_named_and_sent_again() {
    let mut workshop = WorkshopBuilder::new().with_frontend().start().await.unwrap();
    let driver = Driver::start(&workshop.data()).await.unwrap();
    let browser = open(&workshop, &driver, (1280, 800)).await;
    reads(&browser, "Ready").await;
    workshop.workers[0].kill().await.unwrap();
    // What the disk has when the power goes: everything but the last job.
    let store = workshop.data().join("redis/appendonlydir");
    let disk = workshop.data().join("redis/what-the-disk-has");
    workshop.redis(&["bgrewriteaof"]).await.unwrap();
    waiting::until("the log to be rewritten", testkit::browser::PATIENCE, async || {
        let info = workshop.redis(&["info", "persistence"]).await?;
        Ok((info.contains("aof_rewrite_in_progress:0") && info.contains("aof_rewrite_scheduled:0"))
            .then_some(()))
    })
    .await
    .unwrap();
    copy(&store, &disk);
    browser.run(&graphs::sampled_picture(7, 5), "user001").await.unwrap();
    reads(&browser, "Next in line").await;
    let ada = workshop.person("user001").unwrap();
    let before = ada.json("/api/v1/jobs").await.unwrap()["jobs"][0]["id"].clone();
    workshop.queue_manager.kill().await.unwrap();
    reads(&browser, "Reconnecting…").await;
    reads(&browser, "Your jobs continue.").await;
    shot(&browser, "reconnecting").await;
    workshop.kill_redis().await.unwrap();
    std::fs::remove_dir_all(&store).unwrap();
    copy(&disk, &store);
    workshop.restart_queue_manager().await.unwrap();
    reads(&browser, "1 job was lost").await;
    shot(&browser, "lost").await;
    press(&browser, "atelier-bar", "Send again").await;
    reads(&browser, "Next in line").await;
    let after = ada.json("/api/v1/jobs").await.unwrap()["jobs"].clone();
    assert_eq!((after.as_array().unwrap().len(), &after[0]["id"]), (1, &before), "the same job");
    browser.close().await.unwrap();
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[tokio::test]
async fn with_the_panel_switched_off_everything_else_works() {
    let workshop = WorkshopBuilder::new().with_frontend().start().await.unwrap();
    let driver = Driver::start(&workshop.data()).await.unwrap();
    let ada = workshop.person("user001").unwrap();
    ada.post("/user001/api/settings", &json!({"Comfy.Extension.Disabled": ["Atelier.Workshop"]}))
        .await
        .unwrap();
    let browser = open(&workshop, &driver, (1280, 800)).await;
    browser.run(&graphs::sampled_picture(7, 5), "user001").await.unwrap();
    browser.picture_on_a_node().await.unwrap();
    let bars =
        browser.script("return document.querySelectorAll('.atelier-bar').length;", vec![]).await.unwrap();
    assert_eq!(bars, json!(0));
    browser.close().await.unwrap();
}
