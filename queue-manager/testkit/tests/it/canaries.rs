//! Twelve secrets are planted, a whole workshop is walked through, and everything that was written, logged, counted, shown
//! or sent is searched for them.

use std::path::Path;

use futures_util::StreamExt;
use reqwest::{Client, Method};
use serde_json::{Value, json};
use testkit::tab::connect;
use testkit::{Workshop, WorkshopBuilder, graphs};
use tokio_tungstenite::tungstenite::Message;

use crate::store_principals::Store;

/// A name that is no secret: where it is not found, nothing would be.
const CONTROL: &str = "canary-that-may-be-seen";

struct Planted {
    secrets: Vec<(&'static str, String)>,
    cookie: String,
    boss: String,
    token: String,
}

async fn sign_in(workshop: &Workshop, name: &str) -> String {
    let body = json!({"name": name, "password": workshop.password(name).unwrap()});
    let answer =
        Client::new().post(format!("{}/api/v1/session", workshop.front)).json(&body).send().await.unwrap();
    answer.json::<Value>().await.unwrap()["token"].as_str().unwrap().to_owned()
}

async fn plant(workshop: &Workshop) -> Planted {
    let ada = workshop.person("user001").unwrap();
    let (cookie, boss) = (ada.session().await.unwrap(), sign_in(workshop, "instructor").await);
    let api = async |method: Method, path: &str, body: Value| -> Value {
        let request =
            Client::new().request(method, format!("{}/api/v1{path}", workshop.front)).bearer_auth(&boss);
        request.json(&body).send().await.unwrap().json().await.unwrap()
    };
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let token = text(
        &api(Method::POST, "/account/tokens", json!({"scopes": ["read", "work", "steer"]})).await["token"],
    );
    let link = text(&api(Method::POST, "/accounts/user002/link", json!({})).await["path"]);
    let made = text(&api(Method::POST, "/tokens", json!({"worker": "gpu-7"})).await["token"]);
    let password = text(&api(Method::POST, "/accounts", json!({"name": "newcomer"})).await["password"]);
    api(Method::PATCH, "/accounts/user001", json!({"label": CONTROL})).await;
    let key = std::fs::read(workshop.data().join("secret.key")).unwrap();
    let secrets = vec![
        ("a participant's password", workshop.password("user001").unwrap().to_owned()),
        ("the instructor's password", workshop.password("instructor").unwrap().to_owned()),
        ("a new account's password", password),
        ("a browser's session", cookie.split_once('=').unwrap().1.to_owned()),
        ("a program's session", boss.clone()),
        ("a person's token", token.clone()),
        ("a worker's token", workshop.worker_token(1).unwrap()),
        ("another worker's token", made),
        ("a link that signs in", link.rsplit('/').next().unwrap().to_owned()),
        ("a key of a paid node", "canary-of-a-comfy-key".to_owned()),
        ("a token of a paid node", "canary-of-a-comfy-token".to_owned()),
        ("the store's password", "canary-of-a-store".to_owned()),
        ("the key that seals", String::from_utf8_lossy(&key).trim().to_owned()),
        ("a wrong password", "canary-of-a-guess".to_owned()),
    ];
    Planted { secrets, cookie, boss, token }
}

/// Asks for everything there is, with every kind of credentials; all that came back.
async fn walk(workshop: &Workshop, planted: &Planted, job: &str) -> String {
    let client = Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let mut said = walk_api_and_seat(workshop, planted, job, &client).await;
    said += &walk_dashboard(workshop, job, &client).await;
    said += &walk_refusals(workshop, &client).await;
    said
}

async fn walk_api_and_seat(workshop: &Workshop, planted: &Planted, job: &str, client: &Client) -> String {
    let mut said = String::new();
    for row in queue_manager::api::table::rows() {
        if row.method != Method::GET || ["/events", "/feed"].contains(&row.path) {
            continue;
        }
        let path = row.path.replace("{id}", job).replace("{name}", "user001");
        for secret in [&planted.boss, &planted.token] {
            let answer = client
                .get(format!("{}/api/v1{path}", workshop.front))
                .bearer_auth(secret)
                .send()
                .await
                .unwrap();
            said += &[format!("{:?}", answer.headers())].concat();
            said += &answer.text().await.unwrap();
        }
    }
    for path in [
        "",
        "jobs",
        "queue",
        "history",
        "api/jobs",
        "settings",
        "userdata?dir=workflows",
        "object_info",
        "system_stats",
        "internal/logs/raw",
        "view?filename=x",
        "users",
    ] {
        for header in
            [("cookie", planted.cookie.clone()), ("authorization", format!("Bearer {}", planted.boss))]
        {
            let answer = client
                .get(format!("{}/user001/{path}", workshop.front))
                .header(header.0, header.1)
                .send()
                .await
                .unwrap();
            said += &answer.text().await.unwrap();
        }
    }
    said
}

async fn walk_dashboard(workshop: &Workshop, job: &str, client: &Client) -> String {
    let mut said = String::new();
    let admin = workshop.admin.clone().unwrap();
    let form = format!("name=instructor&password={}", workshop.password("instructor").unwrap());
    let request = client
        .post(format!("{admin}/sign-in"))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form);
    let cookie = request.send().await.unwrap().headers()["set-cookie"].to_str().unwrap().to_owned();
    for page in [
        "/",
        "/people",
        "/workers",
        "/history",
        "/report",
        "/audit",
        "/setup",
        "/person/user001",
        "/report.csv",
        "/export/audit.csv",
        &format!("/job/{job}"),
    ] {
        said += &client
            .get(format!("{admin}{page}"))
            .header("cookie", &cookie)
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap();
    }
    said
}

/// What is refused, counted, and typed by an operator.
async fn walk_refusals(workshop: &Workshop, client: &Client) -> String {
    let mut said = String::new();
    for (name, value) in [
        ("authorization", testkit::tab::basic("user001", "canary-of-a-guess").unwrap()),
        ("authorization", "Bearer canary-of-a-guess".to_owned()),
        ("cookie", "atelier=canary-of-a-guess".to_owned()),
    ] {
        said += &client
            .get(format!("{}/user001/queue", workshop.front))
            .header(name, value)
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap();
    }
    let guess = json!({"name": "user001", "password": "canary-of-a-guess"});
    said += &client
        .post(format!("{}/api/v1/session", workshop.front))
        .json(&guess)
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    said += &client.get(format!("{}/metrics", workshop.link)).send().await.unwrap().text().await.unwrap();
    for command in [&["user", "list"][..], &["token", "list"], &["config", "show"], &["doctor"]] {
        let output = workshop.operator(command).await.unwrap();
        said += &String::from_utf8_lossy(&[output.stdout, output.stderr].concat());
    }
    said
}

/// Every byte of every file beneath a folder, but for the one that is the secret.
fn bytes_in(folder: &Path, found: &mut String) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        match std::fs::metadata(&path) {
            Ok(about) if about.is_dir() => bytes_in(&path, found),
            Ok(about) if about.is_file() && !path.ends_with("secret.key") && !path.ends_with("users.acl") => {
                found.push_str(&String::from_utf8_lossy(&std::fs::read(&path).unwrap_or_default()));
            }
            _ => {}
        }
    }
}

#[tokio::test]
async fn no_secret_is_in_a_log_a_metric_a_key_a_value_a_page_an_event_or_a_command_line() {
    let store = Store::start("user default on >canary-of-a-store ~* &* +@all\n").await;
    let password = store.folder.path().join("password");
    std::fs::write(&password, "canary-of-a-store").unwrap();
    let builder = WorkshopBuilder::new().with_admin().with_nginx().setting("ATELIER_LOG", "debug");
    let builder = builder
        .setting("ATELIER_REDIS_HOST", "127.0.0.1")
        .setting("ATELIER_REDIS_PORT", &store.port.to_string())
        .setting("ATELIER_REDIS_PASSWORD_FILE", &password.display().to_string());
    let mut workshop = builder.start().await.unwrap();
    std::fs::remove_file(password).unwrap();
    let planted = plant(&workshop).await;
    let ada = workshop.person("user001").unwrap();
    let mut tab = ada.tab(None).await.unwrap();
    let mut feed = connect(&format!("{}/api/v1/feed", workshop.front), &format!("Bearer {}", planted.boss))
        .await
        .unwrap();
    let keys = json!({"api_key_comfy_org": "canary-of-a-comfy-key", "auth_token_comfy_org": "canary-of-a-comfy-token"});
    let mut job = String::new();
    for graph in [graphs::misbehaving(graphs::white_picture(), "2", "fail"), graphs::sampled_picture(1, 5)] {
        let body = json!({"prompt": graph, "client_id": tab.sid, "extra_data": keys});
        let answer: Value = ada.post("/user001/prompt", &body).await.unwrap().json().await.unwrap();
        answer["prompt_id"].as_str().unwrap().clone_into(&mut job);
        tab.hear_the_end(&job).await.unwrap();
    }
    let mut said = walk(&workshop, &planted, &job).await;
    said += &[format!("{:?}", tab.heard)].concat();
    while let Ok(Some(Ok(Message::Text(text)))) =
        tokio::time::timeout(std::time::Duration::from_millis(500), feed.next()).await
    {
        said += &text;
    }
    let programs =
        [&workshop.queue_manager, &workshop.workers[0]].into_iter().filter_map(testkit::Process::id);
    for id in programs.chain(workshop.dashboard_id()) {
        said += &std::fs::read_to_string(format!("/proc/{id}/cmdline")).unwrap();
    }
    workshop.workers[0].stop().await.unwrap();
    workshop.queue_manager.stop().await.unwrap();

    let mut files = String::new();
    bytes_in(&workshop.data(), &mut files);
    bytes_in(&workshop.cache(), &mut files);
    bytes_in(&workshop.data().join("../nginx"), &mut files);
    let mut written = String::new();
    bytes_in(&store.folder.path().join("appendonlydir"), &mut written);
    let places =
        [("what was said", said), ("logs", workshop.logs()), ("files", files), ("the store", written)];
    for place in ["what was said", "the store"] {
        let text = &places.iter().find(|(name, _)| *name == place).unwrap().1;
        assert!(text.contains(CONTROL), "{place} can be searched");
    }
    let mut hits = Vec::new();
    for (place, text) in &places {
        for (secret, value) in &planted.secrets {
            assert!(value.len() >= 12, "{secret} is {value}");
            if text.contains(value.as_str()) {
                hits.push(format!("{secret} in {place}"));
            }
        }
    }
    println!(
        "{} secrets, {} bytes",
        planted.secrets.len(),
        places.iter().map(|(_, text)| text.len()).sum::<usize>()
    );
    assert_eq!(hits, Vec::<String>::new());
}
