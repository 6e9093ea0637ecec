//! `worker`: lends its GPU to the queue until it is told to stop.

use clap::Parser;
use tokio_util::sync::CancellationToken;
use worker::Config;

#[derive(Parser)]
#[command(version, about = "Runs one GPU's ComfyUI for the queue.")]
struct Arguments {
    #[command(flatten)]
    config: Config,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Arguments { config } = Arguments::parse();
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new(&config.log))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .init();
    let shutdown = CancellationToken::new();
    let stopping = shutdown.clone();
    let working = worker::run(config, shutdown);
    tokio::pin!(working);
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        ended = &mut working => return ended,
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    stopping.cancel();
    working.await
}
