//! Every setting of the worker, read once: flags first, then the environment.

pub mod environment;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use queue_client::Proxy;
use queue_protocol::Secret;

use crate::leftovers::Keep;
use crate::logging::LogFormat;

/// Settings of a worker.
#[derive(Debug, Clone, Args)]
pub struct Config {
    /// The queue-manager's worker listener.
    #[arg(long, env = "ATELIER_QUEUE_MANAGER", value_name = "URL", default_value = "http://127.0.0.1:3443")]
    pub queue_manager: String,

    /// This worker's token, as `queue-manager token issue NAME` printed it. Rather than as a flag, which everybody on a
    /// machine can read, set it in the environment or in a file.
    #[arg(long, env = "ATELIER_WORKER_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub worker_token: Option<Secret>,

    /// A file that holds the token; one of the two is needed.
    #[arg(long, env = "ATELIER_WORKER_TOKEN_FILE", value_name = "PATH")]
    pub worker_token_file: Option<PathBuf>,

    /// `http://HOST:PORT` or `socks5://HOST:PORT` of the proxy through which the queue-manager is reached, for boxes without
    /// a network device of their own; `USER:PASSWORD@` before the host if it wants them. Names are resolved there. ComfyUI
    /// is never reached through it, and the environment's other proxy settings mean nothing here.
    #[arg(long, env = "ATELIER_WORKER_PROXY", value_name = "URL", hide_env_values = true)]
    pub worker_proxy: Option<Secret>,

    /// A file that holds the proxy's address, where that has a password.
    #[arg(long, env = "ATELIER_WORKER_PROXY_FILE", value_name = "PATH")]
    pub worker_proxy_file: Option<PathBuf>,

    /// The ComfyUI beside this worker.
    #[arg(
        long = "comfyui-url",
        visible_alias = "comfyui",
        env = "ATELIER_COMFYUI_URL",
        value_name = "URL",
        default_value = "http://127.0.0.1:8188"
    )]
    pub comfyui: String,

    /// What has to answer there: `simulated`, the stand-in without a GPU, or `comfyui`, the real one. The worker stops when
    /// it is the other one; when not set, both will do.
    #[arg(long, env = "ATELIER_INFERENCE_PROVIDER", value_name = "PROVIDER", value_parser = Provider::parse)]
    pub inference_provider: Option<Provider>,

    /// A shell command that starts ComfyUI at that address. This worker starts it, starts it again when it ends or does
    /// not stop a job, and stops it at its own end. When not set, ComfyUI is somebody else's to start.
    #[arg(long, env = "ATELIER_COMFYUI_COMMAND", value_name = "COMMAND", hide_env_values = true)]
    pub comfyui_command: Option<String>,

    /// How long a job may go on after this worker was asked to stop (SIGTERM), in seconds; then it is given back, as it is
    /// at once on SIGINT or a second SIGTERM. Rented boxes are taken away 30 s after they ask.
    #[arg(long, env = "ATELIER_DRAIN_SECONDS", value_name = "SECONDS", default_value_t = 25)]
    pub drain_seconds: u32,

    /// Folder where inputs are kept between jobs; each worker has a folder of its own name in it.
    #[arg(long, env = "ATELIER_WORKER_CACHE", value_name = "PATH", default_value = "data/worker")]
    pub cache: PathBuf,

    /// ComfyUI's own folder, with its `input` and `output` in it, if this worker is to remove there what its jobs have left.
    /// When not set, or where the worker may not write, that is somebody else's to do, or the disk fills up.
    #[arg(long, env = "ATELIER_COMFYUI_FOLDER", value_name = "PATH")]
    pub comfyui_folder: Option<PathBuf>,

    /// How long, in hours, what earlier jobs left on this machine is kept: inputs, and in ComfyUI's folder also outputs, which
    /// the queue-manager has. It goes when the next job begins.
    #[arg(long, env = "ATELIER_WORKER_KEEP_HOURS", value_name = "HOURS", default_value_t = 24)]
    pub keep_hours: u32,

    /// How many megabytes of that are kept; beyond them the oldest goes.
    #[arg(long, env = "ATELIER_WORKER_KEEP_MB", value_name = "MB", default_value_t = 20_000)]
    pub keep_mb: u32,

    /// What is logged, as a filter of tracing: `info`, `debug`, `info,worker=debug`.
    #[arg(long, env = "ATELIER_LOG", value_name = "FILTER", default_value = "info")]
    pub log: String,

    /// How it is logged, to standard error: lines for people, or one JSON object per line.
    #[arg(long, env = "ATELIER_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
}

/// What runs the jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provider {
    /// The stand-in without a GPU.
    Simulated,
    /// A real ComfyUI beside the worker.
    Comfyui,
}

impl Provider {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "simulated" => Ok(Self::Simulated),
            "comfyui" => Ok(Self::Comfyui),
            _ => Err(
                "supported are `simulated`, which needs no GPU, and `comfyui`, a ComfyUI beside this worker"
                    .to_owned(),
            ),
        }
    }
}

impl Config {
    /// Refuses an address that cannot be the queue-manager's.
    ///
    /// # Errors
    /// When it is one.
    pub fn check_queue_manager(&self) -> anyhow::Result<()> {
        let host = self.queue_manager.strip_prefix("http://").unwrap_or_default();
        if host.is_empty() || host.starts_with(['/', ':']) {
            bail!(
                "ATELIER_QUEUE_MANAGER={} is no address of a worker listener, such as http://100.64.0.1:3443. The link is \
                 plain HTTP: lead it through a private network.",
                self.queue_manager
            );
        }
        Ok(())
    }

    /// The token, from wherever it is.
    ///
    /// # Errors
    /// When there is none, or its file cannot be read.
    pub fn token(&self) -> anyhow::Result<Secret> {
        let token =
            secret("ATELIER_WORKER_TOKEN", self.worker_token.as_ref(), self.worker_token_file.as_deref())?;
        token.context(
            "Set ATELIER_WORKER_TOKEN or ATELIER_WORKER_TOKEN_FILE to a token from `queue-manager token issue NAME`.",
        )
    }

    /// The proxy, from wherever it is.
    ///
    /// # Errors
    /// When it is none, or its file cannot be read.
    pub fn proxy(&self) -> anyhow::Result<Option<Proxy>> {
        let url =
            secret("ATELIER_WORKER_PROXY", self.worker_proxy.as_ref(), self.worker_proxy_file.as_deref())?;
        url.map(|url| url.expose().parse().context("ATELIER_WORKER_PROXY")).transpose()
    }

    /// How much of what jobs leave on this machine is kept.
    #[must_use]
    pub fn keep(&self) -> Keep {
        Keep {
            age: Duration::from_secs(u64::from(self.keep_hours) * 3_600),
            bytes: u64::from(self.keep_mb) * 1_000_000,
            comfyui: self.comfyui_folder.clone(),
        }
    }

    /// How long a job may go on after the worker was asked to stop.
    #[must_use]
    pub fn drain(&self) -> Duration {
        Duration::from_secs(self.drain_seconds.into())
    }

    /// Refuses a ComfyUI of the other kind than was asked for: nobody may mistake patterns for pictures.
    ///
    /// # Errors
    /// When it is one.
    pub fn check_provider(&self, comfyui_version: &str) -> anyhow::Result<()> {
        let simulated = comfyui_version.ends_with("-simulated");
        let url = &self.comfyui;
        match self.inference_provider {
            Some(Provider::Comfyui) if simulated => bail!(
                "ATELIER_INFERENCE_PROVIDER=comfyui, and a simulated ComfyUI answers at {url}. Start the real one there."
            ),
            Some(Provider::Simulated) if !simulated => bail!(
                "ATELIER_INFERENCE_PROVIDER=simulated, and a real ComfyUI answers at {url}. Set it to comfyui to use that."
            ),
            _ => Ok(()),
        }
    }

    /// Where ComfyUI is, without a slash at its end.
    #[must_use]
    pub fn comfyui_url(&self) -> &str {
        self.comfyui.trim_end_matches('/')
    }
}

/// A secret from its variable or, when that is not set, from its file.
fn secret(name: &str, direct: Option<&Secret>, file: Option<&Path>) -> anyhow::Result<Option<Secret>> {
    match (direct, file) {
        (Some(secret), _) => Ok(Some(secret.clone())),
        (None, Some(path)) => {
            let text = std::fs::read_to_string(path);
            let text = text.with_context(|| format!("{name}_FILE: cannot read {}", path.display()))?;
            Ok(Some(text.trim().to_owned().into()))
        }
        (None, None) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Arguments {
        #[command(flatten)]
        config: Config,
    }

    fn config(flags: &[&str]) -> Result<Config, clap::Error> {
        Arguments::try_parse_from(std::iter::once(&"worker").chain(flags)).map(|arguments| arguments.config)
    }

    #[test]
    fn the_token_itself_wins_a_file_is_trimmed_and_a_missing_file_is_named() {
        let path = std::env::temp_dir().join(format!("atelier-token-{}", std::process::id()));
        std::fs::write(&path, "from the file\n").unwrap();
        let file = format!("--worker-token-file={}", path.display());
        let token = |flags: &[&str]| config(flags).unwrap().token();
        assert_eq!(token(&[&file]).unwrap().expose(), "from the file");
        assert_eq!(token(&[&file, "--worker-token=direct"]).unwrap().expose(), "direct");
        std::fs::remove_file(&path).unwrap();
        assert!(format!("{:#}", token(&[&file]).unwrap_err()).contains(&path.display().to_string()));
        assert!(!format!("{:?}", config(&["--worker-token=canary"]).unwrap()).contains("canary"));
    }

    #[test]
    fn a_provider_is_simulated_or_comfyui_and_is_held_to_it() {
        let refused = config(&["--inference-provider=cloud"]).unwrap_err().to_string();
        assert!(refused.contains("simulated") && refused.contains("comfyui"), "{refused}");
        let check = |provider: &str, version: &str| {
            config(&[&format!("--inference-provider={provider}")]).unwrap().check_provider(version)
        };
        assert!(check("comfyui", "0.28.0").is_ok() && check("simulated", "0.28.0-simulated").is_ok());
        assert!(check("comfyui", "0.28.0-simulated").is_err() && check("simulated", "0.28.0").is_err());
        assert!(config(&[]).unwrap().check_provider("0.28.0-simulated").is_ok());
    }
    #[test]
    fn an_address_that_cannot_work_is_refused_without_its_password() {
        let proxy = |url: &str| config(&[&format!("--worker-proxy={url}")]).unwrap().proxy();
        assert!(proxy("socks5://localhost:1055").unwrap().is_some());
        for bad in ["ftp://gpu:canary@box", "box:1055", "https://gpu:canary@box:3128"] {
            let refused = format!("{:#}", proxy(bad).unwrap_err());
            assert!(refused.contains("ATELIER_WORKER_PROXY") && !refused.contains("canary"), "{refused}");
        }
        assert!(config(&[]).unwrap().check_queue_manager().is_ok());
        for bad in ["https://atelier.example", "100.64.0.1:3443", "http://", "http:///x", "http://:3443"] {
            let config = config(&[&format!("--queue-manager={bad}")]).unwrap();
            assert!(config.check_queue_manager().is_err(), "{bad}");
        }
    }
}
