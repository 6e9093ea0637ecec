//! A light seat: models, templates, the frontend's files, and what a person saves, through the routes alone.

use reqwest::{Method, header};
use serde_json::{Value, json};
use testkit::process::repository;
use testkit::{Person, WorkshopBuilder, graphs};

#[tokio::test]
async fn the_model_library_shows_what_the_workers_loaders_choose_from() {
    let workshop = WorkshopBuilder::new().start().await.unwrap();
    let ada = workshop.person("user001").unwrap();
    let models = "/user001/api/models";
    let folders = ada.json(models).await.unwrap();
    let has = |folder: &str| folders.as_array().unwrap().iter().any(|name| name == folder);
    assert!(has("checkpoints") && has("embeddings") && !has("nosuch"), "{folders}");
    let checkpoints = ada.json(&format!("{models}/checkpoints")).await.unwrap();
    assert_eq!(checkpoints, json!(["tiny-random-sd3.safetensors"]));
    assert_eq!(ada.json(&format!("{models}/loras")).await.unwrap(), json!([]));
    assert_eq!(ada.get(&format!("{models}/nosuch")).await.unwrap().status(), 404, "as ComfyUI answers");
    let library = ada.json("/user001/api/experiment/models").await.unwrap();
    assert!(library.as_array().unwrap().iter().any(|folder| folder["name"] == "checkpoints"));
    let files = ada.json("/user001/api/experiment/models/checkpoints").await.unwrap();
    assert_eq!((&files[0]["name"], &files[0]["pathIndex"]), (&checkpoints[0], &json!(0)));
    assert_eq!(ada.get("/user001/api/experiment/models/nosuch").await.unwrap().status(), 404);
}

#[tokio::test]
async fn before_a_worker_came_the_model_library_is_empty_and_not_broken() {
    let workshop = WorkshopBuilder::new().workers(0).start().await.unwrap();
    let ada = workshop.person("user001").unwrap();
    for path in ["models", "models/checkpoints", "experiment/models", "experiment/models/loras"] {
        assert_eq!(ada.json(&format!("/user001/api/{path}")).await.unwrap(), json!([]), "{path}");
    }
}

#[tokio::test]
async fn every_seat_offers_the_workshops_examples() {
    let folder = repository().join("data/workflows");
    let builder = WorkshopBuilder::new().setting("ATELIER_WORKFLOWS", folder.to_str().unwrap());
    let workshop = builder.start().await.unwrap();
    let ada = workshop.person("user001").unwrap();
    let packs = ada.json("/user001/api/workflow_templates").await.unwrap();
    assert_eq!(packs["workshop"].as_array().unwrap().len(), 5, "{packs}");
    let at = "/user001/api/workflow_templates/workshop";
    for name in packs["workshop"].as_array().unwrap().iter().filter_map(Value::as_str) {
        let workflow = ada.json(&format!("{at}/{name}.json")).await.unwrap();
        assert!(workflow["nodes"].as_array().unwrap().len() > 2, "{name} is no saved workflow");
        let picture = ada.get(&format!("{at}/{name}.jpg")).await.unwrap();
        assert!(picture.headers()[header::CONTENT_TYPE].to_str().unwrap().starts_with("image/"));
    }
    for nothing in ["other.json", "README.md", "black-and-white", "..%2f..%2fREADME.json"] {
        let status = ada.get(&format!("{at}/{nothing}")).await.unwrap().status();
        assert!(matches!(status.as_u16(), 400 | 404), "{nothing} answered {status}");
    }
    assert_eq!(ada.json("/user001/templates/index.json").await.unwrap(), json!([]));
}

async fn fetch(ada: &Person, path: &str, more: &[(header::HeaderName, &str)]) -> reqwest::Response {
    let request = ada.request(Method::GET, path);
    more.iter().fold(request, |request, (name, value)| request.header(name, *value)).send().await.unwrap()
}

#[tokio::test]
async fn the_frontends_files_travel_compressed_and_once() {
    let workshop = WorkshopBuilder::new().with_frontend().start().await.unwrap();
    let ada = workshop.person("user001").unwrap();
    let page = ada.get("/user001/").await.unwrap();
    assert_eq!(page.headers()[header::CACHE_CONTROL], "no-store");
    let policy = page.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
    assert!(policy.contains("default-src 'self'") && !policy.contains("http"), "{policy}");
    let html = page.text().await.unwrap();
    let script = html.split("src=\"./").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let path = format!("/user001/{script}");

    let gzip = [(header::ACCEPT_ENCODING, "gzip")];
    let (small, large) = (fetch(&ada, &path, &gzip).await, fetch(&ada, &path, &[]).await);
    assert_eq!(small.headers()[header::CONTENT_ENCODING], "gzip");
    assert!(!large.headers().contains_key(header::CONTENT_ENCODING));
    let tag = small.headers()[header::ETAG].to_str().unwrap().to_owned();
    assert_ne!(large.headers()[header::ETAG], tag.as_str());
    for file in [&small, &large] {
        assert_eq!(file.headers()[header::VARY], "accept-encoding");
        assert_eq!(file.headers()[header::CACHE_CONTROL], "public, max-age=31536000, immutable");
    }
    let again = fetch(&ada, &path, &[gzip[0].clone(), (header::IF_NONE_MATCH, &tag)]).await;
    assert_eq!(again.status(), 304);
    assert_eq!(again.headers()[header::ETAG], tag.as_str());
    let other = fetch(&ada, &path, &[gzip[0].clone(), (header::IF_NONE_MATCH, "\"other\"")]).await;
    assert_eq!(other.status(), 200);
    let plain = fetch(&ada, "/user001/materialdesignicons.min.css", &gzip).await;
    assert_eq!(plain.headers()[header::CACHE_CONTROL], "no-cache", "its name does not change with it");
    let nodes = fetch(&ada, "/user001/api/object_info", &gzip).await;
    assert_eq!(nodes.headers()[header::CONTENT_ENCODING], "gzip");
}

async fn save(ada: &Person, path: &str, body: &str) -> (u16, String) {
    let at = format!("/user001/api/userdata/{path}");
    let answer = ada.request(Method::POST, &at).body(body.to_owned()).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test]
async fn saved_files_answer_as_comfyuis_do_in_both_spellings() {
    let workshop = WorkshopBuilder::new().with_nginx().start().await.unwrap();
    let ada = workshop.person("user001").unwrap();
    let taken = (409, "File already exists".to_owned());
    assert_eq!(
        save(&ada, "workflows%2Fa.json?overwrite=false", "1").await,
        (200, "\"workflows/a.json\"".to_owned())
    );
    assert_eq!(save(&ada, "workflows/a.json?overwrite=false", "2").await, taken, "it is the same file");
    assert_eq!(save(&ada, "workflows/a.json", "2").await.0, 200, "without the word it is replaced");
    let read = ada.get("/user001/api/userdata/workflows%2Fa.json").await.unwrap();
    assert_eq!(read.headers()[header::CONTENT_DISPOSITION], "attachment");
    assert_eq!(read.headers()[header::CONTENT_TYPE], "application/json");
    assert_eq!(read.text().await.unwrap(), "2");

    save(&ada, "workflows%2Fb.json", "3").await;
    let renamed = "workflows%2Fa.json/move/workflows%2Fb.json";
    assert_eq!(save(&ada, &format!("{renamed}?overwrite=false"), "").await, taken);
    assert_eq!(ada.json("/user001/api/userdata/workflows/a.json").await.unwrap(), 2, "nothing was moved");
    let (status, moved) = save(&ada, &format!("{renamed}?overwrite=true&full_info=true"), "").await;
    let moved: Value = serde_json::from_str(&moved).unwrap();
    assert_eq!((status, &moved["path"], &moved["size"]), (200, &json!("workflows/b.json"), &json!(1)));
    assert_eq!(ada.json("/user001/api/userdata/workflows/b.json").await.unwrap(), 2);
    assert_eq!(save(&ada, renamed, "").await, (404, String::new()), "it is gone");

    assert_eq!(save(&ada, "workflows%2Fmove%2Fc.json", "4").await.0, 200, "a folder may be called so");
    assert_eq!(ada.json("/user001/api/userdata/workflows/move/c.json").await.unwrap(), 4);
    assert_eq!(save(&ada, "workflows%2Fb.json%2Fd.json", "5").await.0, 400, "a file is no folder");
    for method in [Method::GET, Method::DELETE] {
        let folder = ada.request(method, "/user001/api/userdata/workflows").send().await.unwrap();
        assert_eq!((folder.status().as_u16(), folder.text().await.unwrap()), (404, String::new()));
    }
}

#[tokio::test]
async fn who_saved_as_much_as_they_may_is_told_so_and_can_make_room() {
    let builder = WorkshopBuilder::new().setting("ATELIER_SAVED_MB", "1").setting("ATELIER_SAVED_FILES", "3");
    let workshop = builder.start().await.unwrap();
    let ada = workshop.person("user001").unwrap();
    assert_eq!(save(&ada, "a", &"x".repeat(900_000)).await.0, 200);
    let (status, why) = save(&ada, "b", &"x".repeat(200_000)).await;
    assert!(status == 507 && why.contains("1 MB"), "{status} {why}");
    assert_eq!(save(&ada, "a", &"x".repeat(800_000)).await.0, 200);
    assert_eq!(save(&ada, "b", &"x".repeat(200_000)).await.0, 200);
    assert_eq!(save(&ada, "c", "").await.0, 200);
    let (status, why) = save(&ada, "d", "").await;
    assert!(status == 507 && why.contains("3 saved files"), "{status} {why}");
    assert_eq!(ada.request(Method::DELETE, "/user001/api/userdata/c").send().await.unwrap().status(), 204);
    assert_eq!(save(&ada, "d", "").await.0, 200);
    let ben = workshop.person("user002").unwrap();
    let theirs = ben.post("/user002/api/userdata/a", &json!("x".repeat(900_000))).await.unwrap();
    assert_eq!(theirs.status(), 200, "everyone has their own room");
    let id = ada.submit(&graphs::white_picture()).await.unwrap();
    ada.wait_for(&id, "completed").await.unwrap();
}

#[tokio::test]
async fn folders_are_nested_eight_deep_and_no_deeper_and_go_with_their_last_file() {
    let workshop = WorkshopBuilder::new().workers(0).start().await.unwrap();
    let ada = workshop.person("user001").unwrap();
    let name = |folders: usize| format!("{}a.json", "d%2F".repeat(folders));
    assert_eq!(save(&ada, &name(8), "x").await.0, 200);
    let (status, why) = save(&ada, &name(9), "x").await;
    assert_eq!((status, why.contains("8 deep")), (400, true), "{why}");
    let moving = format!("/user001/api/userdata/{}/move/{}", name(8), name(9));
    assert_eq!(ada.request(Method::POST, &moving).send().await.unwrap().status(), 400);
    let gone = ada.request(Method::DELETE, &format!("/user001/api/userdata/{}", name(8))).send().await;
    assert_eq!(gone.unwrap().status(), 204);
    assert!(!workshop.data().join("files/userdata/user001/d").exists());
    let form = reqwest::multipart::Form::new()
        .part("image", reqwest::multipart::Part::bytes(vec![1]).file_name("a"))
        .text("subfolder", ["d"; 9].join("/"));
    let deep = ada.request(Method::POST, "/user001/upload/image").multipart(form).send().await.unwrap();
    assert_eq!(deep.status(), 400);
}
