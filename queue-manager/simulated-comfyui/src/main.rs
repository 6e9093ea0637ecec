//! The program `simulated-comfyui`.

use std::io::{self, Write as _};
use std::process::ExitCode;

use anyhow::{Context as _, anyhow};
use clap::{CommandFactory as _, FromArgMatches as _, Parser};
use simulated_comfyui::{Config, without_empty_variables};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

/// A stand-in that speaks ComfyUI's protocol, without a GPU and without models.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(flatten)]
    config: Config,
}

#[tokio::main]
async fn main() -> ExitCode {
    let matches = without_empty_variables(Arguments::command()).get_matches();
    let Arguments { config } = Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    match run(config).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing else is left to do where nobody reads standard error.
            let _ = writeln!(io::stderr(), "simulated-comfyui: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(config: Config) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&config.log)
        .map_err(|error| anyhow!("ATELIER_LOG={} is no filter: {error}", config.log))?;
    tracing_subscriber::fmt().with_writer(io::stderr).with_env_filter(filter).init();

    let temporary = match config.folder {
        Some(_) => None,
        None => Some(tempfile::tempdir().context("cannot make a temporary folder; name one with --folder")?),
    };
    let folder = config.folder.clone().or_else(|| temporary.as_ref().map(|made| made.path().to_owned()));
    let settings = config.settings(folder.unwrap_or_default());

    let listener = TcpListener::bind((config.listen, config.port))
        .await
        .with_context(|| format!("cannot listen on {}:{}", config.listen, config.port))?;
    writeln!(io::stdout(), "http://{}", listener.local_addr()?)?;

    let shutdown = CancellationToken::new();
    let stopped = {
        let shutdown = shutdown.clone();
        let mut terminate = signal(SignalKind::terminate())?;
        async move {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            shutdown.cancel();
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        served = simulated_comfyui::serve(listener, settings, shutdown) => served?,
        () = stopped => {}
    }
    Ok(())
}
