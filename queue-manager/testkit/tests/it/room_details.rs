//! What the dashboard shows of one job, one worker and one person: pictures after "open" and not before, the models that a
//! GPU used last, and a sign-out that can be taken back.

use std::time::Duration;

use fantoccini::Locator;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::browser::Driver;
use testkit::{WorkshopBuilder, graphs, tab, waiting};

use crate::room_actions::open;
use crate::room_dashboard::Dashboard;
use crate::room_live::next;

const LONG: Duration = Duration::from_secs(30);

#[tokio::test]
async fn pictures_are_shown_after_open_which_is_logged_and_never_before() {
    let room = Dashboard::open(WorkshopBuilder::new().workers(1)).await;
    let ada = room.workshop.person("user001").unwrap();
    let job = ada.submit(&graphs::sampled_picture(1, 2)).await.unwrap();
    ada.wait_for(&job, "completed").await.unwrap();
    let api = format!("/jobs/{job}/pictures/0");
    let picture = format!("/job/{job}/picture/0");
    let (status, problem) = room.call("instructor", Method::GET, &api, Value::Null).await;
    assert_eq!((status, &problem["code"]), (409, &json!("wrong_state")));
    assert_eq!(room.get(&picture).await.status, 409);
    let before = room.get(&format!("/job/{job}")).await.html;
    assert!(!before.contains("<img") && !before.contains("a cat") && !before.contains(".png"), "{before}");

    let driver = Driver::start(&room.workshop.data()).await.unwrap();
    let browser = open(&driver, &room, 1280, 720).await;
    browser.page.goto(&format!("{}/job/{job}", room.admin)).await.unwrap();
    let button = format!("form[action='/job/{job}/open'] button");
    browser.page.find(Locator::Css(&button)).await.unwrap().click().await.unwrap();
    let seen = "const picture = document.querySelector('.opened img'); return picture?.naturalWidth > 0 \
        && new URL(picture.src).origin === location.origin && document.querySelector('.workflow').textContent.includes('a cat');";
    browser.wait_for("the picture", seen, vec![]).await.unwrap();
    assert_eq!(room.last_deed().await, ("job.open".to_owned(), job.clone()));

    // It is made anew: neither the file's name nor the workflow that ComfyUI puts into every picture is in it.
    let url = format!("{}/api/v1{api}", room.workshop.direct);
    let password = room.workshop.password("instructor").ok();
    let answer = reqwest::Client::new().get(url).basic_auth("instructor", password).send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "image/webp");
    assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
    let bytes = answer.bytes().await.unwrap();
    assert!(bytes.starts_with(b"RIFF") && !bytes.windows(5).any(|five| five == b"a cat"));
    let policy = room.header("content-security-policy", &picture).await;
    assert!(policy.starts_with("default-src 'none'") && policy.contains("img-src 'self';"), "{policy}");

    assert_eq!(room.get(&format!("/job/{job}/picture/7")).await.status, 404);
    let plain = room.get(&format!("/job/{job}")).await.html;
    assert!(!plain.contains("<img"), "who comes back opens it anew");
    browser.close().await.unwrap();
}

#[tokio::test]
async fn names_of_files_are_their_owners_until_the_job_is_opened_and_in_no_list() {
    let room = Dashboard::open(WorkshopBuilder::new().workers(1)).await;
    let ada = room.workshop.person("user001").unwrap();
    let job = ada.submit(&graphs::sampled_picture(1, 2)).await.unwrap();
    let own = ada.wait_for(&job, "completed").await.unwrap();
    assert_eq!((&own["files"], own["outputs"].as_array().unwrap().len()), (&json!(1), 1));
    let name = own["outputs"][0]["filename"].as_str().unwrap().to_owned();
    let lists = async || {
        for path in ["/jobs", "/jobs?participant=user001"] {
            let list = room.ask(path).await;
            assert!(list["jobs"][0]["files"] == 1 && !list.to_string().contains(&name), "{list}");
        }
        let export = room.get("/export/history.json").await.html;
        assert!(export.contains("\"files\":1") && !export.contains(&name), "{export}");
        let feed = format!("{}/api/v1/feed", room.workshop.direct);
        let who = tab::basic("instructor", room.workshop.password("instructor").unwrap()).unwrap();
        let snapshot = next(&mut tab::connect(&feed, &who).await.unwrap()).await;
        assert!(snapshot.to_string().contains(&job) && !snapshot.to_string().contains(&name), "{snapshot}");
    };
    lists().await;
    for path in [format!("/jobs/{job}"), format!("/jobs/{job}/story")] {
        let closed = room.ask(&path).await.to_string();
        assert!(closed.contains("\"files\":1") && !closed.contains(&name), "{closed}");
    }
    let mine = ada.json("/api/v1/jobs").await.unwrap();
    assert_eq!(mine["jobs"][0]["outputs"][0]["filename"], name);
    room.call("instructor", Method::POST, &format!("/jobs/{job}/open"), Value::Null).await;
    for path in [format!("/jobs/{job}"), format!("/jobs/{job}/story")] {
        assert!(room.ask(&path).await.to_string().contains(&name), "it was opened: {path}");
    }
    lists().await;
}

#[tokio::test]
async fn a_gpu_says_which_models_it_used_last() {
    let room = Dashboard::open(WorkshopBuilder::new().workers(1)).await;
    assert_eq!(room.ask("/room").await["workers"][0]["last_models"], json!([]));
    let ada = room.workshop.person("user001").unwrap();
    let job = ada.submit(&graphs::sampled_picture(1, 2)).await.unwrap();
    ada.wait_for(&job, "completed").await.unwrap();
    let models = room.ask("/room").await["workers"][0]["last_models"].clone();
    let model = models[0].as_str().unwrap().to_owned();
    assert!(model.ends_with(".safetensors") && models.as_array().unwrap().len() == 1, "{models}");
    let page = room.get("/workers").await.html;
    assert!(page.contains(&model) && page.contains("ComfyUI does not say"), "{page}");
    assert!(room.get("/").await.html.contains(&format!("last used {model}")));
}

#[tokio::test]
async fn whoever_is_signed_out_by_a_click_stays_if_that_is_taken_back_and_is_out_if_not() {
    let room = Dashboard::open(WorkshopBuilder::new().workers(0)).await;
    let session = json!({"name": "user001", "password": room.workshop.password("user001").unwrap()});
    let (_, signed_in) = room.call("user001", Method::POST, "/session", session).await;
    let token = signed_in["token"].as_str().unwrap().to_owned();
    let url = |path: &str| format!("{}/api/v1{path}", room.workshop.direct);
    let mut tab = reqwest::Client::new().get(url("/events")).bearer_auth(&token).send().await.unwrap();
    let driver = Driver::start(&room.workshop.data()).await.unwrap();
    let browser = open(&driver, &room, 1280, 720).await;
    browser.page.goto(&format!("{}/person/user001", room.admin)).await.unwrap();
    let click = async |css: &str| {
        browser.page.wait().for_element(Locator::Css(css)).await.unwrap().click().await.unwrap();
    };
    let due = async || {
        let people = room.ask("/room").await["people"].as_array().unwrap().clone();
        people.into_iter().find(|one| one["name"] == "user001").unwrap()["signing_out_at"].clone()
    };
    click("[formaction='/people/user001/sign-out']").await;
    click("#said button").await;
    let back = waiting::until("it to be taken back", LONG, async || {
        Ok((room.last_deed().await.0 == "account.stay").then_some(()))
    });
    back.await.unwrap();
    assert_eq!(due().await, Value::Null);
    let (status, problem) =
        room.call("instructor", Method::POST, "/accounts/user001/stay", Value::Null).await;
    assert!(status == 409 && problem["detail"].as_str().unwrap().contains("not about to be"), "{problem}");

    click("[formaction='/people/user001/sign-out']").await;
    waiting::until("the time", LONG, async || Ok(Some(due().await).filter(Value::is_u64))).await.unwrap();
    let page = room.get("/person/user001").await.html;
    assert!(page.contains("Keep signed in") && page.contains("data-until"), "also without scripts: {page}");
    let still = reqwest::Client::new().get(url("/queue")).bearer_auth(&token).send().await.unwrap();
    assert_eq!(still.status(), 200, "for ten seconds");
    let ended = tokio::time::timeout(LONG, async { while let Ok(Some(_)) = tab.chunk().await {} });
    ended.await.expect("then every tab is closed");
    waiting::until("the session to be over", LONG, async || {
        let answer = reqwest::Client::new().get(url("/queue")).bearer_auth(&token).send().await?;
        Ok((answer.status() == 401).then_some(()))
    })
    .await
    .unwrap();
    assert_eq!(due().await, Value::Null);
    browser.close().await.unwrap();
}
