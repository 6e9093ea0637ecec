//! Bad input, each with its own clear answer in the dialect of its door, and nothing stored.

use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, Response};
use serde_json::{Value, json};
use testkit::{Workshop, WorkshopBuilder, graphs};

/// The two doors that take workflows: our API and the seat.
const DOORS: [&str; 2] = ["/api/v1/jobs", "/user001/prompt"];

async fn send(workshop: &Workshop, door: &str, body: impl Into<reqwest::Body>) -> Response {
    let password = workshop.password("user001").ok();
    let request = Client::new().post(format!("{}{door}", workshop.direct)).basic_auth("user001", password);
    request.header(CONTENT_TYPE, "application/json").body(body).send().await.unwrap()
}

/// Status and stable word, whichever dialect.
async fn answer(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    let body: Value = response.json().await.unwrap();
    let code = body["code"].as_str().or(body["error"]["type"].as_str()).unwrap_or_default();
    (status, code.to_owned())
}

async fn stored(workshop: &Workshop) -> u64 {
    let status: Value =
        reqwest::get(format!("{}/api/queue/status", workshop.direct)).await.unwrap().json().await.unwrap();
    status["pending_jobs"].as_u64().unwrap()
}

/// A graph as each door wants it.
fn wrapped(door: &str, graph: &str) -> String {
    let field = if door == DOORS[0] { "workflow" } else { "prompt" };
    format!("{{\"{field}\":{graph}}}")
}

#[tokio::test]
async fn each_wrong_workflow_has_its_own_answer_at_both_doors() {
    let workshop = WorkshopBuilder::new().workers(0).start().await.unwrap();
    let nested = |n: usize| format!("{}1{}", "[".repeat(n), "]".repeat(n));
    let node = |inputs: &str| format!(r#"{{"1":{{"class_type":"SaveImage","inputs":{{{inputs}}}}}}}"#);
    let table: [(String, u16, &str); 9] = [
        (r#"{"nodes":[],"links":[],"version":0.4}"#.to_owned(), 400, "workflow_format_ui"),
        ("{}".to_owned(), 400, "prompt_no_outputs"),
        (r#"{"1":{"inputs":{}}}"#.to_owned(), 400, "missing_node_type"),
        (r#"{"1":7}"#.to_owned(), 400, "missing_node_type"),
        (node(r#""images":["2",0]"#), 400, "prompt_outputs_failed_validation"),
        (node(&format!(r#""x":{}"#, nested(128))), 400, "too_deep"),
        (node(&format!(r#""x":{}"#, nested(2_000_000))), 400, "too_deep"),
        ("[1,2]".to_owned(), 400, "no_prompt"),
        (node(r#""x":1e400"#), 0, ""),
    ];
    for door in DOORS {
        for (graph, status, code) in &table {
            let got = answer(send(&workshop, door, wrapped(door, graph)).await).await;
            let shown = &graph[..graph.len().min(60)];
            if *status > 0 {
                assert_eq!(got, (*status, (*code).to_owned()), "{door} {shown}");
            } else {
                assert!(got.0 < 500, "{door} {shown}: {got:?}");
            }
        }
        for body in ["not json", "{\"a\":", "\u{feff}{}", "{\"prompt\": NaN}", "[]", "7", "null", ""] {
            let (status, code) = answer(send(&workshop, door, body).await).await;
            assert_eq!(status, 400, "{door} {body:?} answered {code}");
            assert!(!code.is_empty());
        }
        let lone = b"{\"prompt\": {\"\xff\": 1}}".to_vec();
        assert_eq!(answer(send(&workshop, door, lone).await).await.0, 400);
    }
    let waiting = stored(&workshop).await;
    assert!(waiting <= 2, "{waiting} jobs are stored");
}

#[tokio::test]
async fn both_doors_say_what_is_wrong_with_which_node() {
    let workshop = WorkshopBuilder::new().start().await.unwrap();
    let mut graph = graphs::white_picture();
    graph["1"]["inputs"]["width"] = json!(0);
    for door in DOORS {
        let answer = send(&workshop, door, wrapped(door, &graph.to_string())).await;
        assert_eq!(answer.status(), 400, "{door}");
        let body: Value = answer.json().await.unwrap();
        let about = &body["node_errors"]["1"];
        assert_eq!(about["errors"][0]["type"], "value_smaller_than_min", "{door}: {body}");
        assert_eq!(
            (&about["class_type"], &about["dependent_outputs"]),
            (&json!("EmptyImage"), &json!(["3"]))
        );
    }
    let none: Value = send(&workshop, DOORS[0], "[]").await.json().await.unwrap();
    assert!(none.get("node_errors").is_none(), "{none}");
}

#[tokio::test]
async fn what_nobody_knows_is_refused_by_the_api_and_passed_on_by_a_seat() {
    let workshop = WorkshopBuilder::new().workers(0).start().await.unwrap();
    let graph = graphs::white_picture();
    let body = json!({"workflow": graph, "colour": "red"}).to_string();
    assert_eq!(answer(send(&workshop, DOORS[0], body).await).await, (400, "bad_request".to_owned()));
    assert_eq!(stored(&workshop).await, 0);
    let body = json!({"prompt": graph, "colour": "red"}).to_string();
    assert_eq!(send(&workshop, DOORS[1], body).await.status(), 200);
    // Nobody promotes themselves, whatever they write.
    let body = json!({"workflow": graph, "lane": "instructor"}).to_string();
    assert_eq!(answer(send(&workshop, DOORS[0], body).await).await.0, 400);
}

#[tokio::test]
async fn a_body_of_fifty_megabytes_is_refused_before_it_is_read() {
    let workshop = WorkshopBuilder::new().workers(0).start().await.unwrap();
    let password = workshop.password("user001").ok();
    for door in DOORS {
        // The answer comes while the body is still being sent; a client that only writes may see the line close first.
        let mut answered = None;
        for _ in 0..10 {
            let request =
                Client::new().post(format!("{}{door}", workshop.direct)).basic_auth("user001", password);
            let request = request.header(CONTENT_TYPE, "application/json").body(vec![b'['; 50 * 1024 * 1024]);
            if let Ok(response) = request.send().await {
                answered = Some(answer(response).await);
                break;
            }
        }
        assert_eq!(answered, Some((413, "too_large".to_owned())), "{door}");
    }
    assert_eq!(stored(&workshop).await, 0);
}

#[tokio::test]
async fn a_form_of_another_kind_is_no_json() {
    let workshop = WorkshopBuilder::new().workers(0).start().await.unwrap();
    let request = Client::new().post(format!("{}{}", workshop.direct, DOORS[0]));
    let request = request.basic_auth("user001", workshop.password("user001").ok());
    let body = json!({"workflow": graphs::white_picture()}).to_string();
    let got = request.header(CONTENT_TYPE, "text/plain").body(body).send().await.unwrap();
    assert_eq!(answer(got).await, (415, "not_json".to_owned()));
}

#[tokio::test]
async fn a_full_line_says_when_to_come_back() {
    let workshop = WorkshopBuilder::new().workers(0).start().await.unwrap();
    for _ in 0..100 {
        let body = json!({"prompt": graphs::white_picture()}).to_string();
        assert_eq!(send(&workshop, DOORS[1], body).await.status(), 200);
    }
    for door in DOORS {
        let field = if door == DOORS[0] { "workflow" } else { "prompt" };
        let refused = send(&workshop, door, json!({field: graphs::white_picture()}).to_string()).await;
        assert!(refused.headers().contains_key(RETRY_AFTER), "{door}");
        assert_eq!(answer(refused).await, (429, "line_full".to_owned()));
    }
}

#[tokio::test]
async fn a_store_without_room_says_so_and_goes_on_when_it_has_some() {
    let workshop = WorkshopBuilder::new().workers(0).start().await.unwrap();
    workshop.redis(&["config", "set", "maxmemory", "1"]).await.unwrap();
    for door in DOORS {
        let field = if door == DOORS[0] { "workflow" } else { "prompt" };
        let got =
            answer(send(&workshop, door, json!({field: graphs::white_picture()}).to_string()).await).await;
        assert_eq!(got, (507, "no_room".to_owned()), "{door}");
    }
    workshop.redis(&["config", "set", "maxmemory", "0"]).await.unwrap();
    assert_eq!(stored(&workshop).await, 0);
    let body = json!({"prompt": graphs::white_picture()}).to_string();
    assert_eq!(send(&workshop, DOORS[1], body).await.status(), 200);
}
