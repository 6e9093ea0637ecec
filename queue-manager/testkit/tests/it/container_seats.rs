//! A participant's own ComfyUI in a container: its page and its settings are theirs, jobs are everybody's queue, and nothing
//! that could act for them reaches it.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::{IntoResponse, Response};
use reqwest::StatusCode;
use serde_json::{Value, json};
use testkit::{Person, WorkshopBuilder, graphs};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

/// A request as the container got it.
struct Asked {
    line: String,
    headers: HeaderMap,
    body: Bytes,
}

type Diary = Arc<Mutex<Vec<Asked>>>;

/// What stands in for ComfyUI: it answers a little, and writes down what it is asked.
struct Container {
    address: String,
    diary: Diary,
    serving: JoinHandle<()>,
}

impl Container {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let diary = Diary::default();
        let router = Router::new().fallback(answer).with_state(diary.clone());
        let serving = TaskTracker::new().spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, diary, serving }
    }

    fn lines(&self) -> Vec<String> {
        self.diary.lock().unwrap().iter().map(|asked| asked.line.clone()).collect()
    }
}

async fn answer(
    State(diary): State<Diary>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let line = format!("{method} {uri}");
    let visited = diary.lock().unwrap().iter().any(|asked| asked.line == "POST /settings");
    diary.lock().unwrap().push(Asked { line: line.clone(), headers, body });
    match line.as_str() {
        "GET /" => ([("content-type", "text/html"), ("set-cookie", "own=1")], "<title>own ComfyUI</title>")
            .into_response(),
        "GET /object_info" => axum::Json(json!({
            "OwnNode": {"display_name": "Own", "input": {}, "output": [], "output_node": true},
            "KSampler": {"display_name": "the container's"},
        }))
        .into_response(),
        "GET /settings" if visited => axum::Json(json!({"Comfy.TutorialCompleted": true})).into_response(),
        "GET /settings" => axum::Json(json!({"Own.Setting": 1})).into_response(),
        "GET /extensions" => axum::Json(json!(["/extensions/own/own.js"])).into_response(),
        "GET /workflow_templates" => axum::Json(json!({"own": ["first"]})).into_response(),
        _ => line.into_response(),
    }
}

async fn text(person: &Person, path: &str) -> String {
    person.get(path).await.unwrap().error_for_status().unwrap().text().await.unwrap()
}

#[tokio::test]
async fn the_page_is_the_containers_jobs_are_the_queues_and_no_sign_in_reaches_a_container() {
    let container = Container::start().await;
    let seats = format!("user001={}", container.address);
    let workshop =
        WorkshopBuilder::new().with_nginx().setting("ATELIER_CONTAINER_SEATS", &seats).start().await.unwrap();
    let (ada, ben) = (workshop.person("user001").unwrap(), workshop.person("user002").unwrap());

    let page = ada.get("/user001/").await.unwrap();
    assert!(
        page.headers().get("set-cookie").is_none() && page.headers().contains_key("content-security-policy")
    );
    assert!(page.text().await.unwrap().contains("own ComfyUI"));
    // With the session's cookie as well as with a password.
    let cookie = ada.session().await.unwrap();
    let browser = reqwest::Client::new().get(format!("{}/user001/api/settings?a=b%2Fc", workshop.front));
    let settings = browser.header("cookie", cookie).send().await.unwrap();
    assert_eq!(settings.text().await.unwrap(), "GET /api/settings?a=b%2Fc");
    let saved = "/user001/api/userdata/workflows%2Fa%20b.json?overwrite=true";
    let saving = ada.request(Method::POST, saved).body("{\"nodes\": []}").send().await.unwrap();
    assert_eq!(saving.text().await.unwrap(), "POST /api/userdata/workflows%2Fa%20b.json?overwrite=true");
    {
        let diary = container.diary.lock().unwrap();
        assert_eq!(diary.last().unwrap().body, "{\"nodes\": []}");
        for asked in diary.iter() {
            for secret in ["cookie", "authorization", "x-forwarded-for", "x-real-ip"] {
                assert!(!asked.headers.contains_key(secret), "{} has {secret}", asked.line);
            }
            assert_eq!(asked.headers["host"], container.address.trim_start_matches("http://"));
        }
    }

    // What the workers have comes first; what only the container has is marked.
    let nodes = ada.json("/user001/object_info").await.unwrap();
    assert_eq!(nodes["OwnNode"]["display_name"], "Own (on no GPU)");
    assert_ne!(nodes["KSampler"]["display_name"], "the container's");
    let own: Value = json!({"1": {"class_type": "OwnNode", "inputs": {}}});
    let refused = ada.post("/user001/prompt", &json!({"prompt": own})).await.unwrap();
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    let scripts = ada.json("/user001/api/extensions").await.unwrap();
    let scripts: Vec<_> = scripts.as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(
        scripts[0].starts_with("/extensions/atelier/") && scripts[1..] == ["/extensions/own/own.js"],
        "{scripts:?}"
    );
    assert_eq!(text(&ada, "/user001/extensions/own/own.js").await, "GET /extensions/own/own.js");
    assert!(!text(&ada, &format!("/user001{}", scripts[0])).await.starts_with("GET "));
    assert_eq!(ada.json("/user001/api/workflow_templates").await.unwrap()["own"], json!(["first"]));
    assert_eq!(
        text(&ada, "/user001/api/workflow_templates/own/first.json").await,
        "GET /api/workflow_templates/own/first.json"
    );

    // A job, with everything a tab does around it.
    let mut tab = ada.tab(None).await.unwrap();
    let job = ada.submit(&graphs::white_picture()).await.unwrap();
    let done = ada.wait_for(&job, "completed").await.unwrap();
    assert!(!ada.picture(&done, 0).await.unwrap().is_empty());
    tab.next().await.expect("the tab hears of the job");
    for path in [
        "queue",
        "history",
        "api/jobs",
        "internal/files/input",
        "models",
        "embeddings",
        "system_stats",
        "features",
    ] {
        assert!(
            !text(&ada, &format!("/user001/{path}")).await.starts_with("GET "),
            "{path} is the queue-manager's"
        );
    }
    let ours = [
        "/prompt",
        "/queue",
        "/history",
        "/ws",
        "/view",
        "/upload",
        "/jobs",
        "/internal/files",
        "/models",
        "/system_stats",
    ];
    for line in container.lines() {
        assert!(!ours.iter().any(|path| line.contains(path)), "{line} went to the container");
    }

    // Somebody else's container does not exist, and who has none has a light seat.
    let before = container.lines().len();
    assert_eq!(ben.get("/user001/").await.unwrap().status(), StatusCode::NOT_FOUND);
    assert!(ben.json("/user002/api/settings").await.unwrap().is_object());
    assert_eq!(container.lines().len(), before);

    // It goes away: the seat says so, and jobs go on.
    container.serving.abort();
    let away = ada.get("/user001/api/settings").await.unwrap();
    assert_eq!(away.status(), StatusCode::BAD_GATEWAY);
    assert_eq!(away.json::<Value>().await.unwrap()["error"]["type"], "container_away");
    let page = ada.request(Method::GET, "/user001/").header("accept", "text/html").send().await.unwrap();
    assert_eq!(page.status(), StatusCode::BAD_GATEWAY);
    assert!(page.text().await.unwrap().contains("One moment"));
    assert!(ada.json("/user001/object_info").await.unwrap()["OwnNode"].is_null());
    let job = ada.submit(&graphs::white_picture()).await.unwrap();
    ada.wait_for(&job, "completed").await.unwrap();
}

#[tokio::test]
async fn a_first_visit_to_a_container_opens_the_default_workflow_with_the_workshops_settings() {
    let container = Container::start().await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("our-first.json"), "{}").unwrap();
    let workshop = WorkshopBuilder::new()
        .setting("ATELIER_CONTAINER_SEATS", &format!("user001={}", container.address))
        .setting("ATELIER_WORKFLOWS", folder.path().to_str().unwrap())
        .setting("ATELIER_DEFAULT_WORKFLOW", "our-first.json")
        .start()
        .await
        .unwrap();
    let ada = workshop.person("user001").unwrap();
    let browser = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let visit = async || {
        let page = browser.get(format!("{}/user001/", workshop.front));
        page.header("cookie", ada.session().await.unwrap()).send().await.unwrap()
    };
    let first = visit().await;
    assert_eq!(first.status(), StatusCode::SEE_OTHER);
    assert_eq!(first.headers()["location"], "/user001/?template=our-first&source=workshop");
    {
        let diary = container.diary.lock().unwrap();
        let saved = diary.iter().find(|asked| asked.line == "POST /settings").unwrap();
        let saved: Value = serde_json::from_slice(&saved.body).unwrap();
        assert_eq!(saved["Comfy.TutorialCompleted"], true);
        assert_eq!(saved["Own.Setting"], 1, "what was there stays");
    }
    let again = visit().await;
    assert!(again.status().is_success() && again.text().await.unwrap().contains("own ComfyUI"));
    container.serving.abort();
    assert_eq!(visit().await.status(), StatusCode::BAD_GATEWAY, "one that is away is no first visit");
}
