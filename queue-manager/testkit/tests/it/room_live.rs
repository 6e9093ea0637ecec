//! The overview stays what it says it is: up to date, honest when it is not, and still under the pointer.

use std::time::Duration;

use futures_util::StreamExt;
use reqwest::Method;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use testkit::browser::Driver;
use testkit::{WorkshopBuilder, graphs};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::room_actions::open;
use crate::room_dashboard::Dashboard;

const LONG: Duration = Duration::from_secs(60);

const LIVE: &str =
    "return document.getElementById('live').textContent === 'Live' && !document.querySelector('.stale');";

type Socket = testkit::tab::Socket;

async fn listen(room: &Dashboard, version: &str) -> Socket {
    listen_as(room, &room.cookie, &format!("version={version}")).await.unwrap()
}

/// Opens the live feed with these cookies; an error where it does not open.
pub async fn listen_as(room: &Dashboard, cookie: &str, asked: &str) -> anyhow::Result<Socket> {
    let address = format!("{}/live?{asked}", room.admin.replacen("http", "ws", 1));
    let mut request = address.into_client_request()?;
    request.headers_mut().insert("cookie", cookie.parse()?);
    Ok(tokio_tungstenite::connect_async(request).await?.0)
}

pub async fn next(socket: &mut Socket) -> Value {
    let message = tokio::time::timeout(LONG, socket.next()).await.expect("a message").unwrap().unwrap();
    serde_json::from_str(message.to_text().unwrap()).unwrap()
}

#[tokio::test]
async fn a_page_is_told_what_is_new_since_it_was_made_and_a_stranger_everything() {
    let room = Dashboard::open(WorkshopBuilder::new().workers(0)).await;
    let page = room.get("/").await.html;
    let version = page.split("data-version=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let job = room.submit("user001").await;
    let mut known = listen(&room, &version).await;
    let update = next(&mut known).await;
    assert_eq!(update["from"], version);
    let queue = &update["change"]["zones"]["queue"];
    let [came] = &queue["came"].as_array().unwrap()[..] else { panic!("{update}") };
    assert!(queue["rows"][came.as_str().unwrap()].as_str().unwrap().contains(&job), "{update}");
    assert!(
        update["change"]["zones"].get("people").is_none_or(|people| people.get("order").is_none()),
        "{update}"
    );
    let mut stranger = listen(&room, "another-1").await;
    let all = next(&mut stranger).await;
    assert_eq!(all["from"], Value::Null);
    assert_eq!(all["change"]["zones"]["people"]["order"], json!(["p-user001", "p-user002"]));
    // From here both are told the same.
    room.call("instructor", Method::PATCH, "/queue", json!({"paused": true})).await;
    for socket in [&mut known, &mut stranger] {
        let told = loop {
            let update = next(socket).await;
            if update["change"]["zones"]["controls"].is_object() {
                break update;
            }
        };
        assert!(told["change"]["zones"]["controls"]["rows"]["controls"].as_str().unwrap().contains("Resume"));
    }
}

#[tokio::test]
async fn the_feed_ends_with_the_session_and_has_no_stranger() {
    let room = Dashboard::open(WorkshopBuilder::new().workers(0)).await;
    let mut socket = listen(&room, "").await;
    next(&mut socket).await;
    room.call("instructor", Method::POST, "/accounts/instructor/sign-out", Value::Null).await;
    let ended = tokio::time::timeout(LONG, async { while let Some(Ok(_)) = socket.next().await {} });
    ended.await.expect("whoever is signed out is told nothing more");
    for (cookie, origin) in [("", None), (room.cookie.as_str(), Some("http://evil.example"))] {
        let mut request =
            format!("{}/live", room.admin.replacen("http", "ws", 1)).into_client_request().unwrap();
        request.headers_mut().insert("cookie", cookie.parse().unwrap());
        if let Some(origin) = origin {
            request.headers_mut().insert("origin", origin.parse().unwrap());
        }
        assert!(tokio_tungstenite::connect_async(request).await.is_err());
    }
}

#[tokio::test]
async fn a_store_that_does_not_answer_is_said_and_the_page_does_not_call_itself_live() {
    let room = Dashboard::open(WorkshopBuilder::new().workers(0)).await;
    let driver = Driver::start(&room.workshop.data()).await.unwrap();
    let browser = open(&driver, &room, 1280, 720).await;
    let info = room.workshop.redis(&["info", "server"]).await.unwrap();
    let id = info.lines().find_map(|line| line.strip_prefix("process_id:")).unwrap().trim();
    let store = Pid::from_raw(id.parse().unwrap()).unwrap();
    kill_process(store, Signal::STOP).unwrap();
    let away = "const pill = document.getElementById('live'); return !document.getElementById('away').hidden \
        && pill.textContent.startsWith('No answer… ') && pill.className === 'pill off' \
        && document.body.classList.contains('stale');";
    let said = browser.wait_for("the honest pill", away, vec![]).await;
    kill_process(store, Signal::CONT).unwrap();
    said.unwrap();
    browser.wait_for("the page to be live again", LIVE, vec![]).await.unwrap();
    browser.close().await.unwrap();
}

#[tokio::test]
async fn whose_session_is_over_is_sent_to_sign_in() {
    let room = Dashboard::open(WorkshopBuilder::new().workers(0)).await;
    let driver = Driver::start(&room.workshop.data()).await.unwrap();
    let browser = open(&driver, &room, 1280, 720).await;
    room.call("instructor", Method::POST, "/accounts/instructor/sign-out", Value::Null).await;
    let sent = "return location.pathname === '/sign-in' && !!document.getElementById('password');";
    browser.wait_for("the page to sign in", sent, vec![]).await.unwrap();
    browser.close().await.unwrap();
}

#[tokio::test]
async fn a_row_that_waits_for_the_pointer_to_leave_is_up_to_date_when_it_is_shown() {
    let room = Dashboard::open(WorkshopBuilder::new().workers(0)).await;
    let first = room.submit("user001").await;
    let driver = Driver::start(&room.workshop.data()).await.unwrap();
    let browser = open(&driver, &room, 1280, 720).await;
    let row = |job: &str| vec![json!(format!("#zone-queue > :has([href=\"/job/{job}\"])"))];
    let hold = "document.querySelector(arguments[0]).focus(); return true;";
    browser.script(hold, row(&first)).await.unwrap();
    let second = room.submit("user002").await;
    let chip = "return !document.querySelector('[data-chip=queue]').hidden && !document.querySelector(arguments[0]);";
    browser.wait_for("the row to wait", chip, row(&second)).await.unwrap();
    room.call("instructor", Method::PATCH, "/queue", json!({"mode": "round_robin"})).await;
    let why = "return document.querySelector(arguments[0])?.querySelector('[data-c=why]').textContent === 'their next turn';";
    browser.wait_for("the new reason", why, row(&first)).await.unwrap();
    let show = "document.querySelector('[data-chip=queue]').click(); return true;";
    browser.script(show, vec![]).await.unwrap();
    assert_eq!(browser.script(why, row(&second)).await.unwrap(), json!(true));
    browser.close().await.unwrap();
}

#[tokio::test]
async fn a_menu_says_how_many_wait_now_and_keeps_the_price_that_was_set() {
    let room = Dashboard::open(WorkshopBuilder::new().workers(0)).await;
    let driver = Driver::start(&room.workshop.data()).await.unwrap();
    let browser = open(&driver, &room, 1280, 720).await;
    room.submit("user001").await;
    let now = "return document.querySelector('label[for=clear]').textContent.endsWith('(now 1)');";
    browser.wait_for("how many wait now", now, vec![]).await.unwrap();
    let set = "const field = document.getElementById('price'); field.closest('details').open = true; field.value = '1,50'; \
        field.form.querySelector('button').click(); return true;";
    browser.script(set, vec![]).await.unwrap();
    let kept = "const field = document.getElementById('price'); return !field.closest('details').open && field.value === '1,50';";
    browser.wait_for("the price that was set", kept, vec![]).await.unwrap();
    browser.close().await.unwrap();
}

#[tokio::test]
async fn a_killed_queue_manager_is_said_and_the_page_comes_back_by_itself() {
    let mut room = Dashboard::open(WorkshopBuilder::new().workers(1)).await;
    let driver = Driver::start(&room.workshop.data()).await.unwrap();
    let browser = open(&driver, &room, 1280, 720).await;
    room.workshop.queue_manager.kill().await.unwrap();
    let off = "return document.getElementById('live').textContent.startsWith('Reconnecting') \
        && document.body.classList.contains('stale');";
    browser.wait_for("the honest pill", off, vec![]).await.unwrap();
    let page = room.get("/").await;
    assert_eq!(page.status, 503);
    assert!(page.html.contains("The queue is not answering") && page.html.contains("Running jobs continue"));
    let form = room.post("/cards", &[]).await;
    assert!(
        form.status == 503 && form.html.contains("content=\"5;url=/\""),
        "it tries a page: {}",
        form.html
    );
    room.workshop.restart_queue_manager().await.unwrap();
    browser.wait_for("the page to be live again", LIVE, vec![]).await.unwrap();
    let id = room.submit("user001").await;
    let ada = room.workshop.person("user001").unwrap();
    ada.wait_for(&id, "completed").await.unwrap();
    let had = "return document.querySelector('#p-user001 progress').value > 0;";
    browser.wait_for("what happened meanwhile", had, vec![]).await.unwrap();
    browser.close().await.unwrap();
}

#[tokio::test]
async fn twenty_people_and_three_gpus_fit_on_one_screen_and_twice_enlarged_below_each_other() {
    let room = Dashboard::open(WorkshopBuilder::new().workers(3).people(20).step_ms(100)).await;
    for n in 1..=20 {
        let person = room.workshop.person(&format!("user{n:03}")).unwrap();
        person.submit(&graphs::sampled_picture(n, 3_000)).await.unwrap();
    }
    let driver = Driver::start(&room.workshop.data()).await.unwrap();
    let browser = open(&driver, &room, 1280, 720).await;
    browser.show_at(1280, 720).await.unwrap();
    let three = "return document.querySelectorAll('#zone-lanes progress').length === 3;";
    browser.wait_for("three lanes at work", three, vec![]).await.unwrap();
    let fits = "const inside = (one) => { const box = one.getBoundingClientRect(); \
        return box.top >= 0 && box.bottom <= innerHeight && box.left >= 0 && box.right <= innerWidth; }; \
        return document.documentElement.scrollHeight <= innerHeight && document.querySelectorAll('.tile').length === 20 \
        && [...document.querySelectorAll('.tile, .lane, #headline')].every(inside);";
    assert_eq!(browser.script(fits, vec![]).await.unwrap(), json!(true));
    let cut = "return [...document.querySelectorAll('.tile .state')].filter((one) => one.scrollWidth > one.clientWidth + 1).length;";
    assert_eq!(browser.script(cut, vec![]).await.unwrap(), json!(0), "no state is cut off");
    // Enlarged to twice the size, everything is still there, one below the other.
    browser.show_at(640, 360).await.unwrap();
    let wide = "return document.documentElement.scrollWidth <= innerWidth;";
    assert_eq!(browser.script(wide, vec![]).await.unwrap(), json!(true));
    browser.close().await.unwrap();
}
