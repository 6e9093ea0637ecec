//! `worker`: lends its GPU to the queue until it is told to stop.

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use worker::config::environment::with_short_names;
use worker::{Config, logging};

#[derive(Parser)]
#[command(version, about = "Runs one GPU's ComfyUI for the queue.")]
struct Arguments {
    #[command(flatten)]
    config: Config,
}

#[tokio::main]
async fn main() -> ExitCode {
    let matches = with_short_names(Arguments::command()).get_matches();
    let arguments = Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    match run(arguments.config).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            logging::last_word(&error);
            ExitCode::FAILURE
        }
    }
}

async fn run(config: Config) -> anyhow::Result<()> {
    logging::start(&config.log, config.log_format)?;
    let shutdown = CancellationToken::new();
    let stopping = shutdown.clone();
    let working = worker::run(config, shutdown);
    tokio::pin!(working);
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        ended = &mut working => return ended,
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    stopping.cancel();
    working.await
}
