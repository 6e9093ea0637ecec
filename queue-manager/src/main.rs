//! `queue-manager serve`, and the commands an operator types.

use anyhow::Context;
use clap::Parser;
use queue_manager::Config;
use queue_manager::command::{self, Command};
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
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new(&arguments.config.log))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .init();
    match arguments.command {
        Command::Serve => {
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
        other => command::run(other, &arguments.config).await,
    }
    .context("queue-manager")
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
