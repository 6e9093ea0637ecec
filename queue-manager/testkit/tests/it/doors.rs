//! Who may come in where: sessions, paths, other people's things, other people's pages.

use reqwest::header::{CONTENT_TYPE, COOKIE, LOCATION, ORIGIN, SET_COOKIE, WWW_AUTHENTICATE};
use reqwest::{Client, Method, StatusCode, redirect};
use serde_json::json;
use testkit::{Workshop, WorkshopBuilder, graphs};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn browser() -> Client {
    Client::builder().redirect(redirect::Policy::none()).build().unwrap()
}

async fn sign_in(workshop: &Workshop, name: &str) -> String {
    let form = format!("name={name}&password={}", workshop.password(name).unwrap());
    let request = browser().post(format!("{}/sign-in", workshop.front)).body(form);
    let answer = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert_eq!(answer.headers()[LOCATION], format!("/{name}/"));
    let cookie = answer.headers()[SET_COOKIE].to_str().unwrap();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"));
    cookie.split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn without_a_session_there_is_nothing_but_the_sign_in_page_and_health() {
    let workshop = WorkshopBuilder::new().with_nginx().start().await.unwrap();
    let client = browser();
    for path in [
        "/user001/api/queue",
        "/user001/view?filename=x",
        "/user001/api/prompt",
        "/user001/ws",
        "/user001/api/jobs",
        "/user001/api/userdata/workflows%2Fa.json",
        "/api/v1/jobs",
        "/api/v1/events",
        "/api/v1/feed",
        "/api/v1/jobs/7f2c1b9e-0a55-4b7c-9f56-0e6c56b1f001",
        "/user001/internal/files/input",
        "/user001/index.html",
    ] {
        let answer = client.get(format!("{}{path}", workshop.front)).send().await.unwrap();
        assert!(matches!(answer.status().as_u16(), 401 | 400), "{path} answered {}", answer.status());
        assert!(answer.headers().get(SET_COOKIE).is_none(), "{path} hands out a cookie");
    }
    let jobs = || client.get(format!("{}/user001/api/jobs", workshop.front));
    let program = jobs().send().await.unwrap();
    assert!(program.headers().contains_key(WWW_AUTHENTICATE), "a program is told how to sign in");
    for (name, value) in [("sec-fetch-mode", "cors"), ("user-agent", "Mozilla/5.0 (X11)")] {
        let tab = jobs().header(name, value).send().await.unwrap();
        assert_eq!(tab.status(), 401);
        assert!(!tab.headers().contains_key(WWW_AUTHENTICATE), "a tab is asked by no window of the browser");
    }
    let page = client
        .get(format!("{}/user001/", workshop.front))
        .header("accept", "text/html")
        .send()
        .await
        .unwrap();
    assert_eq!(page.headers()[LOCATION], "/sign-in");
    for path in ["/sign-in", "/healthz", "/readyz", "/health", "/api/queue/status"] {
        assert_eq!(
            client.get(format!("{}{path}", workshop.front)).send().await.unwrap().status(),
            200,
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_session_opens_ones_own_seat_and_no_other() {
    let workshop = WorkshopBuilder::new().with_nginx().start().await.unwrap();
    let (first, second) = (sign_in(&workshop, "user001").await, sign_in(&workshop, "user001").await);
    assert_ne!(first, second, "every sign-in is a session of its own");
    let get = async |cookie: &str, path: &str| {
        let request = browser().get(format!("{}{path}", workshop.front)).header(COOKIE, cookie);
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(get(&first, "/user001/api/queue").await, 200);
    assert_eq!(get(&first, "/user002/api/queue").await, 404);
    assert_eq!(get(&first, "/user009/api/queue").await, 404, "a seat that is not there looks the same");
    assert_eq!(get("atelier=0000", "/user001/api/queue").await, 401);
    let out = browser().post(format!("{}/sign-out", workshop.front)).header(COOKIE, &first);
    out.header(ORIGIN, &workshop.front).send().await.unwrap();
    assert_eq!(get(&first, "/user001/api/queue").await, 401);
    assert_eq!(get(&second, "/user001/api/queue").await, 200);
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_name_look_the_same() {
    let workshop = WorkshopBuilder::new().start().await.unwrap();
    let mut answers = Vec::new();
    for name in ["user001", "nobody"] {
        let body = json!({"name": name, "password": "wrong"});
        let answer =
            browser().post(format!("{}/api/v1/session", workshop.front)).json(&body).send().await.unwrap();
        answers.push((answer.status(), answer.text().await.unwrap()));
    }
    assert_eq!(answers[0].0, 401);
    assert_eq!(answers[0], answers[1]);
}

#[tokio::test]
async fn another_sites_page_cannot_act_for_someone_who_is_signed_in() {
    let workshop = WorkshopBuilder::new().with_nginx().start().await.unwrap();
    let cookie = sign_in(&workshop, "user001").await;
    let url = format!("{}/user001/api/prompt", workshop.front);
    let body = json!({"prompt": graphs::white_picture()});
    let from = async |header: &'static str, value: &str| {
        let request = browser().post(&url).header(COOKIE, &cookie).header(header, value).json(&body);
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(from("sec-fetch-site", "cross-site").await, 403);
    assert_eq!(from("sec-fetch-site", "same-site").await, 403);
    assert_eq!(from("origin", "http://evil.example").await, 403);
    assert_eq!(from("origin", "null").await, 403);
    assert_eq!(from("x-nothing", "at all").await, 403, "a cookie alone is not enough");
    assert_eq!(from("origin", &workshop.front).await, 200);
    assert_eq!(from("sec-fetch-site", "same-origin").await, 200);
    let upgrade = browser().get(format!("{}/user001/ws", workshop.front)).header(COOKIE, &cookie);
    let upgrade = upgrade
        .header(ORIGIN, "http://evil.example")
        .header("upgrade", "websocket")
        .header("connection", "upgrade");
    let upgrade =
        upgrade.header("sec-websocket-version", "13").header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    assert_eq!(upgrade.send().await.unwrap().status(), 403);
}

/// Sends a request line as it is: a client library would tidy the path.
async fn raw(address: &str, path: &str, authorization: &str) -> u16 {
    let mut stream = tokio::net::TcpStream::connect(address.trim_start_matches("http://")).await.unwrap();
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {authorization}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_path_with_two_readings_is_refused_by_nginx_and_by_the_queue_manager() {
    let workshop = WorkshopBuilder::new().with_nginx().start().await.unwrap();
    let ada = workshop.person("user001").unwrap();
    let request = ada.request(Method::GET, "/").build().unwrap();
    let authorization = request.headers()["authorization"].to_str().unwrap();
    for address in [&workshop.front, &workshop.direct] {
        for path in [
            "/user001/../user002/api/queue",
            "/user001/%2e%2e/user002/api/queue",
            "/user001//api/queue",
            "/user001%2fapi/queue",
            "/user001/api%5cqueue",
            "/user001/api/./queue",
            "/user001/%2E%2E%2Fuser002/",
            "/user001/api/view%2f..%2f..",
            "/%75ser001/..;/user002/",
            "//user002/api/queue",
            "/user001/api/userdata/..%2f..%2fuser002%2fworkflows%2fa.json",
        ] {
            let status = raw(address, path, authorization).await;
            assert!(matches!(status, 400 | 404), "{path} answered {status}");
        }
        assert_eq!(raw(address, "/user001/api/queue", authorization).await, 200);
    }
}

#[tokio::test]
async fn a_saved_workflow_keeps_its_encoded_slash_through_nginx() {
    let workshop = WorkshopBuilder::new().with_nginx().start().await.unwrap();
    let (ada, ben) = (workshop.person("user001").unwrap(), workshop.person("user002").unwrap());
    let file = "/user001/api/userdata/workflows%2Fmy%20film.json";
    let saved = ada.post(&format!("{file}?overwrite=false&full_info=true"), &json!({"id": 1})).await.unwrap();
    assert_eq!(saved.status(), 200);
    assert_eq!(saved.json::<serde_json::Value>().await.unwrap()["path"], "workflows/my film.json");
    assert_eq!(ada.post(&format!("{file}?overwrite=false"), &json!({})).await.unwrap().status(), 409);
    assert_eq!(ada.json(file).await.unwrap(), json!({"id": 1}));
    assert_eq!(ada.json("/user001/api/userdata/workflows/my%20film.json").await.unwrap(), json!({"id": 1}));
    let list = "/api/userdata?dir=workflows&recurse=true&split=false&full_info=true";
    assert_eq!(ada.json(&format!("/user001{list}")).await.unwrap()[0]["path"], "my film.json");
    assert_eq!(ben.get(&format!("/user002{list}")).await.unwrap().status(), 404);
    let moved = ada.post(&format!("{file}/move/workflows%2Fb.json"), &json!(null)).await.unwrap();
    assert_eq!(moved.json::<serde_json::Value>().await.unwrap(), "workflows/b.json");
    let gone = ada.request(Method::DELETE, "/user001/api/userdata/workflows%2Fb.json").send().await.unwrap();
    assert_eq!(gone.status(), 204);
}

#[tokio::test]
async fn the_worker_link_is_not_on_the_public_side_and_wants_a_workers_token() {
    let workshop = WorkshopBuilder::new().with_nginx().start().await.unwrap();
    let ada = workshop.person("user001").unwrap();
    let id = ada.submit(&graphs::sampled_picture(1, 50)).await.unwrap();
    ada.wait_for(&id, "running").await.unwrap();
    let body = format!("/link/jobs/{id}/1/body");
    for address in [&workshop.front, &workshop.direct] {
        assert_eq!(ada.at(address).get(&body).await.unwrap().status(), 404);
        assert_eq!(ada.at(address).get("/link").await.unwrap().status(), 404);
    }
    assert_eq!(ada.at(&workshop.link).get(&body).await.unwrap().status(), 401);
    let stolen = Client::new().get(format!("{}{body}", workshop.link)).bearer_auth("0".repeat(64));
    assert_eq!(stolen.send().await.unwrap().status(), 401);
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_in_the_dialect_of_its_door() {
    let workshop = WorkshopBuilder::new().with_nginx().start().await.unwrap();
    let ada = workshop.person("user001").unwrap();
    let filler = "x".repeat(10 * 1024 * 1024 + 1);
    let answer = ada.post("/user001/api/prompt", &json!({"prompt": {}, "filler": filler})).await.unwrap();
    assert_eq!(answer.status(), 413);
    assert_eq!(answer.json::<serde_json::Value>().await.unwrap()["error"]["type"], "too_large");
    let answer = ada.at(&workshop.direct).post("/api/v1/jobs", &json!({"workflow": filler})).await.unwrap();
    assert_eq!(answer.status(), 413);
    assert_eq!(answer.headers()[CONTENT_TYPE], "application/problem+json");
    let deep = format!("{{\"prompt\": {}1{}}}", "[".repeat(5_000_000), "]".repeat(5_000_000));
    let request =
        ada.request(Method::POST, "/user001/api/prompt").header(CONTENT_TYPE, "application/json").body(deep);
    let answer: serde_json::Value = request.send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["error"]["type"], "too_deep");
}

#[tokio::test]
async fn no_password_token_or_cookie_reaches_a_log_or_a_key() {
    let workshop = WorkshopBuilder::new().with_nginx().start().await.unwrap();
    let cookie = sign_in(&workshop, "user001").await;
    let ada = workshop.person("user001").unwrap();
    let body =
        json!({"prompt": graphs::white_picture(), "extra_data": {"api_key_comfy_org": "canary-of-a-key"}});
    let answer: serde_json::Value = ada.post("/user001/prompt", &body).await.unwrap().json().await.unwrap();
    ada.wait_for(answer["prompt_id"].as_str().unwrap(), "completed").await.unwrap();
    let log = std::fs::read_to_string(workshop.data().join("redis/appendonlydir/appendonly.aof.1.incr.aof"));
    let everything = format!("{}{}", workshop.logs(), log.unwrap_or_default());
    let secret = cookie.split('=').nth(1).unwrap();
    for canary in [workshop.password("user001").unwrap(), secret, "canary-of-a-key"] {
        assert!(!everything.contains(canary));
    }
}

#[tokio::test]
async fn a_graph_cannot_name_files_that_lie_on_the_worker() {
    let workshop = WorkshopBuilder::new().start().await.unwrap();
    let (ada, ben) = (workshop.person("user001").unwrap(), workshop.person("user002").unwrap());
    let id = ben.submit(&graphs::white_picture()).await.unwrap();
    ben.wait_for(&id, "completed").await.unwrap();
    for name in [
        "atelier/gpu-1/white_00001_.png [output]",
        "atelier/gpu-1/white_00001_.png [temp]",
        "atelier/gpu-1/user002/x.png",
        "./atelier/gpu-1/white_00001_.png_[output]",
        "nobodys.png",
    ] {
        // ComfyUI takes a value out of this wrapping before it runs a node.
        for value in [json!(name), json!({"__value__": name})] {
            let mut graph = graphs::inverted_upload(name);
            graph["1"]["inputs"]["image"] = value.clone();
            let answer = ada.post("/user001/prompt", &json!({"prompt": graph})).await.unwrap();
            assert_eq!(answer.status(), 400, "{value}");
            let answer: serde_json::Value = answer.json().await.unwrap();
            assert_eq!(answer["node_errors"]["1"]["errors"][0]["type"], "custom_validation_failed");
        }
    }
    let mut computed = graphs::inverted_upload("x.png");
    computed["9"] = json!({"class_type": "PrimitiveString", "inputs": {"value": "white_00001_.png"}});
    computed["1"]["inputs"]["image"] = json!(["9", 0]);
    assert_eq!(ada.post("/user001/prompt", &json!({"prompt": computed})).await.unwrap().status(), 400);
}

#[tokio::test]
async fn on_the_worker_nobody_can_guess_the_name_of_anybodys_picture() {
    let workshop = WorkshopBuilder::new().start().await.unwrap();
    let ben = workshop.person("user002").unwrap();
    let mut graph = graphs::white_picture();
    graph["9"] = json!({"class_type": "PrimitiveString", "inputs": {"value": "computed"}});
    for prefix in [json!("films/white"), json!({"__value__": "white"}), json!(["9", 0])] {
        let save = graph.as_object_mut().unwrap().values_mut().find(|node| node["class_type"] == "SaveImage");
        save.unwrap()["inputs"]["filename_prefix"] = prefix.clone();
        let id = ben.submit(&graph).await.unwrap();
        let job = ben.wait_for(&id, "completed").await.unwrap();
        let history = workshop.ask_comfyui(1, &format!("/history/{id}")).await.unwrap();
        let outputs = history[&id]["outputs"].as_object().unwrap().values().next().unwrap();
        let folder = outputs["images"][0]["subfolder"].as_str().unwrap();
        assert!(folder.contains(&id), "{prefix}: {folder}");
        assert!(!job["outputs"][0]["url"].as_str().unwrap().contains("gpu-1"), "that is nobody's business");
    }
}

#[tokio::test]
async fn a_node_that_may_not_run_here_is_refused_by_name() {
    let workshop =
        WorkshopBuilder::new().setting("ATELIER_REFUSED_NODES", "EmptyImage").start().await.unwrap();
    let ada = workshop.person("user001").unwrap();
    let answer = ada.post("/user001/prompt", &json!({"prompt": graphs::white_picture()})).await.unwrap();
    assert_eq!(answer.status(), 400);
    let answer: serde_json::Value = answer.json().await.unwrap();
    assert_eq!(answer["error"]["type"], "node_not_allowed");
    assert_eq!(answer["error"]["extra_info"]["class_type"], "EmptyImage");
    let problem = ada.post("/api/v1/jobs", &json!({"workflow": graphs::white_picture()})).await.unwrap();
    assert_eq!(problem.json::<serde_json::Value>().await.unwrap()["code"], "node_not_allowed");
}

#[tokio::test]
async fn a_request_that_names_a_million_targets_delays_nobody() {
    let workshop = WorkshopBuilder::new().start().await.unwrap();
    let ada = workshop.person("user001").unwrap();
    let mut graph = serde_json::Map::new();
    graph.insert(
        "0".to_owned(),
        json!({"class_type": "EmptyImage", "inputs": {"width": 8, "height": 8, "batch_size": 1, "color": 0}}),
    );
    for id in 1..4_900 {
        graph.insert(
            id.to_string(),
            json!({"class_type": "SaveImage", "inputs": {"images": ["0", 0], "filename_prefix": "x"}}),
        );
    }
    let targets: Vec<_> = (0..400_000).map(|n| (n + 1_000_000).to_string()).collect();
    let body = json!({"prompt": graph, "partial_execution_targets": targets});
    let health = async || reqwest::get(format!("{}/readyz", workshop.front)).await.unwrap().status();
    let both =
        futures_util::future::join(ada.post("/user001/prompt", &body), ada.post("/user001/prompt", &body));
    let (both, health) = futures_util::future::join(both, health()).await;
    assert_eq!(both.0.unwrap().status(), 400, "none of them is an output node");
    assert_eq!(both.1.unwrap().status(), 400);
    assert!(health.is_success());
}

#[tokio::test]
async fn health_stays_green_under_many_questions_at_once() {
    let workshop = WorkshopBuilder::new().start().await.unwrap();
    let ask = || async { reqwest::get(format!("{}/readyz", workshop.front)).await.unwrap().status() };
    let answers = futures_util::future::join_all((0..200).map(|_| ask())).await;
    assert!(answers.iter().all(StatusCode::is_success));
}

#[tokio::test]
async fn a_large_body_is_not_replaced_by_another_with_its_id() {
    let workshop = WorkshopBuilder::new().start().await.unwrap();
    let ada = workshop.person("user001").unwrap();
    let long = ada.submit(&graphs::sampled_picture(1, 100)).await.unwrap();
    let id = "7f2c1b9e-0a55-4b7c-9f56-0e6c56b1f001";
    let body = |word: &str| {
        let filler = word.repeat(300 * 1024 / word.len());
        json!({"prompt": graphs::white_picture(), "prompt_id": id, "extra_data": {"extra_pnginfo": {"filler": filler}}})
    };
    assert_eq!(ada.post("/user001/prompt", &body("first")).await.unwrap().status(), 200);
    assert_eq!(ada.post("/user001/prompt", &body("other")).await.unwrap().status(), 400);
    ada.wait_for(&long, "completed").await.unwrap();
    let job = ada.wait_for(id, "completed").await.unwrap();
    let picture = ada.picture(&job, 0).await.unwrap();
    let filler = crate::png_text::embedded(&picture, "filler");
    assert!(filler.as_str().unwrap().starts_with("firstfirst"));
}
