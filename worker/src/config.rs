//! Every setting of the worker, read once: flags first, then the environment.

pub mod environment;

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;
use queue_protocol::Secret;

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

    /// Folder where inputs are kept between jobs; no two workers share one.
    #[arg(long, env = "ATELIER_WORKER_CACHE", value_name = "PATH", default_value = "data/worker")]
    pub cache: PathBuf,

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
    /// The token, from wherever it is.
    ///
    /// # Errors
    /// When there is none, or its file cannot be read.
    pub fn token(&self) -> anyhow::Result<Secret> {
        match (&self.worker_token, &self.worker_token_file) {
            (Some(token), _) => Ok(token.clone()),
            (None, Some(path)) => {
                let text = std::fs::read_to_string(path);
                let text = text.with_context(|| {
                    format!("ATELIER_WORKER_TOKEN_FILE: cannot read the token in {}", path.display())
                })?;
                Ok(text.trim().to_owned().into())
            }
            (None, None) => bail!(
                "Set ATELIER_WORKER_TOKEN or ATELIER_WORKER_TOKEN_FILE to a token from `queue-manager token issue NAME`."
            ),
        }
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
}
