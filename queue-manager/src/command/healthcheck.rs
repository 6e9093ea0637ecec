//! `healthcheck`: asks the running queue-manager, as a container's health check does.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Output, print};

/// Container runtimes ask every few seconds; an answer that takes longer is none.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) async fn run(bind: SocketAddr, output: Output) -> anyhow::Result<()> {
    let status = match tokio::time::timeout(PATIENCE, ask(bind)).await {
        Ok(status) => status.with_context(|| format!("nobody answers on {bind}")),
        Err(_) => Err(anyhow::anyhow!("no answer on {bind} within {PATIENCE:?}")),
    };
    let ready = status.as_ref().is_ok_and(|status| status == "200");
    if output.json {
        print::json(&json!({"ready": ready, "status": status.as_ref().ok()}))?;
    }
    match status {
        Ok(status) if status == "200" => {
            if output.json {
                Ok(())
            } else {
                print::line("ready")
            }
        }
        Ok(status) => bail!("not ready: {status}"),
        Err(error) => Err(error),
    }
}

async fn ask(bind: SocketAddr) -> anyhow::Result<String> {
    let mut stream = tokio::net::TcpStream::connect(bind).await?;
    stream.write_all(b"GET /readyz HTTP/1.0\r\nHost: localhost\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer.split_whitespace().nth(1).unwrap_or("no status").to_owned())
}
