//! Every setting of the worker, read once: flags first, then the environment.

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;

/// Settings of a worker.
#[derive(Clone, Args)]
pub struct Config {
    /// The queue-manager's worker listener.
    #[arg(long, env = "ATELIER_QUEUE_MANAGER", default_value = "http://127.0.0.1:3443")]
    pub queue_manager: String,

    /// This worker's token, as `queue-manager token issue` printed it.
    #[arg(long, env = "ATELIER_WORKER_TOKEN", hide_env_values = true)]
    pub worker_token: Option<String>,

    /// A file with the token.
    #[arg(long, env = "ATELIER_WORKER_TOKEN_FILE")]
    pub worker_token_file: Option<PathBuf>,

    /// ComfyUI beside this worker.
    #[arg(long, env = "ATELIER_COMFYUI_URL")]
    pub comfyui: Option<String>,

    /// The short name for the same setting.
    #[arg(long = "comfyui-url-alias", env = "COMFYUI_URL", hide = true)]
    pub comfyui_alias: Option<String>,

    /// Folder where inputs are kept between jobs.
    #[arg(long, env = "ATELIER_WORKER_CACHE", default_value = "data/worker")]
    pub cache: PathBuf,

    /// What is logged, as tracing's filter.
    #[arg(long, env = "ATELIER_LOG", default_value = "info")]
    pub log: String,
}

impl Config {
    /// The token, from wherever it is.
    ///
    /// # Errors
    /// When there is none, or its file cannot be read.
    pub fn token(&self) -> anyhow::Result<String> {
        match (&self.worker_token, &self.worker_token_file) {
            (Some(token), _) => Ok(token.clone()),
            (None, Some(path)) => {
                let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
                Ok(text.trim().to_owned())
            }
            (None, None) => bail!(
                "Set ATELIER_WORKER_TOKEN or ATELIER_WORKER_TOKEN_FILE to a token from `queue-manager token issue NAME`."
            ),
        }
    }

    /// Where ComfyUI is.
    #[must_use]
    pub fn comfyui_url(&self) -> String {
        let url = self.comfyui.as_ref().or(self.comfyui_alias.as_ref());
        url.map_or_else(|| "http://127.0.0.1:8188".to_owned(), |url| url.trim_end_matches('/').to_owned())
    }
}
