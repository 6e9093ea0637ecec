//! Inputs of the job that probably comes next, fetched while the current one runs. A hint is no promise: whatever goes
//! wrong here, the job fetches what it needs when it comes.

use queue_client::ClientError;
use queue_client::transfer::Transfer;
use queue_protocol::link::Next;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::cache::Cache;

/// Files fetched for one hint, and their bytes: a guess must not fill a disk.
const FILES: usize = 64;
const BYTES: u64 = 1024 * 1024 * 1024;

/// Fetches until it is done or the guard is dropped.
pub(crate) fn start(next: Next, transfer: Transfer, cache: Cache, tasks: &TaskTracker) -> DropGuard {
    let over = CancellationToken::new();
    let guard = over.clone().drop_guard();
    tasks.spawn(async move {
        let job = next.job;
        match over.run_until_cancelled(fetch(next, &transfer, &cache)).await {
            Some(Ok(files)) => tracing::debug!(job.id = %job, files, "the next job's inputs are here"),
            Some(Err(error)) => tracing::debug!(job.id = %job, %error, "the next job's inputs did not come"),
            None => tracing::debug!(job.id = %job, "a hint is over"),
        }
    });
    guard
}

async fn fetch(next: Next, transfer: &Transfer, cache: &Cache) -> Result<usize, ClientError> {
    let files = within_bounds(&next);
    for input in &next.inputs[..files] {
        let get = async |path: &std::path::Path| transfer.next_input(next.job, &input.sha256, path).await;
        cache.get(&input.sha256, input.size, get).await?;
    }
    Ok(files)
}

/// How many of the inputs, from the first, are few and small enough.
fn within_bounds(next: &Next) -> usize {
    let mut bytes = 0_u64;
    let fits = |size: u64| {
        bytes = bytes.saturating_add(size);
        bytes <= BYTES
    };
    next.inputs.iter().take(FILES).map(|input| input.size).map(fits).take_while(|fits| *fits).count()
}

#[cfg(test)]
mod tests {
    use queue_protocol::JobId;
    use queue_protocol::link::HintedInput;

    use super::*;

    fn hint(sizes: impl Iterator<Item = u64>) -> Next {
        let input = |size| HintedInput { sha256: "a".repeat(64).parse().unwrap(), size };
        Next { job: JobId::random(), inputs: sizes.map(input).collect() }
    }

    #[test]
    fn a_hint_fetches_so_much_and_no_more() {
        assert_eq!(within_bounds(&hint([1, 2, 3].into_iter())), 3);
        assert_eq!(within_bounds(&hint(std::iter::repeat_n(1, 100))), 64);
        assert_eq!(within_bounds(&hint([BYTES, 1].into_iter())), 1);
        assert_eq!(within_bounds(&hint([BYTES + 1, 1].into_iter())), 0);
        assert_eq!(within_bounds(&hint([1, u64::MAX, 1].into_iter())), 1);
    }
}
