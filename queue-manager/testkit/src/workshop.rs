//! A running workshop, and the ways to break it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Output;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use crate::person::Person;
use crate::process::{Process, free_port, our_program, repository};
use crate::waiting::until;

pub(crate) const UP: Duration = Duration::from_secs(60);

/// A running workshop. Everything stops when it is dropped.
pub struct Workshop {
    pub(crate) environment: BTreeMap<&'static str, String>,
    /// Where people go: nginx when there is one, else the queue-manager.
    pub front: String,
    /// The queue-manager itself.
    pub direct: String,
    /// The worker listener.
    pub link: String,
    /// The dashboard through nginx, or itself.
    pub admin: Option<String>,
    /// The queue-manager.
    pub queue_manager: Process,
    /// Workers, `gpu-1` first.
    pub workers: Vec<Process>,
    /// The simulated ComfyUI of each worker.
    pub comfyuis: Vec<Process>,
    pub(crate) comfyui_urls: Vec<String>,
    pub(crate) around: Vec<Process>,
    pub(crate) people: Vec<(String, String)>,
    /// Settings of workers that are started from now on.
    pub worker_settings: Vec<(String, String)>,
    pub(crate) comfyui_folder: Option<&'static str>,
    /// The other queue-manager, where there are two.
    pub second: Option<SecondQueueManager>,
    /// The last to go: whoever still runs would make it anew.
    pub(crate) folder: TempDir,
}

/// A queue-manager beside the first one.
pub struct SecondQueueManager {
    /// Its process.
    pub process: Process,
    /// Its address.
    pub direct: String,
    /// Its worker listener.
    pub link: String,
}

pub(crate) fn queue_manager(
    folder: &TempDir,
    environment: &BTreeMap<&'static str, String>,
) -> anyhow::Result<Process> {
    let mut command = Command::new(our_program("queue-manager")?);
    command.arg("serve").envs(environment);
    Process::start(command, &folder.path().join("queue-manager.log"))
}

impl Workshop {
    pub(crate) fn program(&self, name: &str) -> anyhow::Result<Command> {
        let mut command = Command::new(our_program(name)?);
        command.envs(&self.environment);
        Ok(command)
    }

    /// What an operator types after `queue-manager`, and what it answers.
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn operator(&self, arguments: &[&str]) -> anyhow::Result<Output> {
        Ok(self.program("queue-manager")?.args(arguments).output().await?)
    }

    /// The same with `--json`, and the JSON it prints.
    ///
    /// # Errors
    /// When it refuses, with what it said.
    pub async fn operator_json(&self, arguments: &[&str]) -> anyhow::Result<Value> {
        let output = self.operator(&[arguments, &["--json"]].concat()).await?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    pub(crate) fn run(&self, name: &str, command: Command) -> anyhow::Result<Process> {
        Process::start(command, &self.folder.path().join(format!("{name}.log")))
    }

    /// The dashboard's process, where there is one.
    #[must_use]
    pub fn dashboard_id(&self) -> Option<u32> {
        self.admin.as_ref().and(self.around.first()).and_then(Process::id)
    }

    /// The data folder.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Waits until the queue-manager turns its event loop and its store answers.
    ///
    /// # Errors
    /// When it does not; with its log.
    pub async fn wait_until_up(&self) -> anyhow::Result<()> {
        let url = format!("{}/readyz", self.direct);
        let up = until("the queue-manager", UP, async || {
            Ok(reqwest::get(&url).await?.status().is_success().then_some(()))
        });
        up.await.with_context(|| self.queue_manager.output())
    }

    pub(crate) async fn start_second_queue_manager(
        &mut self,
        bind: String,
        worker_bind: String,
    ) -> anyhow::Result<()> {
        let mut command = self.program("queue-manager")?;
        command.arg("serve").env("ATELIER_BIND", &bind).env("ATELIER_WORKER_BIND", &worker_bind);
        let process = self.run("second-queue-manager", command)?;
        let (direct, link) = (format!("http://{bind}"), format!("http://{worker_bind}"));
        let url = format!("{direct}/readyz");
        let up = until("the second queue-manager", UP, async || {
            Ok(reqwest::get(&url).await?.status().is_success().then_some(()))
        });
        up.await.with_context(|| process.output())?;
        let both = format!("{},{bind}", self.environment.get("ATELIER_BIND").cloned().unwrap_or_default());
        self.environment.insert("ATELIER_QUEUE_MANAGERS", both);
        self.second = Some(SecondQueueManager { process, direct, link });
        Ok(())
    }

    pub(crate) async fn make_people(&mut self, number: usize) -> anyhow::Result<()> {
        let names: Vec<_> = (1..=number).map(|n| format!("user{n:03}")).collect();
        for (role, names) in [("participant", names), ("instructor", vec!["instructor".to_owned()])] {
            let mut command = self.program("queue-manager")?;
            let output =
                command.args(["user", "add", "--json", "--role", role]).args(&names).output().await?;
            let made: Vec<Value> = serde_json::from_slice(&output.stdout)
                .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            self.people.extend(made.iter().map(|one| (text(&one["name"]), text(&one["password"]))));
        }
        Ok(())
    }

    /// The password of an account.
    ///
    /// # Errors
    /// When there is no such account.
    pub fn password(&self, name: &str) -> anyhow::Result<&str> {
        let found = self.people.iter().find(|(known, _)| known == name);
        Ok(&found.with_context(|| format!("no account {name}"))?.1)
    }

    /// Someone with HTTP Basic at the front door.
    ///
    /// # Errors
    /// When there is no such account.
    pub fn person(&self, name: &str) -> anyhow::Result<Person> {
        Ok(Person::new(&self.front, name, self.password(name)?))
    }

    /// Waits until a worker's ComfyUI and its link are there.
    ///
    /// # Errors
    /// When a worker does not come.
    pub async fn wait_for_workers(&self, number: usize) -> anyhow::Result<()> {
        until("the workers", UP, async || {
            let url = format!("{}/api/queue/status", self.direct);
            let status: Value = reqwest::get(url).await?.json().await?;
            Ok((status["active_workers"] == number as u64).then_some(()))
        })
        .await
        .with_context(|| self.workers.iter().map(Process::output).collect::<String>())
    }

    /// Adds `gpu-<n>` and, unless there is one for it, a simulated ComfyUI.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn add_worker(&mut self, step_ms: u64, comfyui: Option<&str>) -> anyhow::Result<()> {
        let n = self.comfyui_urls.len() + 1;
        match comfyui {
            Some(url) => self.comfyui_urls.push(url.to_owned()),
            None => self.add_simulated_comfyui(n, step_ms)?,
        }
        let name = format!("gpu-{n}");
        let token = self.program("queue-manager")?.args(["token", "issue", &name]).output().await?;
        std::fs::write(self.folder.path().join(format!("{name}.token")), token.stdout)?;
        let worker = self.start_worker(n)?;
        self.workers.push(worker);
        self.wait_for_workers(n).await?;
        // It counts before its nodes are known, and until then a workflow is not checked against them.
        let described = self.data().join("files/object-info");
        until("what the workers have", UP, async || Ok(std::fs::read_dir(&described)?.next().map(drop))).await
    }

    fn add_simulated_comfyui(&mut self, n: usize, step_ms: u64) -> anyhow::Result<()> {
        let port = free_port()?;
        let folder = self.comfyui_folder.map_or_else(|| format!("comfyui-{n}"), ToOwned::to_owned);
        let mut comfyui = Command::new(our_program("simulated-comfyui")?);
        comfyui
            .args(["--port", &port.to_string(), "--step-ms", &step_ms.to_string()])
            .arg("--folder")
            .arg(self.folder.path().join(folder));
        let comfyui = self.run(&format!("comfyui-{n}"), comfyui)?;
        self.comfyui_urls.push(format!("http://127.0.0.1:{port}"));
        self.comfyuis.push(comfyui);
        Ok(())
    }

    fn start_worker(&self, n: usize) -> anyhow::Result<Process> {
        self.start_worker_as(n, n, &format!("worker-{n}"))
    }

    /// Starts one more worker process with the token of `gpu-<n>`, beside the ComfyUI of worker `comfyui`.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start_worker_as(&self, n: usize, comfyui: usize, log: &str) -> anyhow::Result<Process> {
        let mut worker = self.program("worker")?;
        worker
            .env("ATELIER_WORKER_TOKEN_FILE", self.folder.path().join(format!("gpu-{n}.token")))
            .env("ATELIER_WORKER_CACHE", self.cache())
            .env("ATELIER_COMFYUI_URL", &self.comfyui_urls[comfyui - 1])
            .envs(self.worker_settings.iter().map(|(name, value)| (name, value)));
        self.run(log, worker)
    }

    /// The cache folder that all workers share, as on one box.
    #[must_use]
    pub fn cache(&self) -> PathBuf {
        self.folder.path().join("workers")
    }

    /// The token of `gpu-<n>`.
    ///
    /// # Errors
    /// When it has none.
    pub fn worker_token(&self, n: usize) -> anyhow::Result<String> {
        Ok(std::fs::read_to_string(self.folder.path().join(format!("gpu-{n}.token")))?.trim().to_owned())
    }

    /// Starts `gpu-1`, `gpu-2` … again after it was killed.
    ///
    /// # Errors
    /// When it does not start.
    pub fn restart_worker(&mut self, n: usize) -> anyhow::Result<()> {
        self.workers[n - 1] = self.start_worker(n)?;
        Ok(())
    }

    /// Starts the queue-manager again after it was killed, on the same addresses and data.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn restart_queue_manager(&mut self) -> anyhow::Result<()> {
        self.queue_manager = queue_manager(&self.folder, &self.environment)?;
        self.wait_until_up().await
    }

    /// One more queue-manager on the same store and the same files, with addresses of its own.
    ///
    /// # Errors
    /// When it does not come up; with its log.
    pub async fn second_queue_manager(&self) -> anyhow::Result<Process> {
        let (bind, worker_bind) = (free_port()?, free_port()?);
        let mut command = self.program("queue-manager")?;
        command
            .arg("serve")
            .env("ATELIER_BIND", format!("127.0.0.1:{bind}"))
            .env("ATELIER_WORKER_BIND", format!("127.0.0.1:{worker_bind}"))
            .env("ATELIER_REDIS_URL", format!("unix:{}", self.data().join("redis/redis.sock").display()));
        let second = self.run("queue-manager-2", command)?;
        let url = format!("http://127.0.0.1:{bind}/readyz");
        let up = until("the second queue-manager", UP, async || {
            Ok(reqwest::get(&url).await?.status().is_success().then_some(()))
        });
        up.await.with_context(|| second.output())?;
        Ok(second)
    }

    pub(crate) async fn start_nginx(&mut self) -> anyhow::Result<()> {
        let (port, admin_port) = (free_port()?, free_port()?);
        let folder = self.folder.path().join("nginx");
        let rendered = Command::new(repository().join("scripts/render-nginx.sh"))
            .arg(&folder)
            .envs(&self.environment)
            .env("ATELIER_PORT", port.to_string())
            .env("ATELIER_ADMIN_PORT", admin_port.to_string())
            .output()
            .await?;
        ensure!(rendered.status.success(), "{}", String::from_utf8_lossy(&rendered.stderr));
        let mut nginx = Command::new("nginx");
        nginx.arg("-c").arg(folder.join("nginx.conf")).arg("-e").arg(folder.join("error.log"));
        // One process, so that it ends with the test.
        nginx.args(["-g", "daemon off; master_process off;"]);
        self.around.push(self.run("nginx", nginx)?);
        self.front = format!("http://127.0.0.1:{port}");
        if self.admin.is_some() {
            self.admin = Some(format!("http://127.0.0.1:{admin_port}"));
        }
        let url = format!("{}/healthz", self.front);
        until("nginx", UP, async || Ok(reqwest::get(&url).await?.status().is_success().then_some(()))).await
    }

    /// Everything all parts printed, for a failing test and for a hunt for secrets.
    #[must_use]
    pub fn logs(&self) -> String {
        let parts = self.workers.iter().chain(&self.comfyuis).chain(&self.around).map(Process::output);
        std::iter::once(self.queue_manager.output()).chain(parts).collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Workshop {
    fn drop(&mut self) {
        // Processes are killed when dropped; the private redis-server is the queue-manager's child and not ours.
        let socket = self.data().join("redis/redis.sock");
        let stopped = std::process::Command::new("redis-cli")
            .arg("-s")
            .arg(socket)
            .args(["shutdown", "nosave"])
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .status();
        drop(stopped);
    }
}
