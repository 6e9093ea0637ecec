//! `admin healthcheck`: asks the dashboard that runs, as a container's health check does.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Container runtimes ask every few seconds; an answer that takes longer is none.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks for `/healthz` at the address the dashboard listens on.
///
/// # Errors
/// When nobody answers there in time, or with anything but 200.
pub async fn run(bind: SocketAddr) -> anyhow::Result<()> {
    let answer = tokio::time::timeout(PATIENCE, ask(bind)).await;
    let answer = answer.with_context(|| format!("no answer on {bind} within {PATIENCE:?}"))?;
    match answer.with_context(|| format!("nobody answers on {bind}"))?.split_whitespace().nth(1) {
        Some("200") => Ok(()),
        other => bail!("not well: {}", other.unwrap_or("no status")),
    }
}

async fn ask(bind: SocketAddr) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(bind).await?;
    stream.write_all(b"GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}
