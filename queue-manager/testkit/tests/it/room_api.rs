//! What the dashboard asks of the API, asked by a script: the room, demonstrations, one job each, causes, links.

use std::time::Duration;

use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use testkit::{WorkshopBuilder, graphs, waiting};

use crate::room_dashboard::Dashboard;

const LONG: Duration = Duration::from_secs(30);

async fn without_workers() -> Dashboard {
    Dashboard::open(WorkshopBuilder::new().workers(0).people(3)).await
}

fn order(room: &Value) -> Vec<String> {
    let jobs = room["waiting"].as_array().unwrap().iter();
    jobs.map(|job| job["participant"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_demonstration_puts_ones_next_job_first_and_ends_with_it() {
    let room = without_workers().await;
    room.submit("user001").await;
    let (status, _) = room.call("instructor", Method::POST, "/queue/demo", json!({})).await;
    assert_eq!(status, 204);
    assert_eq!(room.ask("/queue").await["demo"]["participant"], "instructor");
    let told = room.call("user002", Method::GET, "/queue", Value::Null).await.1;
    assert_eq!(told["demo"]["jobs"], 1, "everybody may know why they wait");
    room.submit("user002").await;
    room.submit("instructor").await;
    room.submit("instructor").await;
    let seen = room.ask("/room").await;
    assert_eq!(order(&seen), ["instructor", "user001", "user002", "instructor"]);
    assert_eq!(room.ask("/queue").await.get("demo"), None, "over after its one job");
    let deeds = room.ask("/audit").await;
    assert_eq!(deeds["entries"][0]["what"], "demo.begin");
    assert_eq!(room.call("user001", Method::POST, "/queue/demo", json!({})).await.0, 403);
    let end = async || room.call("instructor", Method::DELETE, "/queue/demo", Value::Null).await.0;
    assert_eq!(end().await, 204, "its one job still waits");
    assert_eq!(order(&room.ask("/room").await), ["user001", "user002", "instructor", "instructor"]);
    assert_eq!(end().await, 409, "there is none");
    assert_eq!(room.ask("/audit").await["entries"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn while_it_is_one_job_each_nobody_gets_a_second() {
    let room = Dashboard::open(WorkshopBuilder::new()).await;
    let each = |on: bool| room.call("instructor", Method::PATCH, "/queue", json!({"one_each": on}));
    each(true).await;
    let mut ids = Vec::new();
    for who in ["user001", "user001", "user002"] {
        ids.push(room.submit(who).await);
    }
    let (ada, ben) = (room.workshop.person("user001").unwrap(), room.workshop.person("user002").unwrap());
    ada.wait_for(&ids[0], "completed").await.unwrap();
    ben.wait_for(&ids[2], "completed").await.unwrap();
    assert_eq!(ada.job(&ids[1]).await.unwrap()["state"], "pending");
    assert_eq!(room.ask("/queue").await["one_each"], true);
    each(true).await;
    ada.wait_for(&ids[1], "completed").await.unwrap();
    let last = room.submit("user001").await;
    assert_eq!(ada.job(&last).await.unwrap()["state"], "pending", "said again, it is one more and not all");
    each(false).await;
    ada.wait_for(&last, "completed").await.unwrap();
}

#[tokio::test]
async fn everything_that_waits_is_cleared_only_when_the_number_is_right() {
    let room = without_workers().await;
    for who in ["user001", "user002", "user001"] {
        room.submit(who).await;
    }
    let held = room.submit("user003").await;
    room.call("user003", Method::POST, &format!("/jobs/{held}/hold"), Value::Null).await;
    let clear =
        |expected: u64| room.call("instructor", Method::POST, "/queue/clear", json!({"expected": expected}));
    let (status, problem) = clear(3).await;
    assert_eq!((status, &problem["code"]), (409, &json!("wrong_state")));
    assert!(problem["detail"].as_str().unwrap().contains("4 jobs are waiting"));
    assert_eq!(clear(4).await, (200, json!({"jobs": 4, "refused": 0})));
    assert_eq!(room.ask("/queue").await["pending_jobs"], 0);
}

#[tokio::test]
async fn failures_of_one_cause_are_one_problem_and_one_click_retries_all() {
    let room = Dashboard::open(WorkshopBuilder::new()).await;
    let failing = |seed, how| graphs::misbehaving(graphs::sampled_picture(seed, 1), "3", how);
    for (who, seed, how) in [("user001", 1, "fail"), ("user002", 2, "fail"), ("user002", 3, "out_of_memory")]
    {
        let person = room.workshop.person(who).unwrap();
        let id = person.submit(&failing(seed, how)).await.unwrap();
        person.wait_for(&id, "failed").await.unwrap();
    }
    let seen = room.ask("/room").await;
    let problems = seen["problems"].as_array().unwrap();
    assert_eq!(problems.len(), 2);
    assert_eq!(problems[0]["exception"], "torch.OutOfMemoryError", "the newest first");
    let cause = problems.iter().find(|cause| cause["jobs"].as_array().unwrap().len() == 2).unwrap();
    assert_eq!(cause["people"], json!(["user002", "user001"]));
    assert_eq!(cause["node"], "KSampler");
    let path = format!("/causes/{}", cause["id"].as_str().unwrap());
    assert_eq!(room.call("user001", Method::POST, &format!("{path}/retry"), Value::Null).await.0, 403);
    let (status, done) = room.call("instructor", Method::POST, &format!("{path}/retry"), Value::Null).await;
    assert_eq!((status, done), (200, json!({"jobs": 2, "refused": 0})));
    let two_again = waiting::until("both to fail once more", LONG, async || {
        Ok((room.ask("/queue").await["failed_jobs"] == 5).then_some(()))
    });
    two_again.await.unwrap();
    assert_eq!(room.ask("/room").await["problems"].as_array().unwrap().len(), 2, "it still fails");
    assert_eq!(
        room.call("instructor", Method::POST, &format!("{path}/dismiss"), Value::Null).await.1["jobs"],
        2
    );
    let left = room.ask("/room").await;
    assert_eq!(left["problems"].as_array().unwrap().len(), 1);
    assert_eq!(room.call("instructor", Method::POST, &format!("{path}/dismiss"), Value::Null).await.0, 404);
}

#[tokio::test]
async fn an_action_with_an_id_happens_once() {
    let room = without_workers().await;
    let url = format!("{}/api/v1/messages", room.workshop.direct);
    let tell = |key: &'static str, text: &'static str| {
        let request =
            Client::new().post(&url).basic_auth("instructor", room.workshop.password("instructor").ok());
        request.header("idempotency-key", key).json(&json!({"text": text})).send()
    };
    let say = |key: &'static str| tell(key, "Break.");
    let first = say("11111111-aaaa").await.unwrap();
    let again = say("11111111-aaaa").await.unwrap();
    assert_eq!((first.status(), again.status()), (StatusCode::CREATED, StatusCode::CREATED));
    assert!(again.headers().contains_key("idempotent-replay"));
    assert_eq!(say("22222222-bbbb").await.unwrap().status(), 201);
    assert_eq!(say("short").await.unwrap().status(), 400);
    let other = tell("11111111-aaaa", "Go on.").await.unwrap();
    assert!(other.status() == 201 && !other.headers().contains_key("idempotent-replay"), "said is said");
    assert_eq!(room.ask("/messages").await["messages"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_workflow_larger_than_a_form_is_submitted_once_by_the_id_of_its_action() {
    let room = without_workers().await;
    let ada = room.workshop.person("user001").unwrap();
    let body = json!({"workflow": graphs::white_picture(), "extra_data": {"note": "x".repeat(100_000)}});
    let submit = || {
        ada.request(Method::POST, "/api/v1/jobs")
            .header("idempotency-key", "33333333-cccc")
            .json(&body)
            .send()
    };
    let (first, again) = (submit().await.unwrap(), submit().await.unwrap());
    assert_eq!((first.status(), again.status()), (StatusCode::CREATED, StatusCode::CREATED));
    assert!(again.headers().contains_key("idempotent-replay"));
    assert_eq!(ada.json("/api/v1/jobs").await.unwrap()["jobs"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_link_opens_a_seat_once_and_only_by_its_button() {
    let room = without_workers().await;
    let (status, link) = room.call("instructor", Method::POST, "/accounts/user001/link", Value::Null).await;
    assert_eq!(status, 201);
    let url = format!("{}{}", room.workshop.front, link["path"].as_str().unwrap());
    let client = Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    for _ in 0..2 {
        let page = client.get(&url).send().await.unwrap().text().await.unwrap();
        assert!(page.contains("seat of <strong>user001</strong>"), "looking at it uses nothing up: {page}");
    }
    let other = client.post(&url).header("sec-fetch-site", "cross-site").send().await.unwrap();
    assert_eq!(other.status(), 403, "no other site signs anybody in");
    let opened = client.post(&url).send().await.unwrap();
    assert_eq!(opened.headers()["location"], "/user001/");
    let cookie = opened.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let seat = client.get(format!("{}/user001/", room.workshop.front)).header("cookie", cookie);
    assert_eq!(seat.send().await.unwrap().status(), 200);
    let again = client.post(&url).send().await.unwrap();
    assert!(again.headers().get("set-cookie").is_none());
    assert!(again.text().await.unwrap().contains("was used already"));
    let secret = link["path"].as_str().unwrap().rsplit('/').next().unwrap();
    let keys = room.workshop.redis(&["keys", "*"]).await.unwrap();
    assert!(!keys.contains(secret) && !room.workshop.logs().contains(secret), "the secret is kept nowhere");
}

#[tokio::test]
async fn whoever_is_signed_out_everywhere_signs_in_with_the_same_password() {
    let room = without_workers().await;
    let session = json!({"name": "user001", "password": room.workshop.password("user001").unwrap()});
    let (_, signed_in) = room.call("user001", Method::POST, "/session", session.clone()).await;
    let token = signed_in["token"].as_str().unwrap().to_owned();
    assert_eq!(room.call("instructor", Method::POST, "/accounts/user001/sign-out", Value::Null).await.0, 204);
    let url = format!("{}/api/v1/queue", room.workshop.direct);
    waiting::until("the session to be over", LONG, async || {
        let answer = Client::new().get(&url).bearer_auth(&token).send().await?;
        Ok((answer.status() == StatusCode::UNAUTHORIZED).then_some(()))
    })
    .await
    .unwrap();
    assert_eq!(room.call("user001", Method::POST, "/session", session).await.0, 201);
}

#[tokio::test]
async fn the_room_says_who_had_what_and_a_jobs_story_what_happened() {
    let room = Dashboard::open(WorkshopBuilder::new().step_ms(30)).await;
    let ada = room.workshop.person("user001").unwrap();
    let id = ada.submit(&graphs::sampled_picture(1, 400)).await.unwrap();
    let step = waiting::until("a step of the sampler", LONG, async || {
        let seen = room.ask("/room").await;
        Ok(Some(seen["workers"][0]["step"].clone()).filter(|step| step["max"] == 400))
    });
    assert_eq!(step.await.unwrap()["node"], "KSampler");
    ada.wait_for(&id, "completed").await.unwrap();
    let seen = room.ask("/room").await;
    let person = seen["people"].as_array().unwrap().iter().find(|one| one["name"] == "user001").unwrap();
    assert!(person["used"]["gpu_ms"].as_u64().unwrap() >= 1_000, "{person}");
    assert_eq!((&person["used"]["completed"], &person["used"]["started"]), (&json!(1), &json!(1)));
    assert_eq!(seen["workers"][0]["jobs"], 1);
    let story = ada.json(&format!("/api/v1/jobs/{id}/story")).await.unwrap();
    let happened: Vec<_> =
        story["events"].as_array().unwrap().iter().map(|event| event["state"].as_str().unwrap()).collect();
    assert_eq!(happened, ["pending", "running", "completed"]);
    let ben = room.workshop.person("user002").unwrap();
    assert_eq!(ben.get(&format!("/api/v1/jobs/{id}/story")).await.unwrap().status(), 404);
    let (answered, opened) =
        room.call("instructor", Method::POST, &format!("/jobs/{id}/open"), Value::Null).await;
    assert_eq!((answered, &opened["workflow"]["6"]["inputs"]["text"]), (200, &json!("a cat")));
    assert_eq!(room.last_deed().await, ("job.open".to_owned(), id));
}

#[tokio::test]
async fn people_have_a_label_and_a_seat_and_the_room_is_in_that_order() {
    let room = without_workers().await;
    let place = |name: &str, body: Value| {
        let path = format!("/accounts/{name}");
        let room = &room;
        async move { room.call("instructor", Method::PATCH, &path, body).await }
    };
    place("user001", json!({"label": "Ada <b>", "seat": 3})).await;
    place("user003", json!({"seat": 1})).await;
    let seen = room.ask("/room").await;
    let names: Vec<_> =
        seen["people"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["user003", "user001", "instructor", "user002"]);
    assert_eq!(seen["people"][1]["label"], "Ada <b>", "a text, whatever is in it");
    assert_eq!(place("user001", json!({"label": "two\nlines"})).await.0, 400);
    assert_eq!(place("user001", json!({"label": "x".repeat(201)})).await.0, 400);
    assert_eq!(place("user001", json!({"seat": 0})).await.1["seat"], Value::Null);
    let list = room.ask("/checklist").await;
    assert_eq!(
        list["checks"][0],
        json!({"name": "Redis", "good": true, "detail": "The queue store answers."})
    );
}

#[tokio::test]
async fn whoever_stands_behind_what_is_listed_has_a_place_and_may_be_the_one_who_waits_longest() {
    let room = Dashboard::open(WorkshopBuilder::new().workers(0).people(32)).await;
    let longest = room.submit("user001").await;
    for n in 2..=32 {
        room.submit(&format!("user{n:03}")).await;
    }
    room.call("instructor", Method::PATCH, "/queue", json!({"mode": "priority"})).await;
    room.call("instructor", Method::POST, &format!("/jobs/{longest}/lane"), json!({"lane": "low"})).await;
    let seen = room.ask("/room").await;
    assert_eq!(seen["waiting"].as_array().unwrap().len(), 30);
    let place = |name: &str| {
        seen["people"].as_array().unwrap().iter().find(|one| one["name"] == name).unwrap()["position"].clone()
    };
    assert_eq!((place("user032"), place("user001")), (json!(31), json!(32)));
    assert_eq!(
        (&seen["longest"]["id"], &seen["longest"]["participant"]),
        (&json!(longest), &json!("user001"))
    );
    assert!(room.get("/").await.html.contains("32nd in line"));
    assert_eq!(room.get("/longest").await.to, format!("/job/{longest}"));
}
