//! Several windows of one instructor: names that are hidden in one are hidden in all, a window too many says so, and an
//! answer that was lost makes no button lie.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use testkit::browser::Driver;
use testkit::{WorkshopBuilder, tab, waiting};

use crate::room_actions::{click, open, shown};
use crate::room_dashboard::Dashboard;
use crate::room_live::{listen_as, next};

const LONG: Duration = Duration::from_secs(30);

async fn named_room() -> Dashboard {
    let room = Dashboard::open(WorkshopBuilder::new().workers(0)).await;
    let ada = json!({"label": "Ada Lovelace", "seat": 1});
    room.call("instructor", Method::PATCH, "/accounts/user001", ada).await;
    room
}

#[tokio::test]
async fn a_window_that_was_made_with_another_look_is_told_to_look_again_and_nothing_else() {
    let room = named_room().await;
    let page = room.get("/").await.html;
    assert!(page.contains("data-look=\".open\""), "{page}");
    let version = page.split("data-version=\"").nth(1).unwrap().split('"').next().unwrap();
    let hidden = format!("{}; atelier-look=.hidden", room.cookie);
    let mut old = listen_as(&room, &hidden, &format!("version={version}&look=.open")).await.unwrap();
    assert_eq!(next(&mut old).await, json!({"look": ".hidden"}));
    let mut new = listen_as(&room, &hidden, "look=.hidden").await.unwrap();
    let told = next(&mut new).await.to_string();
    assert!(told.contains("Seat 1") && !told.contains("Lovelace"), "{told}");
}

#[tokio::test]
async fn hidden_names_go_from_every_window_of_the_browser_at_once() {
    let room = named_room().await;
    let driver = Driver::start(&room.workshop.data()).await.unwrap();
    let browser = open(&driver, &room, 1280, 720).await;
    let names = "return document.body.textContent.includes(arguments[0]);";
    browser.wait_for("her name", names, vec![json!("Ada Lovelace")]).await.unwrap();
    let projector = browser.page.window().await.unwrap();
    let other = browser.page.new_window(false).await.unwrap();
    browser.page.switch_to_window(other.handle).await.unwrap();
    browser.page.goto(&format!("{}/people", room.admin)).await.unwrap();
    click(&browser, ".looks button[value=hide]").await;
    shown(&browser, ".looks button[value=show]").await;
    browser.page.switch_to_window(projector).await.unwrap();
    browser.wait_for("her seat", names, vec![json!("Seat 1")]).await.unwrap();
    let seen = browser.script(names, vec![json!("Ada Lovelace")]).await.unwrap();
    assert_eq!(seen, json!(false));
    browser.close().await.unwrap();
}

#[tokio::test]
async fn a_window_too_many_says_why_it_is_not_kept_up_to_date_until_another_is_closed() {
    let room = named_room().await;
    let feed = format!("{}/api/v1/feed", room.workshop.direct);
    let instructor = tab::basic("instructor", room.workshop.password("instructor").unwrap()).unwrap();
    let mut others = Vec::new();
    for _ in 0..16 {
        others.push(tab::connect(&feed, &instructor).await.unwrap());
    }
    let mut one_more = listen_as(&room, &room.cookie, "").await.unwrap();
    let told = next(&mut one_more).await;
    assert!(told["shut"].as_str().unwrap().starts_with("You have 16 tabs or feeds open"), "{told}");

    let driver = Driver::start(&room.workshop.data()).await.unwrap();
    let browser = driver.browser(1280, 720).await.unwrap();
    browser.sign_in(&room.admin, "instructor", room.workshop.password("instructor").unwrap()).await.unwrap();
    let says = "const away = document.getElementById('away'); return !!away && !away.hidden \
        && away.textContent.includes('You have 16 tabs or feeds open') \
        && document.body.classList.contains('stale');";
    browser.wait_for("the sentence", says, vec![]).await.unwrap();
    others.truncate(10);
    let live = "return document.getElementById('live').textContent === 'Live' \
        && document.getElementById('away').hidden;";
    browser.wait_for("the page to be live", live, vec![]).await.unwrap();
    browser.close().await.unwrap();
}

#[tokio::test]
async fn a_button_does_what_it_says_also_after_answers_were_lost() {
    let room = named_room().await;
    let driver = Driver::start(&room.workshop.data()).await.unwrap();
    let browser = open(&driver, &room, 1280, 720).await;
    let lossy = "const real = window.fetch; let lost = 2; window.fetch = async (...asked) => { \
        const answer = await real(...asked); if (lost > 0) { lost -= 1; throw new Error('lost'); } return answer; };";
    browser.script(lossy, vec![]).await.unwrap();
    for (verb, paused) in [("pause", true), ("resume", false), ("pause", true)] {
        click(&browser, &format!("[formaction='/do/{verb}']")).await;
        let done = waiting::until(verb, LONG, async || {
            Ok((room.ask("/queue").await["paused"] == paused).then_some(()))
        });
        done.await.unwrap();
    }
    browser.close().await.unwrap();
}
