//! The API from outside: what people and the instructor do with jobs, with the queue and with each other.

use reqwest::{Client, Method};
use serde_json::{Value, json};
use testkit::{Workshop, WorkshopBuilder, graphs};

struct Api<'a> {
    workshop: &'a Workshop,
    client: Client,
}

impl<'a> Api<'a> {
    fn of(workshop: &'a Workshop) -> Self {
        Self { workshop, client: Client::new() }
    }

    async fn call(&self, who: &str, method: Method, path: &str, body: Value) -> (u16, Value) {
        let url = format!("{}/api/v1{path}", self.workshop.direct);
        let request = self.client.request(method, url).basic_auth(who, self.workshop.password(who).ok());
        let request = if body.is_null() { request } else { request.json(&body) };
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    }

    async fn get(&self, who: &str, path: &str) -> Value {
        self.call(who, Method::GET, path, Value::Null).await.1
    }

    async fn post(&self, who: &str, path: &str, body: Value) -> (u16, Value) {
        self.call(who, Method::POST, path, body).await
    }

    async fn submit(&self, who: &str) -> String {
        let (status, job) = self.post(who, "/jobs", json!({"workflow": graphs::white_picture()})).await;
        assert_eq!(status, 201, "{job}");
        job["id"].as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn a_waiting_job_is_held_moved_kept_and_retried_by_its_owner() {
    let workshop = WorkshopBuilder::new().workers(0).start().await.unwrap();
    let api = Api::of(&workshop);
    let (first, second) = (api.submit("user001").await, api.submit("user001").await);
    assert_eq!(api.post("user001", &format!("/jobs/{second}/move"), json!({"place": 0})).await.0, 204);
    assert_eq!(api.get("user001", &format!("/jobs/{second}")).await["position"], 1);
    assert_eq!(api.post("user001", &format!("/jobs/{second}/hold"), Value::Null).await.0, 204);
    let held = api.get("user001", &format!("/jobs/{second}")).await;
    assert_eq!((&held["reason"], &held["position"]), (&json!("held"), &Value::Null));
    assert_eq!(api.post("user001", &format!("/jobs/{second}/release"), Value::Null).await.0, 204);
    let cancel = api.post("user001", &format!("/jobs/{first}/cancel"), json!({"after_ms": 30_000})).await;
    assert_eq!(cancel, (200, json!({"outcome": "delayed"})));
    let (status, problem) = api.post("user001", &format!("/jobs/{first}/move"), json!({"place": 0})).await;
    assert_eq!((status, &problem["code"]), (409, &json!("wrong_state")));
    assert_eq!(api.post("user001", &format!("/jobs/{first}/keep"), Value::Null).await.0, 204);
    let cancelled = api.call("user001", Method::DELETE, &format!("/jobs/{first}"), Value::Null).await;
    assert_eq!(cancelled, (200, json!({"outcome": "cancelled"})));
    let (status, retried) = api.post("user001", &format!("/jobs/{first}/retry"), json!({})).await;
    assert_eq!(status, 201);
    let again = api.get("user001", &format!("/jobs/{}", retried["id"].as_str().unwrap())).await;
    assert_eq!(again["retry_of"], json!(first));
}

#[tokio::test]
async fn lists_filter_and_page() {
    let workshop = WorkshopBuilder::new().workers(0).start().await.unwrap();
    let api = Api::of(&workshop);
    let mut ids = Vec::new();
    for who in ["user001", "user002", "user001", "user001"] {
        ids.push(api.submit(who).await);
    }
    api.call("user001", Method::DELETE, &format!("/jobs/{}", ids[0]), Value::Null).await;
    let names = |list: &Value| -> Vec<String> {
        list["jobs"].as_array().unwrap().iter().map(|job| job["id"].as_str().unwrap().to_owned()).collect()
    };
    let page = api.get("user001", "/jobs?limit=2").await;
    assert_eq!(names(&page), [ids[3].clone(), ids[2].clone()]);
    let next = api.get("user001", &format!("/jobs?limit=2&cursor={}", page["cursor"])).await;
    assert_eq!((names(&next), &next["cursor"]), (vec![ids[0].clone()], &Value::Null));
    assert_eq!(names(&api.get("user001", "/jobs?state=cancelled").await), [ids[0].clone()]);
    assert_eq!(names(&api.get("instructor", "/jobs?participant=user002").await), [ids[1].clone()]);
    assert_eq!(names(&api.get("instructor", "/jobs?state=pending").await).len(), 3);
    assert_eq!(api.get("user001", "/jobs?colour=red").await["status"], 400);
    assert_eq!(api.get("user001", "/jobs?limit=0").await["status"], 400);
}

#[tokio::test]
async fn the_instructor_steers_and_the_audit_log_says_so() {
    let workshop = WorkshopBuilder::new().start().await.unwrap();
    let api = Api::of(&workshop);
    let (_, status) =
        api.call("instructor", Method::PATCH, "/queue", json!({"mode": "round_robin", "paused": true})).await;
    assert_eq!((&status["mode"], &status["paused"]), (&json!("round_robin"), &json!(true)));
    let job = api.submit("user001").await;
    let workers = api.get("instructor", "/workers").await;
    assert_eq!(
        (&workers["workers"][0]["name"], &workers["workers"][0]["active"]),
        (&json!("gpu-1"), &json!(true))
    );
    assert_eq!(
        api.post("instructor", &format!("/jobs/{job}/lane"), json!({"lane": "instructor"})).await.0,
        204
    );
    workshop.person("user001").unwrap().wait_for(&job, "completed").await.unwrap();
    let caps = api.call(
        "instructor",
        Method::PATCH,
        "/accounts/user002/caps",
        json!({"waiting_per_participant": 1}),
    );
    assert_eq!(caps.await.1["waiting_per_participant"], 1);
    api.submit("user002").await;
    let refused = api.post("user002", "/jobs", json!({"workflow": graphs::white_picture()})).await;
    assert_eq!((refused.0, &refused.1["code"]), (429, &json!("line_full")));
    assert_eq!(api.post("instructor", "/messages", json!({"text": "Break until ten."})).await.0, 201);
    assert_eq!(api.get("user001", "/messages").await["messages"][0]["text"], "Break until ten.");
    assert_eq!(api.post("instructor", "/workers/gpu-1/drain", Value::Null).await.0, 204);
    assert_eq!(api.get("instructor", "/workers").await["workers"][0]["draining"], true);
    assert_eq!(api.post("instructor", "/workers/gpu-7/drain", Value::Null).await.0, 404);
    let log = api.get("instructor", "/audit").await;
    let did: Vec<_> =
        log["entries"].as_array().unwrap().iter().rev().map(|e| e["what"].as_str().unwrap()).collect();
    assert_eq!(
        did,
        ["queue.change", "queue.change", "job.lane", "caps.change", "message.send", "worker.drain"]
    );
    assert_eq!(log["entries"].as_array().unwrap().last().unwrap()["before"], "mode=fifo");
}

#[tokio::test]
async fn an_account_is_made_used_disabled_and_given_a_new_password() {
    let workshop = WorkshopBuilder::new().workers(0).start().await.unwrap();
    let api = Api::of(&workshop);
    let (status, made) = api.post("instructor", "/accounts", json!({"name": "maria"})).await;
    assert_eq!(status, 201);
    let session = json!({"name": "maria", "password": made["password"]});
    assert_eq!(api.post("instructor", "/session", session.clone()).await.0, 201);
    assert_eq!(api.post("instructor", "/accounts", json!({"name": "maria"})).await.0, 409);
    let (_, renewed) = api.post("instructor", "/accounts/maria/password", Value::Null).await;
    assert_eq!(api.post("instructor", "/session", session).await.0, 401);
    let session = json!({"name": "maria", "password": renewed["password"]});
    assert_eq!(api.post("instructor", "/session", session.clone()).await.0, 201);
    api.call("instructor", Method::PATCH, "/accounts/maria", json!({"disabled": true})).await;
    assert_eq!(api.post("instructor", "/session", session).await.0, 401);
    let (status, _) =
        api.call("instructor", Method::PATCH, "/accounts/instructor", json!({"disabled": true})).await;
    assert_eq!(status, 400, "nobody locks themselves out");
    assert_eq!(api.post("instructor", "/accounts", json!({"name": "admin"})).await.0, 400, "a reserved path");
}
