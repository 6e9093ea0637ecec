//! `admin`: serves the dashboard until it is told to stop.

use std::process::ExitCode;

use admin::config::without_empty_variables;
use admin::{Config, healthcheck, logging};
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

#[derive(Parser)]
#[command(version, about = "The instructor's dashboard.")]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    config: Config,
}

#[derive(Subcommand)]
enum Command {
    /// Ask the dashboard that runs whether it is well; exit code 0 or 1. For container health checks.
    Healthcheck,
}

#[tokio::main]
async fn main() -> ExitCode {
    let matches = without_empty_variables(Arguments::command()).get_matches();
    let arguments = Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let done = match arguments.command {
        Some(Command::Healthcheck) => healthcheck::run(arguments.config.bind).await,
        None => run(arguments.config).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            logging::last_word(&error);
            ExitCode::FAILURE
        }
    }
}

async fn run(config: Config) -> anyhow::Result<()> {
    logging::start(&config.log, config.log_format)?;
    config.check()?;
    let shutdown = CancellationToken::new();
    let stopping = shutdown.clone();
    let serving = admin::serve(config, shutdown);
    tokio::pin!(serving);
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        ended = &mut serving => return ended,
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    stopping.cancel();
    serving.await
}
