//! `worker`: lends its GPU to the queue until it is told to stop.

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use tokio::signal::unix::{Signal, SignalKind, signal};
use worker::config::environment::with_short_names;
use worker::departure::Wishes;
use worker::{Config, logging, well};

#[derive(Parser)]
#[command(version, about = "Runs one GPU's ComfyUI for the queue.")]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    config: Config,
}

#[derive(Subcommand)]
enum Command {
    /// Whether the worker with this cache folder is well; exit code 0 or 1. For container health checks.
    Healthcheck,
}

#[tokio::main]
async fn main() -> ExitCode {
    let matches = with_short_names(Arguments::command()).get_matches();
    let arguments = Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let done = match arguments.command {
        Some(Command::Healthcheck) => well::check(&arguments.config.cache),
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
    let (terminate, interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let wishes = Wishes::default();
    let mut working = std::pin::pin!(worker::run(config, wishes.clone()));
    tokio::select! {
        ended = &mut working => ended,
        () = obey(terminate, interrupt, &wishes) => working.await,
    }
}

/// SIGTERM asks to leave, a second one to leave at once; so does SIGINT, since a person waits at that terminal.
async fn obey(mut terminate: Signal, mut interrupt: Signal, wishes: &Wishes) {
    tokio::select! {
        _ = terminate.recv() => {
            wishes.leave.cancel();
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        }
        _ = interrupt.recv() => {}
    }
    wishes.leave_now.cancel();
}
