//! Who may say what to Redis: the queue-manager what it needs and no more, everybody else nothing. The rules are those of
//! docs/hardening.md, word for word.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use tempfile::TempDir;
use testkit::process::{free_port, repository};
use testkit::{Process, WorkshopBuilder, graphs, waiting};
use tokio::process::Command;

const LIMIT: Duration = Duration::from_secs(20);

/// A Redis of somebody's own, with its log of writes in `folder`.
pub struct Store {
    _process: Process,
    pub port: u16,
    pub folder: TempDir,
}

impl Store {
    /// `acl`: lines of an ACL file.
    pub async fn start(acl: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port().unwrap();
        std::fs::write(folder.path().join("users.acl"), acl).unwrap();
        let mut redis = Command::new("redis-server");
        redis.args([
            "--port",
            &port.to_string(),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "yes",
            "--dir",
        ]);
        redis.arg(folder.path()).arg("--aclfile").arg(folder.path().join("users.acl"));
        let process = Process::start(redis, &folder.path().join("redis.log")).unwrap();
        waiting::until("Redis", LIMIT, async || {
            Ok(tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok().map(drop))
        })
        .await
        .unwrap();
        Self { _process: process, port, folder }
    }

    /// What Redis answers to a command of a user.
    pub async fn ask(&self, user: &[&str], command: &[&str]) -> String {
        let mut cli = Command::new("redis-cli");
        cli.args(["-p", &self.port.to_string(), "--no-auth-warning"]).args(user).args(command);
        let output = cli.output().await.unwrap();
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    }
}

/// The rules of the documentation, with passwords, and somebody who may look at the log of refusals.
fn documented() -> String {
    let page = std::fs::read_to_string(repository().join("docs/hardening.md")).unwrap();
    let rules: Vec<_> = page.lines().filter(|line| line.starts_with("user ")).collect();
    assert_eq!(rules.len(), 3, "{rules:?}");
    let rules = rules.join("\n").replace("PASSWORD", "of-a-test").replace("WORKSHOP", "workshop");
    format!("{rules}\nuser tester on >of-a-tester ~* &* +@all\n")
}

#[tokio::test]
async fn the_documented_rules_are_enough_for_a_whole_workshop_and_for_nobody_else() {
    let store = Store::start(&documented()).await;
    let url = format!("redis://atelier:of-a-test@127.0.0.1:{}", store.port);
    let workshop =
        WorkshopBuilder::new().with_admin().setting("ATELIER_REDIS_URL", &url).start().await.unwrap();
    let ada = workshop.person("user001").unwrap();
    let boss = workshop.person("instructor").unwrap();
    let mut tab = ada.tab(None).await.unwrap();
    let body = json!({"prompt": graphs::sampled_picture(1, 5), "client_id": tab.sid});
    let answer: serde_json::Value = ada.post("/user001/prompt", &body).await.unwrap().json().await.unwrap();
    tab.hear_the_end(answer["prompt_id"].as_str().unwrap()).await.unwrap();
    for mode in ["round_robin", "fair", "priority", "fifo"] {
        let change =
            boss.request(Method::PATCH, "/api/v1/queue").json(&json!({"mode": mode})).send().await.unwrap();
        assert_eq!(change.status(), 200);
        let id = ada.submit(&graphs::white_picture()).await.unwrap();
        ada.wait_for(&id, "completed").await.unwrap();
    }
    for row in queue_manager::api::table::rows() {
        if row.method == Method::GET && !row.path.contains('{') && !["/events", "/feed"].contains(&row.path) {
            let answer = boss.get(&format!("/api/v1{}", row.path)).await.unwrap();
            assert_eq!(answer.status(), 200, "{}", row.path);
        }
    }
    for command in [&["doctor"][..], &["user", "disable", "user002"], &["token", "list"], &["config", "show"]]
    {
        workshop.operator_json(command).await.unwrap();
    }
    let tester = ["--user", "tester", "--pass", "of-a-tester"];
    let refused = store.ask(&tester, &["acl", "log"]).await;
    assert_eq!(refused.trim(), "", "the queue-manager asked for nothing that it may not");

    // Everybody else, and the queue-manager itself beyond what it needs.
    let atelier = ["--user", "atelier", "--pass", "of-a-test"];
    let metrics = ["--user", "metrics", "--pass", "of-a-test"];
    for (user, command) in [
        (&[][..], &["ping"][..]),
        (&[], &["get", "{workshop}:tokens"]),
        (&["--user", "atelier", "--pass", "wrong"], &["ping"]),
        (&["--pass", "of-a-test"], &["ping"]),
        (&metrics, &["get", "{workshop}:tokens"]),
        (&metrics, &["scan", "0"]),
        (&metrics, &["subscribe", "{workshop}:feed"]),
        (&metrics, &["eval", "return 1", "0"]),
        (&atelier, &["flushall"]),
        (&atelier, &["keys", "*"]),
        (&atelier, &["config", "get", "*"]),
        (&atelier, &["config", "set", "dir", "/"]),
        (&atelier, &["shutdown"]),
        (&atelier, &["acl", "list"]),
        (&atelier, &["module", "list"]),
        (&atelier, &["replicaof", "127.0.0.1", "1"]),
        (&atelier, &["monitor"]),
        (&atelier, &["get", "another"]),
        (&atelier, &["set", "another", "1"]),
        (&atelier, &["publish", "another", "1"]),
    ] {
        let said = store.ask(user, command).await;
        let refused = ["NOAUTH", "WRONGPASS", "NOPERM", "AUTH failed"].iter().any(|word| said.contains(word));
        assert!(refused, "{user:?} {command:?}: {said}");
    }
    assert!(store.ask(&metrics, &["info", "memory"]).await.contains("used_memory"));
}

#[tokio::test]
async fn the_private_store_has_no_port_and_no_worker_knows_of_any_store() {
    let workshop = WorkshopBuilder::new().start().await.unwrap();
    assert_eq!(workshop.redis(&["config", "get", "port"]).await.unwrap().lines().last(), Some("0"));
    for (path, mode) in
        [("redis", 0o700), ("redis/redis.sock", 0o700), ("files", 0o700), ("secret.key", 0o600)]
    {
        let found = std::fs::metadata(workshop.data().join(path)).unwrap().permissions().mode();
        assert_eq!(found & 0o777, mode, "{path}");
    }
    let id = workshop.workers[0].id().unwrap();
    for file in ["environ", "cmdline"] {
        let text = std::fs::read(format!("/proc/{id}/{file}")).unwrap();
        assert!(!String::from_utf8_lossy(&text).to_lowercase().contains("redis"), "{file}");
    }
}
