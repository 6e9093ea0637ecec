//! Whether ComfyUI answers, asked all the time and not only when somebody wants to know.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::comfyui::Comfyui;

const EVERY: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, Copy, Default)]
struct Answer {
    alive: bool,
    vram_free: u64,
    seen: bool,
    returns: u64,
    stuck: bool,
}

/// The last answer.
#[derive(Debug, Default)]
pub struct Pulse(watch::Sender<Answer>);

impl Pulse {
    /// Whether ComfyUI answered the last time.
    #[must_use]
    pub fn alive(&self) -> bool {
        self.0.borrow().alive
    }

    /// How often it came back after it had not answered: each time it may have other nodes and models.
    #[must_use]
    pub fn returns(&self) -> u64 {
        self.0.borrow().returns
    }

    /// Free bytes of GPU memory at the last answer.
    #[must_use]
    pub fn vram_free(&self) -> u64 {
        self.0.borrow().vram_free
    }

    /// Whether it goes on with a prompt that it was told to stop.
    #[must_use]
    pub fn stuck(&self) -> bool {
        self.0.borrow().stuck
    }

    pub(crate) fn set_stuck(&self, stuck: bool) {
        self.0.send_modify(|answer| answer.stuck = stuck);
    }

    /// What it answered just now; `None` when it did not.
    pub(crate) fn answered(&self, vram_free: Option<u64>) {
        self.0.send_modify(|answer| {
            if vram_free.is_some() && answer.seen && !answer.alive {
                answer.returns += 1;
            }
            answer.alive = vram_free.is_some();
            answer.seen |= answer.alive;
            answer.vram_free = vram_free.unwrap_or(answer.vram_free);
        });
    }

    /// Returns when it has not answered for so long.
    pub(crate) async fn gone_for(&self, duration: Duration) {
        let mut answers = self.0.subscribe();
        let mut last_answer = Instant::now();
        loop {
            if answers.borrow_and_update().alive {
                last_answer = Instant::now();
            }
            // The sender is ours and lives as long as we do.
            let changed = tokio::time::timeout_at(last_answer + duration, answers.changed());
            if changed.await.is_err() && !answers.borrow().alive {
                return;
            }
        }
    }
}

/// Asks until shutdown.
pub async fn run(comfyui: Comfyui, pulse: Arc<Pulse>, shutdown: CancellationToken) {
    loop {
        let stats = comfyui.system_stats().await;
        pulse.answered(stats.ok().map(|stats| stats.vram_free()));
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}
