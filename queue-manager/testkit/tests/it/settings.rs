//! Settings at the start: what cannot be used is refused with a sentence that names it, a secret may be in a file.

use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use testkit::process::{Process, free_port, our_program};
use testkit::waiting;
use tokio::process::Command;

const LIMIT: Duration = Duration::from_secs(20);

/// The environment that a test runs in may have settings of its own.
fn program(name: &str, environment: &[(&str, &str)]) -> Command {
    let mut command = Command::new(our_program(name).unwrap());
    for variable in ["REDIS_URL", "REDIS_HOST", "REDIS_PASSWORD", "COMFYUI_URL", "INFERENCE_PROVIDER"] {
        command.env_remove(variable);
    }
    command.envs(environment.iter().copied()).kill_on_drop(true);
    command
}

async fn refusal(name: &str, arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let output =
        program(name, environment).args(arguments).current_dir(&folder).stdin(Stdio::null()).output();
    let output = tokio::time::timeout(LIMIT, output).await.expect("it ends by itself").unwrap();
    assert!(!output.status.success(), "{name} {environment:?} was accepted");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0, "and leaves nothing behind");
    String::from_utf8(output.stderr).unwrap()
}

#[tokio::test]
async fn what_cannot_be_used_is_refused_with_a_sentence_that_names_it() {
    let (serve, nothing): (&[&str], &[&str]) = (&["serve"], &[]);
    let cases: &[(&str, &[&str], &str, &str, &str)] = &[
        ("queue-manager", serve, "ATELIER_LEASE_MS", "5", "--lease-ms"),
        ("queue-manager", serve, "QUEUE_MODE", "lifo", "round_robin"),
        ("queue-manager", serve, "ATELIER_HTTPS", "perhaps", "--https"),
        ("queue-manager", serve, "ATELIER_BIND", "0.0.0.0:0", "ATELIER_HTTPS=true"),
        ("queue-manager", serve, "ATELIER_LOG", "a=loud", "ATELIER_LOG"),
        ("queue-manager", serve, "ATELIER_LOG_FORMAT", "xml", "json"),
        ("queue-manager", serve, "REDIS_URL", "http://:canary@localhost", "ATELIER_REDIS_URL"),
        ("queue-manager", serve, "ATELIER_REDIS_URL_FILE", "/no/such/url", "/no/such/url"),
        ("queue-manager", serve, "REDIS_PASSWORD", "canary", "ATELIER_REDIS_HOST"),
        (
            "queue-manager",
            &["serve", "--redis-password", "canary"],
            "REDIS_HOST",
            "localhost",
            "_PASSWORD_FILE",
        ),
        ("queue-manager", serve, "ATELIER_KEEP_ENDED_DAYS", "0", "1..=3650"),
        ("worker", nothing, "INFERENCE_PROVIDER", "cloud", "`simulated`"),
        ("worker", nothing, "ATELIER_WORKER_TOKEN_FILE", "/no/such/token", "/no/such/token"),
        ("worker", nothing, "ATELIER_WORKER_TOKEN", "", "token issue"),
        ("worker", nothing, "ATELIER_LOG", "a=loud", "ATELIER_LOG"),
        ("admin", nothing, "ATELIER_ADMIN_BIND", "0.0.0.0:0", "ATELIER_HTTPS=true"),
        ("admin", nothing, "ATELIER_INSECURE_HTTP", "perhaps", "--insecure-http"),
        ("simulated-comfyui", nothing, "ATELIER_LOG", "a=loud", "ATELIER_LOG"),
    ];
    for (name, arguments, variable, value, said) in cases {
        let refused = refusal(name, arguments, &[(variable, value)]).await;
        assert!(refused.contains(said), "{name} {variable}={value}: {refused}");
        assert!(!refused.contains("canary") && !refused.contains("backtrace"), "{refused}");
    }
}

#[tokio::test]
async fn the_last_word_of_a_json_log_is_json() {
    for (name, variable) in [("queue-manager", "ATELIER_BIND"), ("admin", "ATELIER_ADMIN_BIND")] {
        let arguments: &[&str] = if name == "admin" { &[] } else { &["serve"] };
        let environment = [(variable, "0.0.0.0:0"), ("ATELIER_LOG_FORMAT", "json")];
        let said: Value = serde_json::from_str(&refusal(name, arguments, &environment).await).unwrap();
        assert_eq!(said["level"], "ERROR");
        assert!(said["message"].as_str().unwrap().contains(variable));
    }
}

#[tokio::test]
async fn a_store_with_a_password_is_found_by_the_short_names_and_the_password_may_be_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (store_port, port, link_port) = (free_port().unwrap(), free_port().unwrap(), free_port().unwrap());
    // What is special in an URL, so that it would break an address that was only glued together.
    let password = "p@ss/w:rd#%20";
    std::fs::write(path("password"), format!("{password}\n")).unwrap();
    let mut redis = Command::new("redis-server");
    redis.args(["--save", "", "--dir", &path(""), "--bind", "127.0.0.1", "--requirepass", password]);
    redis.args(["--port", &store_port.to_string()]);
    let _redis = Process::start(redis, &folder.path().join("redis.log")).unwrap();
    let (bind, link) = (format!("127.0.0.1:{port}"), format!("127.0.0.1:{link_port}"));
    let (store_port, data) = (store_port.to_string(), path("data"));
    let environment = [
        ("ATELIER_BIND", bind.as_str()),
        ("ATELIER_WORKER_BIND", &link),
        ("ATELIER_DATA", &data),
        ("REDIS_HOST", "127.0.0.1"),
        ("REDIS_PORT", &store_port),
        ("REDIS_PASSWORD", ""),
        ("REDIS_PASSWORD_FILE", &path("password")),
    ];
    let mut serve = program("queue-manager", &environment);
    serve.arg("serve");
    let mut server = Process::start(serve, &folder.path().join("queue-manager.log")).unwrap();
    let health = async || {
        let output = program("queue-manager", &environment).args(["healthcheck", "--json"]).output().await?;
        Ok(output.status.success().then_some(output.stdout))
    };
    let said = waiting::until("the queue-manager to be ready", LIMIT, health).await.unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&said).unwrap()["ready"], true);

    let shown = program("queue-manager", &environment).args(["config", "show"]).output().await.unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(
        shown.contains("environment, as REDIS_HOST") && shown.contains("running_per_participant"),
        "{shown}"
    );
    let secret =
        [("ATELIER_REDIS_PASSWORD", password), ("REDIS_HOST", "127.0.0.1"), ("REDIS_PORT", &store_port)];
    for arguments in [["config", "show"].as_slice(), &["config", "show", "--json"]] {
        let shown = program("queue-manager", &secret).args(arguments).output().await.unwrap();
        let shown = String::from_utf8(shown.stdout).unwrap();
        assert!(shown.contains("***") && !shown.contains(password), "{shown}");
    }
    assert_eq!(server.stop().await.unwrap(), Some(0));
    assert!(!server.output().contains("p@ss"), "{}", server.output());
}
