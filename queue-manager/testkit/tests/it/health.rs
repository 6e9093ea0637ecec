//! Health: green only when things are well.

use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use queue_protocol::link::{FromWorker, Hello};
use rustix::process::Signal;
use serde_json::Value;
use testkit::tab::{Socket, basic, close_code, connect};
use testkit::{WorkshopBuilder, waiting};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

const LIMIT: Duration = Duration::from_secs(20);

#[tokio::test]
async fn health_is_red_while_redis_does_not_answer_and_degraded_without_workers() {
    let mut workshop = WorkshopBuilder::new().start().await.unwrap();
    let health = async || {
        let answer = reqwest::get(format!("{}/health", workshop.front)).await?;
        anyhow::Ok((answer.status().as_u16(), answer.json::<Value>().await?["status"].clone()))
    };
    waiting::until("200", LIMIT, async || Ok((health().await? == (200, "ok".into())).then_some(())))
        .await
        .unwrap();
    let info = workshop.redis(&["info", "server"]).await.unwrap();
    let pid = info.lines().find_map(|line| line.strip_prefix("process_id:")).unwrap().trim().to_owned();
    let signal = |name: &str| {
        std::process::Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap();
    };
    signal("STOP");
    waiting::until("503", LIMIT, async || Ok((health().await? == (503, "unhealthy".into())).then_some(())))
        .await
        .unwrap();
    let alive = reqwest::get(format!("{}/healthz", workshop.front)).await.unwrap();
    assert_eq!(alive.status(), 200, "the event loop turns");
    let ada = workshop.person("user001").unwrap();
    assert_eq!(ada.get("/api/v1/jobs").await.unwrap().status(), 503);
    signal("CONT");
    waiting::until("200", LIMIT, async || Ok((health().await?.0 == 200).then_some(()))).await.unwrap();
    workshop.workers[0].stop().await.unwrap();
    let health = async || {
        let answer = reqwest::get(format!("{}/health", workshop.front)).await?;
        anyhow::Ok((answer.status().as_u16(), answer.json::<Value>().await?["status"].clone()))
    };
    waiting::until("degraded", LIMIT, async || {
        Ok((health().await? == (200, "degraded".into())).then_some(()))
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn the_published_view_has_the_promised_fields() {
    let workshop = WorkshopBuilder::new().start().await.unwrap();
    let status: Value =
        reqwest::get(format!("{}/api/queue/status", workshop.front)).await.unwrap().json().await.unwrap();
    let fields: Vec<_> = status.as_object().unwrap().keys().map(String::as_str).collect();
    let promised = [
        "mode",
        "paused",
        "pending_jobs",
        "running_jobs",
        "completed_jobs",
        "failed_jobs",
        "total_workers",
        "active_workers",
        "queue_depth",
        "one_each",
    ];
    assert_eq!(fields, promised);
}

/// Listens until the first ping and answers it: the conversation has begun, and nothing is under way.
async fn hear_ping(socket: &mut Socket) {
    while !matches!(socket.next().await, Some(Ok(Message::Ping(_)))) {}
    socket.flush().await.unwrap();
}

#[tokio::test]
async fn a_stopped_queue_manager_tells_every_socket_and_takes_its_redis_with_it_within_ten_seconds() {
    let mut workshop = WorkshopBuilder::new().workers(0).start().await.unwrap();
    let info = workshop.redis(&["info", "server"]).await.unwrap();
    let pid = info.lines().find_map(|line| line.strip_prefix("process_id:")).unwrap().trim().to_owned();
    let ada = workshop.person("user001").unwrap();
    let basic_ada = basic("user001", workshop.password("user001").unwrap()).unwrap();
    let token = workshop.operator_json(&["token", "issue", "gpu-1"]).await.unwrap();
    let bearer = format!("Bearer {}", token["token"].as_str().unwrap());
    let events = ada.get("/api/v1/events").await.unwrap();
    let mut tab = ada.tab(None).await.unwrap();
    let mut feed = connect(&format!("{}/api/v1/feed", workshop.front), &basic_ada).await.unwrap();
    hear_ping(&mut feed).await;
    let mut link = connect(&format!("{}/link", workshop.link), &bearer).await.unwrap();
    let hello = FromWorker::Hello(Hello {
        version: "0".to_owned(),
        gpu: "none".to_owned(),
        vram_total: 0,
        comfyui_version: "0".to_owned(),
        object_info: "0".repeat(64).parse().unwrap(),
        parts: std::collections::BTreeMap::new(),
        leases: Vec::new(),
        yielding: false,
    });
    let hello = serde_json::to_string(&hello).unwrap();
    link.send(Message::Text(hello.into())).await.unwrap();
    hear_ping(&mut link).await;
    // A request that never ends: the headers of an upload, and nothing after them.
    let mut stuck = TcpStream::connect(workshop.front.strip_prefix("http://").unwrap()).await.unwrap();
    let head = format!(
        "POST /user001/upload/image HTTP/1.1\r\nHost: localhost\r\nAuthorization: {basic_ada}\r\n\
         Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 1000\r\nExpect: 100-continue\r\n\r\n"
    );
    stuck.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    stuck.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 100", "it waits for the upload");

    let asked = Instant::now();
    workshop.queue_manager.signal(Signal::TERM).unwrap();
    let going_away = Some(1001);
    assert_eq!(tab.closed().await.unwrap(), going_away);
    assert_eq!(close_code(&mut feed).await.unwrap(), going_away);
    assert_eq!(close_code(&mut link).await.unwrap(), going_away);
    events.bytes().await.expect("the stream of events ends as a stream does");
    assert_eq!(workshop.queue_manager.ended().await.unwrap(), Some(0));
    assert!(asked.elapsed() < Duration::from_secs(10), "container runtimes kill after 10 s");
    assert!(!std::path::Path::new("/proc").join(pid).exists());
}
