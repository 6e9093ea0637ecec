//! `queue-manager serve`, and the commands an operator types.

use std::process::ExitCode;

use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser};
use queue_manager::Config;
use queue_manager::command::{self, Command, Typed};
use queue_manager::config::environment::with_short_names;
use queue_manager::logging;
use tokio_util::sync::CancellationToken;

// glibc's allocator kept hundreds of MB after a room full of sign-ins; this one gives them back.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[derive(Parser)]
#[command(version, about = "Takes jobs, lends them to workers, speaks ComfyUI's protocol to every seat.")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    config: Config,
}

#[tokio::main]
async fn main() -> ExitCode {
    let command = with_short_names(Arguments::command());
    let matches = command.clone().get_matches();
    let arguments = Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    match run(arguments, Typed { command: &command, matches: &matches }).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            logging::last_word(&error);
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments, typed: Typed<'_>) -> anyhow::Result<()> {
    refuse_secrets_in_arguments(typed.matches)?;
    match arguments.command {
        Command::Serve => {
            logging::start(&arguments.config.log, arguments.config.log_format)?;
            arguments.config.check()?;
            let shutdown = CancellationToken::new();
            let stopping = shutdown.clone();
            let server = queue_manager::serve(arguments.config, shutdown);
            tokio::pin!(server);
            tokio::select! {
                ended = &mut server => return ended,
                () = stop_signal() => stopping.cancel(),
            }
            server.await
        }
        other => command::run(other, &arguments.config, typed).await,
    }
}

fn refuse_secrets_in_arguments(matches: &ArgMatches) -> anyhow::Result<()> {
    for (id, name) in
        [("redis_password", "ATELIER_REDIS_PASSWORD"), ("webhook_secret", "ATELIER_WEBHOOK_SECRET")]
    {
        if matches.value_source(id) == Some(ValueSource::CommandLine) {
            anyhow::bail!(
                "everybody on this machine can read the arguments of a command: set {name} or {name}_FILE instead"
            );
        }
    }
    Ok(())
}

async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
