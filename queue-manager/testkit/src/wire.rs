//! Requests as bytes, for what no client library would send.

use std::time::Duration;

use anyhow::Context;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

/// How long an answer may take. Whoever waits for the rest of a request that never comes is not waited for longer.
const PATIENCE: Duration = Duration::from_secs(5);

/// The same where the other side has everything it waits for and closes by itself.
const PATIENCE_WITH_WHOLE: Duration = Duration::from_secs(60);

/// Sends bytes over one connection to `base` (`http://host:port`) and answers everything that came back until the other
/// side closed it or fell silent.
///
/// # Errors
/// When nobody listens there.
pub async fn say(base: &str, bytes: &[u8]) -> anyhow::Result<Vec<u8>> {
    say_within(base, bytes, PATIENCE).await
}

/// [`say`] for whole requests of which the last says `Connection: close`: a machine that stands still makes no silence.
///
/// # Errors
/// When nobody listens there.
pub async fn say_whole(base: &str, bytes: &[u8]) -> anyhow::Result<Vec<u8>> {
    say_within(base, bytes, PATIENCE_WITH_WHOLE).await
}

async fn say_within(base: &str, bytes: &[u8], patience: Duration) -> anyhow::Result<Vec<u8>> {
    let address = base.strip_prefix("http://").context("an address")?;
    let (mut from, mut to) = TcpStream::connect(address).await?.into_split();
    let limit = Instant::now() + patience;
    let mut answer = Vec::new();
    // Whoever refuses early closes while we still write: what it said counts, not that the rest was not taken.
    let writing = async {
        let _ = to.write_all(bytes).await;
        std::future::pending::<()>().await;
    };
    let reading = async {
        let mut piece = vec![0; 16 * 1024];
        while let Ok(Ok(read @ 1..)) = timeout_at(limit, from.read(&mut piece)).await {
            answer.extend_from_slice(&piece[..read]);
        }
    };
    tokio::select! {
        () = writing => {}
        () = reading => {}
    }
    Ok(answer)
}

/// The statuses of the answers in what came back.
#[must_use]
pub fn statuses(answer: &[u8]) -> Vec<u16> {
    let text = String::from_utf8_lossy(answer);
    let after = text.split("HTTP/1.1 ").skip(1);
    after.filter_map(|rest| rest.get(..3)?.parse().ok()).collect()
}
