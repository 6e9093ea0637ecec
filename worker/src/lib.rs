//! One worker: one GPU, one ComfyUI beside it on loopback. It holds the link, runs one job at a time, and moves what the
//! job takes and leaves. All decisions are the queue-manager's.

pub mod comfyui;
pub mod config;
pub mod job;
pub mod link;
pub mod logging;
pub mod outbox;
pub mod pulse;

pub use config::Config;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use queue_client::transfer::Transfer;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::comfyui::Comfyui;
use crate::comfyui::description::Description;
use crate::link::Link;
use crate::outbox::Outbox;
use crate::pulse::Pulse;

/// Works until `shutdown`, then gives back what it holds.
///
/// # Errors
/// When a setting cannot be used or the queue-manager refuses the token.
pub async fn run(config: Config, shutdown: CancellationToken) -> anyhow::Result<()> {
    let token = config.token()?;
    let comfyui = Comfyui::new(config.comfyui_url())?;
    tokio::fs::create_dir_all(&config.cache).await.with_context(|| config.cache.display().to_string())?;
    let Some(description) = first_description(&comfyui, &shutdown).await else {
        return Ok(());
    };
    tracing::info!(
        worker.gpu = description.gpu,
        worker.comfyui = description.comfyui_version,
        "ComfyUI answers"
    );
    config.check_provider(&description.comfyui_version)?;
    let tasks = TaskTracker::new();
    let pulse = Arc::new(Pulse::default());
    tasks.spawn(pulse::run(comfyui.clone(), Arc::clone(&pulse), shutdown.clone()));
    let surroundings = job::Surroundings {
        comfyui,
        transfer: Transfer::new(&config.queue_manager, token.expose())?,
        outbox: Arc::new(Outbox::default()),
        output_classes: Arc::new(description.output_classes.clone()),
        cache: config.cache.clone(),
    };
    let mut link =
        Link::new(&config.queue_manager, token.expose(), description, surroundings, pulse, tasks.clone());
    let ended = link.keep(&shutdown).await;
    shutdown.cancel();
    tasks.close();
    tasks.wait().await;
    ended
}

/// Asks until ComfyUI answers: it may take minutes to start.
async fn first_description(comfyui: &Comfyui, shutdown: &CancellationToken) -> Option<Description> {
    let mut told = false;
    loop {
        match comfyui.describe().await {
            Ok(description) => return Some(description),
            Err(error) if !told => {
                told = true;
                tracing::warn!(%error, "ComfyUI does not answer yet; asking every second");
            }
            Err(_) => {}
        }
        tokio::select! {
            () = shutdown.cancelled() => return None,
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
        }
    }
}
