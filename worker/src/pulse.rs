//! Whether ComfyUI answers, asked all the time and not only when somebody wants to know.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::comfyui::Comfyui;

const EVERY: Duration = Duration::from_secs(2);

/// The last answer.
#[derive(Debug, Default)]
pub struct Pulse {
    alive: AtomicBool,
    vram_free: AtomicU64,
    returns: AtomicU64,
}

impl Pulse {
    /// Whether ComfyUI answered the last time.
    #[must_use]
    pub fn alive(&self) -> bool {
        self.alive.load(Ordering::Relaxed)
    }

    /// How often it came back after it had not answered: each time it may have other nodes and models.
    #[must_use]
    pub fn returns(&self) -> u64 {
        self.returns.load(Ordering::Relaxed)
    }

    /// Free bytes of GPU memory at the last answer.
    #[must_use]
    pub fn vram_free(&self) -> u64 {
        self.vram_free.load(Ordering::Relaxed)
    }
}

/// Asks until shutdown.
pub async fn run(comfyui: Comfyui, pulse: Arc<Pulse>, shutdown: CancellationToken) {
    loop {
        let stats = comfyui.system_stats().await;
        let was_alive = pulse.alive.swap(stats.is_ok(), Ordering::Relaxed);
        if stats.is_ok() && !was_alive {
            pulse.returns.fetch_add(1, Ordering::Relaxed);
        }
        if let Ok(stats) = stats {
            pulse.vram_free.store(stats.vram_free(), Ordering::Relaxed);
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}
