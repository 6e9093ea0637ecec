//! A GPU box that joins with curl alone: `scripts/join-worker.sh` as the server hands it out.

use std::path::Path;
use std::process::Output;
use std::time::Duration;

use serde_json::Value;
use testkit::process::{Process, free_port, our_program, repository};
use testkit::{Workshop, WorkshopBuilder, graphs, waiting};
use tokio::process::Command;

use crate::proxy_server::ProxyServer;

const LIMIT: Duration = Duration::from_secs(30);

/// A box with a home of its own and a ComfyUI.
struct GpuBox {
    comfyui: String,
    _running: Process,
    home: tempfile::TempDir,
}

impl GpuBox {
    async fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let port = free_port().unwrap();
        let mut comfyui = Command::new(our_program("simulated-comfyui").unwrap());
        comfyui.args(["--port", &port.to_string(), "--folder"]).arg(home.path().join("comfyui"));
        let running = Process::start(comfyui, &home.path().join("comfyui.log")).unwrap();
        let url = format!("http://127.0.0.1:{port}");
        waiting::until("ComfyUI", LIMIT, async || {
            let answer = reqwest::get(format!("{url}/system_stats")).await?;
            Ok(answer.status().is_success().then_some(()))
        })
        .await
        .unwrap();
        Self { home, comfyui: url, _running: running }
    }

    /// The line an operator pastes: what the server hands out, piped into bash.
    async fn paste(&self, link: &str, rest: &str) -> Output {
        let typed = format!("curl -fsS {link}/join.sh | bash -s -- {link} {rest} --comfyui {}", self.comfyui);
        Command::new("bash").args(["-c", &typed]).env("HOME", self.home.path()).output().await.unwrap()
    }

    async fn script(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
        let mut script = Command::new(repository().join("scripts/join-worker.sh"));
        script.args(arguments).env("HOME", self.home.path()).envs(environment.iter().copied());
        script.output().await.unwrap()
    }

    fn folder(&self) -> std::path::PathBuf {
        self.home.path().join("atelier-worker")
    }

    /// The worker's process, whichever it is now.
    fn worker(&self) -> Option<i32> {
        let program = self.folder().join("worker");
        let ours = |process: &Path| std::fs::read_link(process.join("exe")).is_ok_and(|exe| exe == program);
        let mut all = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok).map(|entry| entry.path());
        all.find(|process| ours(process))?.file_name()?.to_str()?.parse().ok()
    }
}

impl Drop for GpuBox {
    fn drop(&mut self) {
        let mut stop = std::process::Command::new(repository().join("scripts/join-worker.sh"));
        drop(stop.arg("--stop").env("HOME", self.home.path()).output());
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.clone(), output.stderr.clone()].concat()).into_owned()
}

async fn join_token(workshop: &Workshop, worker: &str) -> String {
    let made = workshop.operator_json(&["token", "join", worker]).await.unwrap();
    made["join_token"].as_str().unwrap().to_owned()
}

async fn runs_a_job(workshop: &Workshop) {
    let ada = workshop.person("user001").unwrap();
    let id = ada.submit(&graphs::white_picture()).await.unwrap();
    ada.wait_for(&id, "completed").await.unwrap();
}

#[tokio::test]
async fn a_gpu_box_joins_with_curl_and_a_token_that_is_good_once_and_is_kept_up() {
    let workshop = WorkshopBuilder::new().workers(0).start().await.unwrap();
    let (gpu, token) = (GpuBox::new().await, join_token(&workshop, "gpu-7").await);
    let joined = gpu.paste(&workshop.link, &token).await;
    assert!(joined.status.success() && said(&joined).contains("Connected"), "{}", said(&joined));
    workshop.wait_for_workers(1).await.unwrap();
    runs_a_job(&workshop).await;
    let same = std::fs::read(gpu.folder().join("worker")).unwrap()
        == std::fs::read(our_program("worker").unwrap()).unwrap();
    assert!(same, "the worker is the server's own");
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(gpu.folder().join("token")).unwrap().permissions(),
    );
    assert_eq!(mode & 0o077, 0, "nobody else on the box reads the token");

    let first = gpu.worker().unwrap();
    let again = gpu.paste(&workshop.link, "").await;
    assert!(again.status.success() && said(&again).contains("runs already"), "{}", said(&again));
    assert_eq!(gpu.worker(), Some(first), "a second run changes nothing");

    let other = GpuBox::new().await;
    let refused = other.paste(&workshop.link, &token).await;
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        said(&refused).contains("used already") && said(&refused).contains("join-token.sh"),
        "{}",
        said(&refused)
    );
    assert_eq!(other.worker(), None);

    let pid = rustix::process::Pid::from_raw(first).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    waiting::until("the worker to be started again", LIMIT, async || {
        Ok(gpu.worker().filter(|worker| *worker != first))
    })
    .await
    .unwrap();
    runs_a_job(&workshop).await;

    assert!(gpu.script(&["--status"], &[]).await.status.success());
    assert!(gpu.script(&["--stop"], &[]).await.status.success());
    assert_eq!(gpu.worker(), None);
    assert!(gpu.script(&["--stop"], &[]).await.status.success(), "stopping twice is no error");
    assert!(!gpu.script(&["--status"], &[]).await.status.success());
}

/// Two programs that stand before the system's: one makes somebody of root, the other is systemd's and writes down its orders.
fn with_systemd(gpu: &GpuBox) -> (String, std::path::PathBuf) {
    let (folder, orders) = (gpu.home.path().join("stand-ins"), gpu.home.path().join("orders"));
    std::fs::create_dir_all(&folder).unwrap();
    let systemctl = format!("#!/bin/sh\necho \"$*\" >>'{}'\n", orders.display());
    for (name, script) in [("id", "#!/bin/sh\necho 1000\n"), ("systemctl", &systemctl)] {
        std::fs::write(folder.join(name), script).unwrap();
        let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(folder.join(name), executable).unwrap();
    }
    (format!("{}:{}", folder.display(), std::env::var_os("PATH").unwrap().display()), orders)
}

#[tokio::test]
async fn a_box_that_joins_again_keeps_what_it_was_told_and_its_unit_keeps_the_worker_up() {
    let workshop = WorkshopBuilder::new().workers(0).start().await.unwrap();
    let (gpu, token) = (GpuBox::new().await, join_token(&workshop, "gpu-7").await);
    let command = ["--comfyui", &gpu.comfyui, "--comfyui-command", "echo 'its own'; sleep 600"];
    let joined = gpu.script(&[[workshop.link.as_str(), &token].as_slice(), &command].concat(), &[]).await;
    assert!(joined.status.success() && said(&joined).contains("Connected"), "{}", said(&joined));
    let settings = || std::fs::read_to_string(gpu.folder().join("run.sh")).unwrap();
    let (first, before) = (gpu.worker().unwrap(), settings());
    assert!(before.contains(&gpu.comfyui) && before.contains("its"), "{before}");

    let again = gpu.script(&[&workshop.link], &[]).await;
    assert!(again.status.success() && said(&again).contains("runs already"), "{}", said(&again));
    assert_eq!((settings(), gpu.worker()), (before, Some(first)));
    let taken_back = gpu.script(&[&workshop.link, "--comfyui-command", ""], &[]).await;
    assert!(taken_back.status.success() && settings().contains("COMMAND=''"), "{}", said(&taken_back));

    // As --systemd leaves it.
    let (path, orders) = with_systemd(&gpu);
    let path = [("PATH", path.as_str())];
    let unit = gpu.script(&["--print-unit"], &path).await;
    let units = gpu.home.path().join(".config/systemd/user");
    std::fs::create_dir_all(&units).unwrap();
    std::fs::write(units.join("atelier-atelier-worker.service"), &unit.stdout).unwrap();
    let kept_up = gpu.script(&[&workshop.link, "--comfyui-command", "sleep 600"], &path).await;
    assert!(kept_up.status.success(), "{}", said(&kept_up));
    assert_eq!(gpu.worker(), None, "no second worker beside the unit's");
    let ordered = || std::fs::read_to_string(&orders).unwrap();
    assert!(ordered().contains("--user restart atelier-atelier-worker.service"), "{}", ordered());
    assert!(gpu.script(&["--stop"], &path).await.status.success());
    assert!(ordered().contains("--user stop atelier-atelier-worker.service"), "{}", ordered());
}

#[tokio::test]
async fn a_gpu_box_without_a_network_device_joins_through_its_proxy() {
    let workshop = WorkshopBuilder::new().workers(0).start().await.unwrap();
    let (gpu, token) = (GpuBox::new().await, join_token(&workshop, "gpu-7").await);
    let proxy = ProxyServer::start(workshop.link.strip_prefix("http://").unwrap(), None).await;
    let address = format!("http://queue-manager.test:{}", workshop.link.rsplit(':').next().unwrap());
    let by_proxy = format!("socks5://{}", proxy.address);
    let environment = [("ATELIER_WORKER_PROXY", by_proxy.as_str()), ("http_proxy", "http://127.0.0.1:1")];
    let joined = gpu.script(&[&address, &token, "--comfyui", &gpu.comfyui], &environment).await;
    assert!(joined.status.success() && said(&joined).contains("Connected"), "{}", said(&joined));
    runs_a_job(&workshop).await;
    let asked = proxy.asked.lock().unwrap().clone();
    assert!(asked.iter().all(|line| line.starts_with("SOCKS queue-manager.test:")), "{asked:?}");
}

#[tokio::test]
async fn join_tokens_that_are_old_or_revoked_open_nothing_and_the_program_is_for_workers() {
    let workshop = WorkshopBuilder::new().workers(0).start().await.unwrap();
    let http = reqwest::Client::new();
    let status = async |method: reqwest::Method, path: &str, token: &str| {
        let request = http.request(method, format!("{}{path}", workshop.link)).bearer_auth(token);
        request.send().await.unwrap().status().as_u16()
    };
    let (get, post) = (reqwest::Method::GET, reqwest::Method::POST);
    assert_eq!(status(post.clone(), "/join", "nonsense").await, 401);

    let old = join_token(&workshop, "gpu-8").await;
    let all = workshop.redis(&["hkeys", "{workshop}:join-tokens"]).await.unwrap();
    assert!(!all.contains(&old), "the store holds a hash");
    workshop.redis(&["hset", "{workshop}:join-tokens", all.trim(), "1 gpu-8"]).await.unwrap();
    assert_eq!(status(post.clone(), "/join", &old).await, 401);

    let (used, unused) = (join_token(&workshop, "gpu-8").await, join_token(&workshop, "gpu-9").await);
    for path in ["/worker", "/worker.sha256"] {
        assert_eq!(status(get.clone(), path, &used).await, 401, "{path}: a join token is not a worker's");
    }
    let answer = http.post(format!("{}/join", workshop.link)).bearer_auth(&used).send().await.unwrap();
    assert_eq!(answer.status(), 201);
    let line = answer.text().await.unwrap();
    let token = line.trim().strip_prefix("gpu-8 ").unwrap().to_owned();
    assert_eq!(status(post.clone(), "/join", &token).await, 401, "a worker's token is no join token");
    assert_eq!(status(get.clone(), "/worker.sha256", &token).await, 200);

    let revoked = workshop.operator_json(&["token", "revoke", "--all"]).await.unwrap();
    assert_eq!(revoked["join_tokens"], 1);
    assert_eq!(revoked["revoked"].as_array().unwrap().len(), 1);
    assert_eq!(status(post, "/join", &unused).await, 401);
    assert_eq!(status(get, "/worker.sha256", &token).await, 401);
    assert_eq!(workshop.operator_json(&["token", "list"]).await.unwrap(), Value::Array(vec![]));
    for secret in [&used, &unused, &token] {
        assert!(!workshop.logs().contains(secret.as_str()));
    }
}

#[tokio::test]
async fn a_box_that_lacks_something_is_told_what_and_nothing_is_started() {
    let gpu = GpuBox::new().await;
    let nowhere = format!("http://127.0.0.1:{}", free_port().unwrap());
    for (arguments, status, word) in [
        (vec!["--nonsense"], 2, "usage"),
        (vec![], 2, "usage"),
        (vec!["100.64.0.1:3443"], 2, "usage"),
        (vec!["--help"], 0, "usage"),
        (vec![&nowhere, "a-token"], 1, "tailscale status"),
        (vec![&nowhere], 1, "join-token.sh"),
        (vec![&gpu.comfyui, "a-token"], 1, "is no worker listener"),
    ] {
        let output = gpu.script(&arguments, &[]).await;
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {}", said(&output));
        assert!(said(&output).contains(word), "{arguments:?}: {}", said(&output));
    }
    let unit = gpu.script(&["--print-unit", "--folder", "/opt/gpu-1"], &[]).await;
    let unit = String::from_utf8(unit.stdout).unwrap();
    assert!(
        unit.contains("ExecStart=/usr/bin/env bash \"/opt/gpu-1/run.sh\"") && unit.contains("Restart=always")
    );
    if !Path::new("/run/systemd/system").exists() {
        let refused = gpu.script(&[&nowhere, "a-token", "--systemd"], &[]).await;
        assert!(refused.status.code() == Some(1) && said(&refused).contains("Leave --systemd out"));
    }
    assert_eq!(gpu.worker(), None);
}
