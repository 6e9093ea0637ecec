//! One worker: one GPU, one ComfyUI beside it on loopback. It holds the link, runs one job at a time, and moves what the
//! job takes and leaves. All decisions are the queue-manager's.

pub mod cache;
pub mod comfyui;
pub mod config;
pub mod departure;
pub mod job;
pub mod keeper;
pub mod leftovers;
pub mod link;
pub mod logging;
pub mod outbox;
pub mod pulse;
pub mod well;

mod prefetch;
mod uplink;

pub use config::Config;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use queue_client::transfer::Transfer;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::comfyui::Comfyui;
use crate::comfyui::description::Description;
use crate::departure::{Departure, Wishes};
use crate::keeper::Keeper;
use crate::link::{Door, Link, Machine};
use crate::pulse::Pulse;

/// What is left to do after the link is closed, such as ending ComfyUI, may take so long.
const LAST_TASKS: Duration = Duration::from_secs(8);

/// Works until it is asked to leave, then finishes what runs or gives it back.
///
/// # Errors
/// When a setting cannot be used or the queue-manager refuses the token.
pub async fn run(config: Config, wishes: Wishes) -> anyhow::Result<()> {
    config.check_queue_manager()?;
    let (token, proxy) = (config.token()?, config.proxy()?);
    let comfyui = Comfyui::new(config.comfyui_url())?;
    std::fs::create_dir_all(&config.cache).with_context(|| config.cache.display().to_string())?;
    let (tasks, shutdown) = (TaskTracker::new(), CancellationToken::new());
    let machine = Machine {
        comfyui: comfyui.clone(),
        pulse: Arc::new(Pulse::default()),
        keeper: Arc::new(Keeper::default()),
        cache: config.cache.clone(),
        keep: config.keep(),
    };
    tasks.spawn(pulse::run(comfyui.clone(), Arc::clone(&machine.pulse), shutdown.clone()));
    if let Some(command) = config.comfyui_command.clone() {
        let (pulse, keeper) = (Arc::clone(&machine.pulse), Arc::clone(&machine.keeper));
        tasks.spawn(keeper::keep(command, comfyui.clone(), pulse, keeper, shutdown.clone()));
    }
    let door = Door {
        transfer: Transfer::new(&config.queue_manager, token.expose(), proxy.as_ref()),
        base: config.queue_manager.clone(),
        token,
        proxy,
    };
    let mut departure = Departure::new(wishes, config.drain());
    let ended = tokio::select! {
        description = first_description(&comfyui) => match config.check_provider(&description.comfyui_version) {
            Ok(()) => Link::new(door, machine, description, tasks.clone()).keep(&mut departure).await,
            refused => refused,
        },
        _ = departure.step() => Ok(()),
    };
    shutdown.cancel();
    tasks.close();
    if tokio::time::timeout(LAST_TASKS, tasks.wait()).await.is_err() {
        tracing::warn!("some of what was under way did not end in time and was cut");
    }
    ended
}

/// Asks until ComfyUI answers: it may take minutes to start.
async fn first_description(comfyui: &Comfyui) -> Description {
    let mut told = false;
    loop {
        match comfyui.describe().await {
            Ok(description) => {
                let (gpu, version) = (&description.gpu, &description.comfyui_version);
                tracing::info!(worker.gpu = gpu, worker.comfyui = version, "ComfyUI answers");
                return description;
            }
            Err(error) if !told => {
                told = true;
                tracing::warn!(%error, "ComfyUI does not answer yet; asking every second");
            }
            Err(_) => {}
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
