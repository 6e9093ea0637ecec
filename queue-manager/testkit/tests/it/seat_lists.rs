//! Queue, history and job lists as ComfyUI pages and filters them, and what a seat says to what it cannot read.

use reqwest::Method;
use serde_json::{Value, json};
use testkit::{Person, WorkshopBuilder, graphs};

async fn ids(person: &Person, query: &str) -> Vec<String> {
    let list = person.json(&format!("/{}/api/jobs?{query}", person.name)).await.unwrap();
    let jobs = list["jobs"].as_array().unwrap_or_else(|| panic!("{query}: {list}"));
    jobs.iter().map(|job| job["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn history_is_paged_as_comfyui_pages_it() {
    let workshop = WorkshopBuilder::new().start().await.unwrap();
    let ada = workshop.person("user001").unwrap();
    let mut made = Vec::new();
    for _ in 0..3 {
        let id = ada.submit(&graphs::white_picture()).await.unwrap();
        ada.wait_for(&id, "completed").await.unwrap();
        made.push(id);
    }
    for (query, expected) in [
        ("", &made[..]),
        ("?max_items=2", &made[1..]),
        ("?max_items=2&offset=-1", &made[1..]),
        ("?max_items=1&offset=1", &made[1..2]),
        ("?offset=2", &made[2..]),
        ("?max_items=9&offset=0", &made[..]),
    ] {
        let history = ada.json(&format!("/user001/history{query}")).await.unwrap();
        let shown: Vec<_> = history.as_object().unwrap().keys().cloned().collect();
        assert_eq!(shown, expected, "{query}");
    }
}

#[tokio::test]
async fn jobs_are_filtered_sorted_and_cancelled_together_and_only_ones_own() {
    let workshop = WorkshopBuilder::new().workers(0).start().await.unwrap();
    let (ada, ben) = (workshop.person("user001").unwrap(), workshop.person("user002").unwrap());
    let theirs = ben.submit(&graphs::white_picture()).await.unwrap();
    let mut mine = Vec::new();
    for _ in 0..3 {
        mine.push(ada.submit(&graphs::white_picture()).await.unwrap());
    }
    assert_eq!(ids(&ada, "sort_order=asc").await, mine);
    assert_eq!(ids(&ada, "status=pending&limit=1&offset=1&sort_order=ASC").await, mine[1..2]);
    assert_eq!(ids(&ada, "status=completed,failed").await, Vec::<String>::new());
    assert_eq!(ids(&ada, "workflow_id=another").await, Vec::<String>::new());
    let page = ada.json("/user001/api/jobs?limit=2").await.unwrap();
    assert_eq!(page["pagination"], json!({"offset": 0, "limit": 2, "total": 3, "has_more": true}));
    let bogus = ada.get("/user001/api/jobs?status=bogus").await.unwrap();
    assert_eq!(bogus.status(), 400);
    assert!(
        bogus.json::<Value>().await.unwrap()["error"]
            .as_str()
            .unwrap()
            .starts_with("Invalid status value(s)")
    );

    let cancel = async |ids: Value| {
        let answer = ada.post("/user001/api/jobs/cancel", &json!({"job_ids": ids})).await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let invalid = json!({"error": "job_ids contains invalid id(s)", "invalid_ids": ["x", "3"]});
    assert_eq!(cancel(json!(["x", 3])).await, (400, invalid));
    assert_eq!(cancel(json!(null)).await, (400, json!({"error": "job_ids must be a list"})));
    assert_eq!(cancel(json!([theirs])).await, (200, json!({"cancelled": false})));
    assert_eq!(cancel(json!([mine[0], theirs])).await, (200, json!({"cancelled": true})));
    assert_eq!(ids(&ada, "status=pending&sort_order=asc").await, mine[1..]);

    // Neither deleting by name nor clearing reaches anybody else's.
    let change = json!({"delete": [theirs, 7, mine[1]]});
    assert_eq!(ada.post("/user001/queue", &change).await.unwrap().status(), 200);
    assert_eq!(ids(&ada, "status=pending").await, mine[2..]);
    assert_eq!(ada.post("/user001/queue", &json!({"clear": true})).await.unwrap().status(), 200);
    assert_eq!(ids(&ada, "").await, Vec::<String>::new());
    assert_eq!(ids(&ben, "").await, [theirs]);
}

#[tokio::test]
async fn interrupt_stops_the_named_job_or_whichever_runs_and_never_anyone_elses() {
    let workshop = WorkshopBuilder::new().workers(2).start().await.unwrap();
    let (ada, ben) = (workshop.person("user001").unwrap(), workshop.person("user002").unwrap());
    let theirs = ben.submit(&graphs::sampled_picture(1, 3_000)).await.unwrap();
    for (n, body) in [Some(json!({"prompt_id": "own"})), Some(json!({})), None].into_iter().enumerate() {
        let own = ada.submit(&graphs::sampled_picture(n as u64, 3_000)).await.unwrap();
        ada.wait_for(&own, "running").await.unwrap();
        ben.wait_for(&theirs, "running").await.unwrap();
        for other in [json!(theirs), json!(5)] {
            let answer = ada.post("/user001/interrupt", &json!({"prompt_id": other})).await.unwrap();
            assert_eq!(answer.status(), 200);
        }
        assert_eq!(ada.job(&own).await.unwrap()["state"], "running");
        let request = ada.request(Method::POST, "/user001/api/interrupt");
        let request = match body {
            Some(body) if body["prompt_id"] == "own" => request.json(&json!({"prompt_id": own})),
            Some(body) => request.json(&body),
            None => request,
        };
        assert_eq!(request.send().await.unwrap().status(), 200);
        ada.wait_for(&own, "cancelled").await.unwrap();
        assert_eq!(ben.job(&theirs).await.unwrap()["state"], "running");
    }
}

#[tokio::test]
async fn what_a_seat_cannot_read_is_refused_in_comfyuis_form() {
    let workshop = WorkshopBuilder::new().workers(0).start().await.unwrap();
    let ada = workshop.person("user001").unwrap();
    let post = |path: &str, body: &'static str| {
        ada.request(Method::POST, &format!("/user001{path}")).header("content-type", "text/plain").body(body)
    };
    let requests = [
        (post("/queue", "not json"), 400),
        (post("/history", "{"), 400),
        (post("/api/settings", "7"), 400),
        (post("/prompt", "not json"), 400),
        (post("/upload/image", "no form"), 400),
        (post("/upload/mask", "no form"), 400),
        (post("/view", ""), 405),
        (post("/api/view", ""), 405),
        (ada.request(Method::GET, "/user001/history?max_items=many"), 400),
        (ada.request(Method::GET, "/user001/api/history/%ff"), 404),
        (ada.request(Method::GET, "/user001/api/no-such-route"), 404),
    ];
    for (request, status) in requests {
        let request = request.build().unwrap();
        let title = format!("{} {}", request.method(), request.url().path());
        let answer = reqwest::Client::new().execute(request).await.unwrap();
        assert_eq!(answer.status(), status, "{title}");
        let body: Value = answer.json().await.unwrap_or_else(|error| panic!("{title}: {error}"));
        assert!(body["error"]["message"].is_string() && body["node_errors"] == json!({}), "{title}: {body}");
    }
    assert_eq!(post("/free", "{}").send().await.unwrap().status(), 403);
}

#[tokio::test]
async fn the_devices_of_the_system_are_the_workers_that_are_here() {
    let workshop = WorkshopBuilder::new().workers(2).start().await.unwrap();
    let stats = workshop.person("user001").unwrap().json("/user001/api/system_stats").await.unwrap();
    let names: Vec<_> = stats["devices"].as_array().unwrap().iter().map(|device| &device["name"]).collect();
    assert!(names.len() == 2 && names[0].as_str().unwrap().starts_with("gpu-1: "), "{names:?}");
    assert!(stats["devices"][0]["vram_total"].is_u64() && stats["system"]["argv"].is_array());
}
