//! How much memory the queue-manager takes, and how long somebody else waits for its event loop, while something goes on.

use std::time::{Duration, Instant};

use anyhow::Context;
use testkit::Workshop;
use testkit::process::resident_kib;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

const EVERY: Duration = Duration::from_millis(5);

/// The middle one.
pub(crate) fn middle(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// Looks at one queue-manager.
pub(crate) struct Gauge {
    process: u32,
    alive: String,
}

/// Looking, until it is told to stop.
pub(crate) struct Looking {
    enough: oneshot::Sender<()>,
    seen: JoinHandle<anyhow::Result<String>>,
}

impl Gauge {
    pub(crate) fn of(workshop: &Workshop) -> anyhow::Result<Self> {
        let id = workshop.queue_manager.id().context("the queue-manager runs")?;
        Ok(Self { process: id, alive: format!("{}/healthz", workshop.direct) })
    }

    /// Begins to ask whether it is alive, which asks nobody else, again and again.
    #[expect(clippy::disallowed_methods, reason = "an example is no service: it ends with its task")]
    pub(crate) fn start(&self) -> Looking {
        let (enough, stop) = oneshot::channel();
        let seen = tokio::spawn(look(self.process, self.alive.clone(), stop));
        Looking { enough, seen }
    }

    pub(crate) async fn idle(&self) -> anyhow::Result<String> {
        let looking = self.start();
        tokio::time::sleep(Duration::from_secs(1)).await;
        looking.stop().await
    }
}

impl Looking {
    /// The most memory, and how long an answer took.
    pub(crate) async fn stop(self) -> anyhow::Result<String> {
        // It may have given up by itself, and then says why.
        let _: Result<(), ()> = self.enough.send(());
        self.seen.await?
    }
}

fn resident_mib(process: u32) -> anyhow::Result<u64> {
    Ok(resident_kib(process).context("its memory")?.0 / 1024)
}

async fn look(process: u32, alive: String, mut stop: oneshot::Receiver<()>) -> anyhow::Result<String> {
    let client = reqwest::Client::new();
    let (before, mut most, mut answers) = (resident_mib(process)?, 0, Vec::new());
    loop {
        let began = Instant::now();
        client.get(&alive).send().await?.error_for_status()?;
        answers.push(began.elapsed());
        most = most.max(resident_mib(process)?);
        tokio::select! {
            _ = &mut stop => break,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
    let middle = middle(&mut answers);
    let slowest = answers.last().copied().unwrap_or_default();
    Ok(format!("memory {before} to at most {most} MiB; is it alive: p50 {middle:?}, slowest {slowest:?}"))
}
