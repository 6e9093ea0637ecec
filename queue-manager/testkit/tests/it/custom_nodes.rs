//! Scripts that a worker's custom nodes have for browsers: nobody's page loads one before the instructor accepted exactly
//! that set.

use std::time::Duration;

use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use testkit::browser::Driver;
use testkit::{Person, Workshop, WorkshopBuilder, waiting};

const LIMIT: Duration = Duration::from_secs(20);
const SCRIPT: &str = "/extensions/SimulatedBadge/badge.js";

/// The one set that the worker has, once it is another than `before`.
async fn set(instructor: &Person, before: &str) -> Value {
    waiting::until("the worker's scripts", LIMIT, async || {
        let sets = instructor.json("/api/v1/browser-files").await?;
        let set = sets["sets"].as_array().filter(|sets| sets.len() == 1).map(|sets| sets[0].clone());
        Ok(set.filter(|set| set["hash"] != before))
    })
    .await
    .unwrap()
}

async fn accept(person: &Person, method: Method, hash: &Value) -> StatusCode {
    let path = format!("/api/v1/browser-files/{}/accept", hash.as_str().unwrap());
    person.request(method, &path).send().await.unwrap().status()
}

/// What a seat lists and what it answers for the script, once it lists so many: other replicas hear of it within a second.
async fn shown(person: &Person, number: usize) -> (u16, String) {
    let list = format!("/{}/api/extensions", person.name);
    waiting::until("the seat's list", LIMIT, async || {
        let listed = person.json(&list).await?;
        Ok((listed.as_array().map(Vec::len) == Some(number)).then_some(()))
    })
    .await
    .unwrap();
    let script = person.get(&format!("/{}{SCRIPT}", person.name)).await.unwrap();
    (script.status().as_u16(), script.text().await.unwrap())
}

#[tokio::test]
async fn a_set_of_scripts_is_served_once_it_is_accepted_and_a_changed_one_is_not() {
    let mut workshop = WorkshopBuilder::new().start().await.unwrap();
    let (ada, ben) = (workshop.person("user001").unwrap(), workshop.person("user002").unwrap());
    let instructor = workshop.person("instructor").unwrap();
    let first = set(&instructor, "").await;
    assert_eq!((&first["accepted"], &first["workers"]), (&json!(false), &json!(["gpu-1"])));
    assert_eq!(first["files"][0]["path"], SCRIPT, "and none of the frontend's own");
    assert_eq!(shown(&ada, 0).await.0, 404, "not accepted yet");

    assert_eq!(accept(&ada, Method::POST, &first["hash"]).await, 403);
    assert_eq!(accept(&instructor, Method::POST, &json!("0".repeat(64))).await, 404, "nobody has it");
    assert_eq!(accept(&instructor, Method::POST, &first["hash"]).await, 204);
    for person in [&ada, &ben] {
        let (status, text) = shown(person, 1).await;
        assert!(status == 200 && text.contains("simulated.badge"), "{status} {text}");
        let digest = hex::encode(Sha256::digest(text.as_bytes()));
        assert_eq!(first["files"][0]["sha256"], digest, "what was shown to the instructor");
    }
    let script = ada.get(&format!("/user001{SCRIPT}")).await.unwrap();
    assert_eq!(script.headers()[header::CONTENT_TYPE], "text/javascript; charset=utf-8");
    assert_eq!(script.headers()[header::CACHE_CONTROL], "no-cache");
    let tag = script.headers()[header::ETAG].clone();
    let again = ada.request(Method::GET, &format!("/user001{SCRIPT}")).header(header::IF_NONE_MATCH, tag);
    assert_eq!(again.send().await.unwrap().status(), 304);
    let deeds = instructor.json("/api/v1/audit").await.unwrap();
    let deed = &deeds["entries"][0];
    assert_eq!((&deed["what"], &deed["target"]), (&json!("browser_files.accept"), &first["hash"]));

    // Another byte is another set.
    workshop.simulate(1, &json!({"badge": "// canary"})).await.unwrap();
    workshop.workers[0].kill().await.unwrap();
    workshop.restart_worker(1).unwrap();
    let second = set(&instructor, first["hash"].as_str().unwrap()).await;
    assert_eq!(second["accepted"], false);
    let (status, text) = shown(&ada, 0).await;
    assert!(status == 404 && !text.contains("canary"), "{text}");
    assert_eq!(accept(&instructor, Method::POST, &second["hash"]).await, 204);
    assert_eq!(shown(&ada, 1).await, (200, "// canary".to_owned()));
    assert_eq!(accept(&instructor, Method::DELETE, &second["hash"]).await, 204);
    assert_eq!(shown(&ada, 0).await.0, 404);
}

async fn put(workshop: &Workshop, token: &str, part: &str, body: String, hash: Option<String>) -> u16 {
    let hash = hash.unwrap_or_else(|| hex::encode(Sha256::digest(body.as_bytes())));
    let url = format!("{}/link/parts/{part}/{hash}", workshop.link);
    let request = reqwest::Client::new().put(url).bearer_auth(token).body(body);
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn only_a_worker_sends_scripts_and_only_what_they_are() {
    let workshop = WorkshopBuilder::new().start().await.unwrap();
    let token = workshop.worker_token(1).unwrap();
    let scripts = |path: &str| json!({ path: "1" }).to_string();
    let fine = scripts("/extensions/Notes/notes.js");
    assert_eq!(put(&workshop, &token, "browser_files", fine.clone(), None).await, 204);
    assert_eq!(put(&workshop, "no token", "browser_files", fine.clone(), None).await, 401);
    assert_eq!(put(&workshop, &token, "browser_files", fine.clone(), Some("0".repeat(64))).await, 400);
    assert_eq!(put(&workshop, &token, "pages", fine.clone(), None).await, 404);
    for path in [
        "/extensions/core/groupNode.js",
        "/extensions/a/../core/x.js",
        "/assets/index.js",
        "/extensions/a/x.html",
    ] {
        assert_eq!(put(&workshop, &token, "browser_files", scripts(path), None).await, 400, "{path}");
    }
    assert_eq!(put(&workshop, &token, "lists", json!({"scripts": ["x"]}).to_string(), None).await, 400);
    let large = scripts(&format!("/extensions/{}/x.js", "x".repeat(17 * 1024 * 1024)));
    assert_eq!(put(&workshop, &token, "browser_files", large, None).await, 413);
    let instructor = workshop.person("instructor").unwrap();
    assert_eq!(
        set(&instructor, "").await["files"][0]["path"],
        SCRIPT,
        "what no worker says it has is not listed"
    );
}

#[tokio::test]
async fn what_the_workers_nodes_list_every_seat_has() {
    let workshop = WorkshopBuilder::new().start().await.unwrap();
    let ada = workshop.person("user001").unwrap();
    let replacements = waiting::until("the worker's lists", LIMIT, async || {
        let replacements = ada.json("/user001/api/node_replacements").await?;
        Ok((replacements != json!({})).then_some(replacements))
    })
    .await
    .unwrap();
    assert_eq!(replacements["SimulatedInvert"][0]["new_node_id"], "ImageInvert");
    assert_eq!(ada.json("/user001/embeddings").await.unwrap(), json!(["simulated"]));
    assert_eq!(ada.json("/user001/api/i18n").await.unwrap(), json!({}));
    for absent in ["view_metadata/checkpoints?filename=x", "experiment/models/preview/checkpoints/0/x.png"] {
        assert_eq!(ada.get(&format!("/user001/api/{absent}")).await.unwrap().status(), 404, "{absent}");
    }
    for disabled in ["assets", "tags"] {
        assert_eq!(ada.get(&format!("/user001/api/{disabled}")).await.unwrap().status(), 503, "{disabled}");
    }
}

#[tokio::test]
async fn a_page_loads_the_accepted_script_and_no_other() {
    let workshop = WorkshopBuilder::new().with_nginx().with_frontend().start().await.unwrap();
    let instructor = workshop.person("instructor").unwrap();
    let driver = Driver::start(&workshop.data()).await.unwrap();
    let browser = driver.browser(1280, 800).await.unwrap();
    let badge = "return document.documentElement.dataset.simulatedBadge || 'none';";
    let first = set(&instructor, "").await;
    browser.open_seat(&workshop.front, "user001", workshop.password("user001").unwrap()).await.unwrap();
    assert_eq!(browser.script(badge, vec![]).await.unwrap(), "none");
    assert_eq!(accept(&instructor, Method::POST, &first["hash"]).await, 204);
    shown(&workshop.person("user001").unwrap(), 1).await;
    browser.page.refresh().await.unwrap();
    let loaded = "return document.documentElement.dataset.simulatedBadge === 'loaded' || null;";
    browser.wait_for("the script of the custom node", loaded, vec![]).await.unwrap();
}
