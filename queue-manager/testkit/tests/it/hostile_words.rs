//! Words that are code, terminal commands, formulas, or written backwards, in every field that takes words: each log line
//! stays one line, no answer carries them raw, and they come back to their owner as they were.

use reqwest::{Client, Method};
use serde_json::{Value, json};
use testkit::{Workshop, WorkshopBuilder, graphs, wire};

const HOSTILE: [&str; 8] = [
    "<img src=x onerror=alert(1)>",
    "\"'><script>alert(1)</script>",
    "{{7*7}}${7*7}#{7*7}",
    "\u{202e}drawkcab\u{2066}\u{2028}\u{85}",
    "\u{1b}[2J\u{1b}]0;title\u{7}",
    "line\r\n2026-01-01T00:00:00Z ERROR forged line",
    "=cmd|' /C calc'!A0",
    "' OR 1=1 --\u{0}",
];

/// A seat's and the API's every field, with its words.
async fn say_everywhere(workshop: &Workshop, words: &str) {
    let ada = workshop.person("user001").unwrap();
    let boss = workshop.person("instructor").unwrap();
    let mut graph = graphs::white_picture();
    graph["1"]["_meta"] = json!({"title": words});
    graph["3"]["inputs"]["filename_prefix"] = json!(words);
    graph[words] = json!({"class_type": words, "inputs": {words: words}, "_meta": {"title": words}});
    let info = json!({"extra_pnginfo": {"workflow": {"id": words, words: words}}, words: words});
    for body in [
        json!({"prompt": graph, "client_id": words, "extra_data": info}),
        json!({"prompt": graph, "prompt_id": words, "partial_execution_targets": [words]}),
        json!({"prompt": words, "number": words}),
        json!({words: words}),
    ] {
        let answer = ada.post("/user001/prompt", &body).await.unwrap();
        assert!(answer.status().as_u16() < 500, "{words:?} {body}");
        let answer = ada.post("/api/v1/jobs", &json!({"workflow": body, "client": words})).await.unwrap();
        assert!(answer.status().as_u16() < 500, "{words:?}");
    }
    let api = async |method: Method, path: &str, body: Value| {
        let answer = boss.request(method, &format!("/api/v1{path}")).json(&body).send().await.unwrap();
        assert!(answer.status().as_u16() < 500, "{path} {words:?}: {}", answer.status());
    };
    api(Method::PATCH, "/accounts/user001", json!({"label": words, "seat": 1})).await;
    api(Method::POST, "/accounts", json!({"name": words})).await;
    api(Method::POST, "/messages", json!({"text": words, "to": words})).await;
    api(Method::POST, "/messages", json!({"text": words})).await;
    api(Method::POST, "/tokens", json!({"worker": words})).await;
    api(Method::POST, "/account/tokens", json!({"scopes": ["read"], "label": words})).await;
    api(Method::PATCH, "/queue", json!({"mode": words})).await;
    api(Method::POST, "/queue/demo", json!({"participant": words})).await;
    let client = Client::new();
    for (name, password) in [(words, "x"), ("user001", words)] {
        let body = json!({"name": name, "password": password});
        let answer =
            client.post(format!("{}/api/v1/session", workshop.front)).json(&body).send().await.unwrap();
        assert_eq!(answer.status(), 401, "{words:?}");
        let basic = client.get(format!("{}/api/v1/jobs", workshop.front)).basic_auth(name, Some(password));
        assert_eq!(basic.send().await.unwrap().status(), 401, "{words:?}");
    }
    let part = reqwest::multipart::Part::bytes(b"x".to_vec()).file_name(words.to_owned());
    let form = reqwest::multipart::Form::new().part("image", part).text("subfolder", words.to_owned());
    let upload = ada.request(Method::POST, "/user001/upload/image").multipart(form).send().await.unwrap();
    assert!(upload.status().as_u16() < 500, "{words:?}");
    let settings = ada.post("/user001/settings", &json!({words: words})).await.unwrap();
    assert!(settings.status().as_u16() < 500, "{words:?}");
    let encoded = words.bytes().map(|byte| format!("%{byte:02x}")).collect::<Vec<_>>().concat();
    for base in [&workshop.front, &workshop.direct] {
        for path in [
            format!("/{encoded}"),
            format!("/user001/{encoded}"),
            format!("/api/v1/jobs/{encoded}"),
            format!("/user001/view?filename={encoded}"),
            format!("/join/{encoded}"),
        ] {
            // As a browser's name, too: header values may hold what is no control character.
            let agent: String = words.chars().filter(|c| !c.is_control()).collect();
            let request = format!(
                "GET {path} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: {agent}\r\nReferer: {agent}\r\nConnection: close\r\n\r\n"
            );
            let statuses = wire::statuses(&wire::say(base, request.as_bytes()).await.unwrap());
            assert!(statuses.iter().all(|status| *status < 500), "{path}: {statuses:?}");
        }
    }
}

fn is_odd(c: char) -> bool {
    (c.is_control() && c != '\n' && c != '\t')
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

#[tokio::test]
async fn words_that_are_code_stay_words_and_every_log_line_is_one_line() {
    let workshop = WorkshopBuilder::new()
        .with_admin()
        .with_nginx()
        .setting("ATELIER_LOG", "debug")
        .start()
        .await
        .unwrap();
    for words in HOSTILE {
        say_everywhere(&workshop, words).await;
    }
    let ada = workshop.person("user001").unwrap();
    // A node that fails says words as well, and they are ComfyUI's to choose.
    let id = ada.submit(&graphs::misbehaving(graphs::white_picture(), "2", "fail")).await.unwrap();
    ada.wait_for(&id, "failed").await.unwrap();

    let nginx = std::fs::read_to_string(workshop.data().join("../nginx/access.log")).unwrap();
    assert!(nginx.contains("\\x1B"), "what was asked is there, escaped");
    for (name, log) in [("programs", workshop.logs()), ("nginx", nginx)] {
        assert!(log.lines().count() > 100, "{name}: there are lines to look at");
        for line in log.lines() {
            let odd = line.chars().find(|c| is_odd(*c) && *c != '\u{1b}');
            assert_eq!(odd, None, "{name}: {line:?}");
            assert!(!line.contains("\u{1b}[2J") && !line.contains("\u{1b}]0"), "{name}: {line:?}");
            assert!(!line.starts_with("2026-01-01T00:00:00Z ERROR forged"), "{name}: {line:?}");
        }
    }
    // What is shown as JSON is JSON, and what is a page has no tag of theirs.
    let boss = workshop.person("instructor").unwrap();
    for path in [
        "/api/v1/room",
        "/api/v1/accounts",
        "/api/v1/messages",
        "/api/v1/audit",
        "/api/v1/jobs",
        "/api/v1/account/tokens",
    ] {
        let answer = boss.get(path).await.unwrap();
        assert_eq!(answer.headers()["content-type"], "application/json", "{path}");
        answer.json::<Value>().await.unwrap();
    }
    let page = ada.get("/user001/jobs").await.unwrap().text().await.unwrap();
    assert!(!page.contains("<img src=x") && !page.contains("<script>alert"), "{page}");
}
