//! Waiting for something to become true, with a limit and a reason; never a bare sleep.

use std::time::{Duration, Instant};

use anyhow::bail;

/// Asks again until the answer is `Some`, for at most `limit`.
///
/// # Errors
/// When the limit is over; the message says what was waited for.
pub async fn until<T>(
    what: &str,
    limit: Duration,
    mut ask: impl AsyncFnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let started = Instant::now();
    let mut last = None;
    while started.elapsed() < limit {
        match ask().await {
            Ok(Some(answer)) => return Ok(answer),
            Ok(None) => {}
            Err(error) => last = Some(error),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    bail!("waited {limit:?} for {what}; last error: {last:?}")
}
