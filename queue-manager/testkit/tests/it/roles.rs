//! Every route of the API × every kind of caller. The routes come from the table the router is made of, so none can be
//! forgotten here.

use std::time::Duration;

use queue_manager::api::openapi::describe;
use queue_manager::api::table::{Row, Who, rows};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use testkit::{Workshop, WorkshopBuilder, graphs};

/// The kinds of callers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Caller {
    Anonymous,
    Owner,
    OtherParticipant,
    Instructor,
    Worker,
    Disabled,
    Revoked,
}

const CALLERS: [Caller; 7] = [
    Caller::Anonymous,
    Caller::Owner,
    Caller::OtherParticipant,
    Caller::Instructor,
    Caller::Worker,
    Caller::Disabled,
    Caller::Revoked,
];

struct Doors {
    workshop: Workshop,
    client: Client,
    secrets: Vec<(Caller, String)>,
    job: String,
}

impl Doors {
    async fn open() -> Self {
        let workshop = WorkshopBuilder::new().people(3).workers(0).start().await.unwrap();
        let client = Client::new();
        let mut secrets = Vec::new();
        for (caller, name) in [
            (Caller::Owner, "user001"),
            (Caller::OtherParticipant, "user002"),
            (Caller::Disabled, "user003"),
            (Caller::Revoked, "user001"),
            (Caller::Instructor, "instructor"),
        ] {
            secrets.push((caller, token(&workshop, &client, name).await));
        }
        let mut doors = Self { workshop, client, secrets, job: String::new() };
        let made = doors.send(Caller::Instructor, Method::POST, "/tokens").json(&json!({"worker": "gpu-9"}));
        let made: Value = made.send().await.unwrap().json().await.unwrap();
        doors.secrets.push((Caller::Worker, made["token"].as_str().unwrap().to_owned()));
        let disable = doors.send(Caller::Instructor, Method::PATCH, "/accounts/user003");
        assert_eq!(disable.json(&json!({"disabled": true})).send().await.unwrap().status(), 200);
        assert_eq!(
            doors.send(Caller::Revoked, Method::DELETE, "/session").send().await.unwrap().status(),
            204
        );
        let submit = doors.send(Caller::Owner, Method::POST, "/jobs");
        let job = submit.json(&json!({"workflow": graphs::white_picture()})).send().await.unwrap();
        let job: Value = job.json().await.unwrap();
        job["id"].as_str().unwrap().clone_into(&mut doors.job);
        doors
    }

    fn send(&self, caller: Caller, method: Method, path: &str) -> RequestBuilder {
        let path = path.replace("{id}", &self.job).replace("{worker}", "gpu-9");
        let path = path
            .replace("{token}", "000000000000")
            .replace("{session}", "000000000000")
            .replace("{name}", "user003")
            .replace("{cause}", "0")
            .replace("{n}", "0")
            .replace("{hash}", &"0".repeat(64));
        let request = self.client.request(method, format!("{}/api/v1{path}", self.workshop.direct));
        match self.secrets.iter().find(|(of, _)| *of == caller) {
            Some((_, secret)) => request.bearer_auth(secret),
            None => request,
        }
    }

    async fn status(&self, caller: Caller, row: &Row) -> u16 {
        let mut request = self.send(caller, row.method.clone(), row.path).timeout(Duration::from_secs(5));
        if row.body.is_some() {
            // Says nothing that any route could do: only who may ask is of interest.
            request = request.json(&json!({"no such field": true}));
        }
        request.send().await.unwrap().status().as_u16()
    }
}

async fn token(workshop: &Workshop, client: &Client, name: &str) -> String {
    let body = json!({"name": name, "password": workshop.password(name).unwrap()});
    let answer = client.post(format!("{}/api/v1/session", workshop.direct)).json(&body).send().await.unwrap();
    answer.json::<Value>().await.unwrap()["token"].as_str().unwrap().to_owned()
}

/// Whether an answer fits what the table says of this caller.
fn fits(caller: Caller, row: &Row, status: u16) -> bool {
    let job_of_another = caller == Caller::OtherParticipant && row.path.starts_with("/jobs/{id}");
    let passed = match row.who {
        // Whoever may: any answer that is about the request and not about the caller.
        _ if row.path == "/session" && row.method == Method::POST => status == 400,
        Who::Anyone => status == 200,
        _ if matches!(caller, Caller::Anonymous | Caller::Worker | Caller::Disabled | Caller::Revoked) => {
            return status == 401;
        }
        Who::Instructor if caller != Caller::Instructor => return status == 403,
        // A body that is wrong is told before anybody looks for the job.
        _ if job_of_another => return status == if row.body.is_some() { 400 } else { 404 },
        Who::Account | Who::Instructor => !matches!(status, 401 | 403 | 405 | 415 | 429),
    };
    passed && status < 500
}

#[tokio::test]
async fn every_route_answers_every_kind_of_caller_as_its_row_says() {
    let doors = Doors::open().await;
    let (mut cells, mut wrong) = (0, Vec::new());
    let description = describe(&rows());
    let mut table = rows();
    // What ends the session comes last.
    table.sort_by_key(|row| row.method == Method::DELETE && row.path == "/session");
    for row in &table {
        for caller in CALLERS {
            let status = doors.status(caller, row).await;
            cells += 1;
            let path = format!("/api/v1{}", row.path);
            let operation = &description["paths"][path][row.method.as_str().to_lowercase()];
            let documented = operation["responses"].get(status.to_string()).is_some();
            if !fits(caller, row, status) || !documented {
                wrong.push(format!("{} {} for {caller:?}: {status}", row.method, row.path));
            }
        }
    }
    println!("{} routes, {cells} cells", table.len());
    assert_eq!(wrong, Vec::<String>::new());
}

#[tokio::test]
async fn another_persons_job_does_not_exist_whatever_is_wanted_of_it() {
    let doors = Doors::open().await;
    for (path, body) in [
        ("/jobs/{id}/cancel", json!({"after_ms": 1_000})),
        ("/jobs/{id}/move", json!({"place": 0})),
        ("/jobs/{id}/retry", json!({})),
        ("/jobs/{id}/hold", Value::Null),
        ("/jobs/{id}/release", Value::Null),
        ("/jobs/{id}/keep", Value::Null),
    ] {
        let mut request = doors.send(Caller::OtherParticipant, Method::POST, path);
        if !body.is_null() {
            request = request.json(&body);
        }
        assert_eq!(request.send().await.unwrap().status(), 404, "{path}");
    }
    let lane =
        doors.send(Caller::Owner, Method::POST, "/jobs/{id}/lane").json(&json!({"lane": "instructor"}));
    assert_eq!(lane.send().await.unwrap().status(), 403, "nobody sets their own lane");
    let asked = doors.send(Caller::OtherParticipant, Method::GET, "/jobs?participant=user001").send().await;
    assert_eq!(asked.unwrap().status(), 404);
    let own: Value = doors
        .send(Caller::OtherParticipant, Method::GET, "/jobs")
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(own["jobs"], json!([]));
}

#[tokio::test]
async fn whoever_is_disabled_or_revoked_is_out_within_a_second_with_open_feeds() {
    let doors = Doors::open().await;
    let mut feed = doors.send(Caller::OtherParticipant, Method::GET, "/events").send().await.unwrap();
    assert_eq!(feed.status(), 200);
    let disable = doors.send(Caller::Instructor, Method::PATCH, "/accounts/user002");
    disable.json(&json!({"disabled": true})).send().await.unwrap();
    let ended =
        tokio::time::timeout(Duration::from_secs(5), async { while let Ok(Some(_)) = feed.chunk().await {} });
    ended.await.expect("the feed ends");
    // A session found valid is believed for a second.
    let mut status = 0;
    for _ in 0..20 {
        let again = doors.send(Caller::OtherParticipant, Method::GET, "/jobs");
        status = again.send().await.unwrap().status().as_u16();
        if status == 401 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(status, 401);
}

#[tokio::test]
async fn who_asks_too_often_is_slowed_and_nobody_else_notices() {
    let doors = Doors::open().await;
    let ask = || async { doors.send(Caller::Owner, Method::GET, "/queue").send().await.unwrap() };
    let answers = futures_util::future::join_all((0..700).map(|_| ask())).await;
    let slowed: Vec<_> = answers.iter().filter(|answer| answer.status() == 429).collect();
    assert!(!slowed.is_empty(), "700 requests at once");
    assert!(slowed.iter().all(|answer| answer.headers().contains_key("retry-after")));
    let neighbour = doors.send(Caller::OtherParticipant, Method::GET, "/queue").send().await.unwrap();
    assert_eq!(neighbour.status(), 200);
}

#[tokio::test]
async fn metrics_are_on_the_workers_listener_and_nowhere_else() {
    let doors = Doors::open().await;
    let page = reqwest::get(format!("{}/metrics", doors.workshop.link)).await.unwrap().text().await.unwrap();
    for line in [
        "atelier_store_up 1",
        "atelier_jobs{state=\"pending\"} 1",
        "atelier_submits_total{outcome=\"accepted\"} 1",
    ] {
        assert!(page.contains(line), "{line} is missing in:\n{page}");
    }
    assert!(!page.contains("user001"), "names of people are nobody's metric");
    let public = reqwest::get(format!("{}/metrics", doors.workshop.direct)).await.unwrap();
    assert!(public.status().is_client_error());
}
