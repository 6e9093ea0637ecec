//! What stands behind a workshop: every ComfyUI and Redis, asked and told past our own programs.

use anyhow::Context;
use reqwest::Client;
use serde_json::Value;
use tokio::process::Command;

use crate::waiting::until;
use crate::workshop::{UP, Workshop};

impl Workshop {
    /// Tells the simulated ComfyUI of worker `n` how to behave (`POST /simulation`).
    ///
    /// # Errors
    /// When it does not take it.
    pub async fn simulate(&self, n: usize, behaviour: &Value) -> anyhow::Result<()> {
        self.post_comfyui(n, "/simulation", behaviour).await
    }

    /// Posts to ComfyUI `n` itself.
    ///
    /// # Errors
    /// When it does not take it.
    pub async fn post_comfyui(&self, n: usize, path: &str, body: &Value) -> anyhow::Result<()> {
        let url = format!("{}{path}", self.comfyui_urls[n - 1]);
        Client::new().post(url).json(body).send().await?.error_for_status()?;
        Ok(())
    }

    /// What ComfyUI `n` answers to a GET.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn ask_comfyui(&self, n: usize, path: &str) -> anyhow::Result<Value> {
        Ok(reqwest::get(format!("{}{path}", self.comfyui_urls[n - 1])).await?.json().await?)
    }

    /// Waits until ComfyUI `n` runs something: the store knows of a job before its worker does.
    ///
    /// # Errors
    /// When it does not.
    pub async fn wait_for_comfyui_to_run(&self, n: usize) -> anyhow::Result<()> {
        until("ComfyUI to run a job", UP, async || {
            let queue = self.ask_comfyui(n, "/queue").await?;
            Ok(queue["queue_running"].as_array().is_some_and(|jobs| !jobs.is_empty()).then_some(()))
        })
        .await
    }

    /// No job starts from here on.
    ///
    /// # Errors
    /// When the queue-manager refuses.
    pub async fn pause(&self) -> anyhow::Result<()> {
        let request = self.person("instructor")?.request(reqwest::Method::PATCH, "/api/v1/queue");
        request.json(&serde_json::json!({"paused": true})).send().await?.error_for_status()?;
        Ok(())
    }

    /// kill -9 of the private redis-server.
    ///
    /// # Errors
    /// When it does not say who it is.
    pub async fn kill_redis(&self) -> anyhow::Result<()> {
        let info = self.redis(&["info", "server"]).await?;
        let pid = info.lines().find_map(|line| line.strip_prefix("process_id:")).context("no process_id")?;
        let pid = rustix::process::Pid::from_raw(pid.trim().parse()?).context("no pid")?;
        rustix::process::kill_process(pid, rustix::process::Signal::KILL)?;
        // One that is still dying counts as living.
        let its_folder = format!("/proc/{}/cwd", pid.as_raw_nonzero());
        until("Redis to be gone", UP, async || Ok(std::fs::read_link(&its_folder).is_err().then_some(())))
            .await
    }

    /// A command to the private redis-server.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn redis(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let output = Command::new("redis-cli")
            .arg("-s")
            .arg(self.data().join("redis/redis.sock"))
            .args(arguments)
            .output()
            .await?;
        Ok(String::from_utf8(output.stdout)?)
    }
}
