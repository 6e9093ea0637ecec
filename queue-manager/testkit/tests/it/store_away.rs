//! A store that is away for longer than anybody tries to reach it.

use std::collections::BTreeMap;
use std::time::Duration;

use queue_client::link::{Heard, connect};
use queue_protocol::link::{FromWorker, Hello, Renew, ToWorker};
use serde_json::{Value, json};
use testkit::process::free_port;
use testkit::{Process, Workshop, WorkshopBuilder, graphs, waiting};
use tokio::process::Command;

const LIMIT: Duration = Duration::from_secs(60);

/// A store of its own, which loses nothing when it is killed.
struct Store {
    folder: tempfile::TempDir,
    port: u16,
    process: Process,
}

impl Store {
    async fn start() -> Self {
        let (folder, port) = (tempfile::tempdir().unwrap(), free_port().unwrap());
        let process = Self::run(&folder, port);
        let store = Self { folder, port, process };
        store.listens().await;
        store
    }

    fn run(folder: &tempfile::TempDir, port: u16) -> Process {
        let mut redis = Command::new("redis-server");
        redis.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--appendonly", "yes"]);
        redis.args(["--appendfsync", "always", "--save", "", "--dir"]).arg(folder.path());
        Process::start(redis, &folder.path().join("redis.log")).unwrap()
    }

    async fn listens(&self) {
        waiting::until("Redis", LIMIT, async || {
            Ok(tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.ok().map(drop))
        })
        .await
        .unwrap();
    }

    async fn come_back(&mut self) {
        self.process = Self::run(&self.folder, self.port);
        self.listens().await;
    }

    fn workshop(&self) -> WorkshopBuilder {
        let url = format!("redis://127.0.0.1:{}", self.port);
        WorkshopBuilder::new().setting("ATELIER_REDIS_URL", &url).lease_ms(30_000)
    }
}

async fn until_it_says(workshop: &Workshop, what: &str) {
    waiting::until(what, LIMIT, async || Ok(workshop.queue_manager.output().contains(what).then_some(())))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_store_that_is_away_while_a_job_ends_costs_its_tab_no_message() {
    let mut store = Store::start().await;
    let workshop = store.workshop().step_ms(100).start().await.unwrap();
    let ada = workshop.person("user001").unwrap();
    let mut tab = ada.tab(None).await.unwrap();
    let body = json!({"prompt": graphs::sampled_picture(1, 50), "client_id": tab.sid});
    let answer: Value = ada.post("/user001/api/prompt", &body).await.unwrap().json().await.unwrap();
    let id = answer["prompt_id"].as_str().unwrap();
    tab.hear("progress", id).await.unwrap();
    store.process.kill().await.unwrap();
    until_it_says(&workshop, "say again what it may not have").await;
    store.come_back().await;
    // Whether its socket lives through that or not: what it has not heard waits for it.
    if tab.hear_the_end(id).await.is_err() {
        let heard = tab.heard;
        tab = ada.tab(Some(&tab.sid)).await.unwrap();
        tab.hear_the_end(id).await.unwrap();
        assert!(heard.len() > 1);
    }
    assert_eq!(ada.wait_for(id, "completed").await.unwrap()["attempts"], 1);
    let heard = tab.story(id);
    for kind in ["execution_start", "execution_cached", "executed", "execution_success"] {
        assert_eq!(heard.iter().filter(|said| **said == kind).count(), 1, "{kind}: {heard:?}");
    }
}

#[tokio::test]
async fn a_worker_whose_link_began_while_the_store_was_away_is_described_once_it_is_back() {
    let mut store = Store::start().await;
    let workshop = store.workshop().workers(0).start().await.unwrap();
    let token = workshop.operator(&["token", "issue", "gpu-9"]).await.unwrap().stdout;
    let token = String::from_utf8(token).unwrap();
    let (mut sender, mut receiver) = connect(&workshop.link, token.trim(), None).await.unwrap();
    store.process.kill().await.unwrap();
    let hello = Hello {
        version: "1".to_owned(),
        gpu: "a GPU".to_owned(),
        vram_total: 1,
        comfyui_version: "1".to_owned(),
        object_info: "a".repeat(64).parse().unwrap(),
        parts: BTreeMap::new(),
        leases: vec![],
        yielding: false,
    };
    sender.say(&FromWorker::Hello(hello)).await.unwrap();
    let welcome = receiver.hear().await.unwrap();
    assert!(matches!(welcome, Some(Heard::Message(ToWorker::Welcome(_)))), "{welcome:?}");
    store.come_back().await;
    let instructor = workshop.person("instructor").unwrap();
    waiting::until("the worker to be described", LIMIT, async || {
        sender.say(&FromWorker::Renew(Renew { leases: vec![], comfyui_alive: true, vram_free: 1 })).await?;
        let workers = instructor.json("/api/v1/workers").await?;
        println!("{workers}");
        Ok(workers.to_string().contains("a GPU").then_some(()))
    })
    .await
    .unwrap();
}
