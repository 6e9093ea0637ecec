//! Two queue-managers on one store that asks for a password, as a managed one does, behind one nginx.

use std::time::Duration;

use serde_json::json;
use testkit::process::free_port;
use testkit::{Process, Workshop, WorkshopBuilder, graphs, waiting};
use tokio::process::Command;

const LIMIT: Duration = Duration::from_secs(20);

/// A store on a port of its own, and its address.
async fn store(folder: &tempfile::TempDir) -> (Process, String) {
    let port = free_port().unwrap();
    let mut redis = Command::new("redis-server");
    redis.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--requirepass", "s3cret"]);
    redis.args(["--appendonly", "yes", "--save", "", "--dir"]).arg(folder.path());
    let redis = Process::start(redis, &folder.path().join("redis.log")).unwrap();
    waiting::until("Redis", LIMIT, async || {
        Ok(tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok().map(drop))
    })
    .await
    .unwrap();
    (redis, format!("redis://:s3cret@127.0.0.1:{port}"))
}

/// One worker at each: `gpu-1` at the first, `gpu-2` at the second.
async fn a_worker_at_each(workshop: &mut Workshop) {
    workshop.add_worker(20, None).await.unwrap();
    let second = workshop.second.as_ref().unwrap().link.clone();
    workshop.worker_settings = vec![("ATELIER_QUEUE_MANAGER".to_owned(), second)];
    workshop.add_worker(20, None).await.unwrap();
}

#[tokio::test]
async fn two_queue_managers_are_one_workshop_and_one_of_them_may_die() {
    let folder = tempfile::tempdir().unwrap();
    let (_redis, url) = store(&folder).await;
    let builder = WorkshopBuilder::new().workers(0).setting("ATELIER_REDIS_URL", &url);
    let mut workshop = builder.two_queue_managers().with_nginx().start().await.unwrap();
    a_worker_at_each(&mut workshop).await;
    let (ada, ben) = (workshop.person("user001").unwrap(), workshop.person("user002").unwrap());
    let there = workshop.second.as_ref().unwrap().direct.clone();

    // A tab at one hears of its job that the other took, and an upload at one is used by a job of the other.
    let mut tab = ada.at(&workshop.direct).tab(None).await.unwrap();
    let elsewhere = ada.at(&there);
    let first = ada.at(&workshop.direct).submit(&graphs::white_picture()).await.unwrap();
    let white = elsewhere.picture(&elsewhere.wait_for(&first, "completed").await.unwrap(), 0).await.unwrap();
    let part = reqwest::multipart::Part::bytes(white).file_name("one.png");
    let form = reqwest::multipart::Form::new().part("image", part);
    let upload =
        ada.at(&workshop.direct).request(reqwest::Method::POST, "/user001/upload/image").multipart(form);
    upload.send().await.unwrap().error_for_status().unwrap();
    let body = json!({"prompt": graphs::inverted_upload("one.png"), "client_id": tab.sid});
    let answer = elsewhere.post("/user001/prompt", &body).await.unwrap().error_for_status().unwrap();
    let id = answer.json::<serde_json::Value>().await.unwrap()["prompt_id"].as_str().unwrap().to_owned();
    tab.hear("execution_success", &id).await.unwrap();
    let job = elsewhere.wait_for(&id, "completed").await.unwrap();
    assert!(elsewhere.picture(&job, 0).await.unwrap().starts_with(b"\x89PNG"));
    let cookie = ben.at(&there).session().await.unwrap();
    assert!(ben.at(&workshop.direct).tab_of_session(&cookie, None).await.is_ok(), "one sign-in for both");

    // Through nginx, while the second one dies with a worker that runs something.
    let mut ids = Vec::new();
    for n in 0..8 {
        for person in [&ada, &ben] {
            ids.push((person, person.submit(&graphs::sampled_picture(n, 20)).await.unwrap()));
        }
    }
    workshop.wait_for_comfyui_to_run(2).await.unwrap();
    workshop.second.as_mut().unwrap().process.kill().await.unwrap();
    for person in [&ada, &ben] {
        ids.push((person, person.submit(&graphs::white_picture()).await.unwrap()));
    }
    for (person, id) in &ids {
        person.wait_for(id, "completed").await.unwrap();
    }
    let status = ada.json("/api/queue/status").await.unwrap();
    assert_eq!(status["completed_jobs"], ids.len() + 2, "each ended once: {status}");
    assert_eq!((&status["failed_jobs"], &status["running_jobs"]), (&json!(0), &json!(0)));
    assert_eq!(workshop.operator_json(&["doctor"]).await.unwrap(), json!({"complaints": []}));
}
