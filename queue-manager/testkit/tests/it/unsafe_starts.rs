//! Starts that would be unsafe end with a sentence that says what to do, and begin when somebody said that it is meant; one
//! whose workers' address is not there yet begins and waits for it.

use std::time::Duration;

use testkit::process::{free_port, our_program};
use testkit::{Process, waiting};
use tokio::process::Command;

const LIMIT: Duration = Duration::from_secs(20);

/// What a queue-manager says that is started with these settings, and whether it serves.
async fn start(settings: &[(&str, &str)]) -> (bool, String) {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(our_program("queue-manager").unwrap());
    command.arg("serve").env("ATELIER_DATA", folder.path()).envs(settings.iter().copied());
    for bind in ["ATELIER_BIND", "ATELIER_WORKER_BIND"] {
        if !settings.iter().any(|(name, _)| *name == bind) {
            command.env(bind, format!("127.0.0.1:{}", free_port().unwrap()));
        }
    }
    let mut process = Process::start(command, &folder.path().join("log")).unwrap();
    let decided = waiting::until("a start or its end", LIMIT, async || {
        let serves = process.output().contains("serving");
        Ok((serves || process.id().is_none_or(|id| !alive(id))).then_some(serves))
    });
    let serves = decided.await.unwrap();
    if serves {
        process.stop().await.unwrap();
    }
    (serves, process.output())
}

/// A process that ended and was not waited for yet is a zombie.
fn alive(id: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    status.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
}

#[tokio::test]
async fn a_store_that_evicts_is_refused_unless_it_is_meant() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port().unwrap();
    let mut redis = Command::new("redis-server");
    redis
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--dir"])
        .arg(folder.path());
    redis.args(["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"]);
    let redis = Process::start(redis, &folder.path().join("redis.log")).unwrap();
    waiting::until("Redis", LIMIT, async || {
        Ok(tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok().map(drop))
    })
    .await
    .unwrap();
    let url = format!("redis://127.0.0.1:{port}");
    let (serves, said) = start(&[("ATELIER_REDIS_URL", &url)]).await;
    assert!(
        !serves && said.contains("maxmemory-policy allkeys-lru") && said.contains("--evicting-redis"),
        "{said}"
    );
    let (serves, said) = start(&[("ATELIER_REDIS_URL", &url), ("ATELIER_EVICTING_REDIS", "true")]).await;
    assert!(serves, "{said}");
    drop(redis);
}

#[tokio::test]
async fn an_open_store_and_a_public_worker_link_are_refused() {
    let (serves, said) = start(&[("ATELIER_REDIS_URL", "redis://store.invalid:6379")]).await;
    assert!(!serves && said.contains("--open-redis"), "{said}");
    let public = format!("0.0.0.0:{}", free_port().unwrap());
    let (serves, said) = start(&[("ATELIER_WORKER_BIND", &public)]).await;
    assert!(!serves && said.contains("--public-worker-link"), "{said}");
    let meant = [("ATELIER_WORKER_BIND", public.as_str()), ("ATELIER_PUBLIC_WORKER_LINK", "true")];
    let (serves, said) = start(&meant).await;
    assert!(serves, "{said}");
}

#[tokio::test]
async fn a_workers_address_that_this_machine_does_not_have_is_waited_for_and_said_in_health() {
    let folder = tempfile::tempdir().unwrap();
    let bind = format!("127.0.0.1:{}", free_port().unwrap());
    let mut command = Command::new(our_program("queue-manager").unwrap());
    command.arg("serve").env("ATELIER_DATA", folder.path()).env("ATELIER_BIND", &bind);
    // The last one that Tailscale may hand out.
    command.env("ATELIER_WORKER_BIND", "100.127.255.254:3443");
    let mut process = Process::start(command, &folder.path().join("log")).unwrap();
    let health = waiting::until("health to warn", LIMIT, async || {
        let answer = reqwest::get(format!("http://{bind}/health")).await?.error_for_status()?;
        // It answers before the other address was tried.
        Ok(Some(answer.json::<serde_json::Value>().await?).filter(|health| health["warnings"][0].is_string()))
    });
    let health = health.await.unwrap();
    assert_eq!(health["status"], "degraded");
    let warning = health["warnings"][0].as_str().unwrap();
    assert!(warning.contains("does not have the workers' address 100.127.255.254"), "{health}");
    process.stop().await.unwrap();
}
