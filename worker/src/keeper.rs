//! ComfyUI as a child of this worker: started, started again when it ends or does not stop a job, stopped at the end.

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::comfyui::Comfyui;
use crate::pulse::Pulse;

const FIRST_BACKOFF: Duration = Duration::from_secs(1);
const LONGEST_BACKOFF: Duration = Duration::from_secs(60);
/// A ComfyUI that ran for this long was fine: the next start is not held up.
const WAS_FINE: Duration = Duration::from_secs(60);
/// A ComfyUI that answered once and then did not for this long hangs; loading a large model takes less.
pub(crate) const HANGS: Duration = Duration::from_secs(120);
/// Between asking it to end and ending it.
const LAST_WORDS: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The keeper of one ComfyUI, for those who want it restarted.
#[derive(Debug, Default)]
pub struct Keeper {
    is_ours: AtomicBool,
    restart: Notify,
}

impl Keeper {
    /// Has ComfyUI restarted; answers whether that can be done: not when somebody else started it.
    pub(crate) fn restart(&self) -> bool {
        let ours = self.is_ours.load(Ordering::Relaxed);
        if ours {
            self.restart.notify_one();
        }
        ours
    }
}

/// Why a ComfyUI is no more, or is to be no more.
enum Ended {
    Itself(String),
    AskedTo,
    Hung,
    Shutdown,
}

/// Keeps ComfyUI running until shutdown.
pub async fn keep(
    command: String,
    comfyui: Comfyui,
    pulse: Arc<Pulse>,
    keeper: Arc<Keeper>,
    shutdown: CancellationToken,
) {
    let mut backoff = FIRST_BACKOFF;
    while !shutdown.is_cancelled() {
        if comfyui.system_stats().await.is_ok() {
            tracing::info!(
                "a ComfyUI answers already and is left alone; ATELIER_COMFYUI_COMMAND starts one when it ends"
            );
            tokio::select! {
                () = pulse.gone_for(LOOK_EVERY) => {}
                () = shutdown.cancelled() => return,
            }
            continue;
        }
        pulse.answered(None);
        let started = Instant::now();
        match spawn(&command) {
            Ok(mut child) => {
                tracing::info!(process.id = child.id(), "started ComfyUI");
                keeper.is_ours.store(true, Ordering::Relaxed);
                // Its group's number, which is gone with the child's once that has ended.
                let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
                let ended = watch(&mut child, &pulse, &keeper, &shutdown).await;
                keeper.is_ours.store(false, Ordering::Relaxed);
                stop(child, group).await;
                match ended {
                    Ended::Shutdown => return,
                    Ended::Itself(status) => tracing::warn!(status, "ComfyUI ended; starting it again"),
                    Ended::AskedTo => {
                        tracing::warn!("ComfyUI went on with a job it was told to stop; starting it again");
                    }
                    Ended::Hung => tracing::warn!("ComfyUI did not answer any more; starting it again"),
                }
            }
            Err(error) => tracing::error!(%error, "ATELIER_COMFYUI_COMMAND does not start"),
        }
        backoff = if started.elapsed() >= WAS_FINE { FIRST_BACKOFF } else { backoff };
        tokio::select! {
            () = tokio::time::sleep(backoff) => {}
            () = shutdown.cancelled() => {}
        }
        backoff = (backoff * 2).min(LONGEST_BACKOFF);
    }
}

/// In a group of its own, so that whatever the shell starts ends with it, and a Ctrl-C meant for us does not end a job.
fn spawn(command: &str) -> std::io::Result<Child> {
    Command::new("sh").args(["-c", command]).stdin(Stdio::null()).process_group(0).kill_on_drop(true).spawn()
}

async fn watch(child: &mut Child, pulse: &Pulse, keeper: &Keeper, shutdown: &CancellationToken) -> Ended {
    let hung = async {
        // A start may take as long as it likes.
        while !pulse.alive() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        pulse.gone_for(HANGS).await;
    };
    tokio::select! {
        status = child.wait() => {
            Ended::Itself(status.map_or_else(|error| error.to_string(), |status| status.to_string()))
        }
        () = keeper.restart.notified() => Ended::AskedTo,
        () = hung => Ended::Hung,
        () = shutdown.cancelled() => Ended::Shutdown,
    }
}

/// The whole group, first with a word and then without: what the shell started may outlive the shell.
async fn stop(mut child: Child, group: Option<Pid>) {
    // Those that are gone already need no word.
    let tell = |signal| group.map(|group| kill_process_group(group, signal).is_ok());
    tell(Signal::TERM);
    if tokio::time::timeout(LAST_WORDS, child.wait()).await.is_err() {
        tracing::warn!("ComfyUI did not end within 5 s and was killed");
    }
    tell(Signal::KILL);
    drop(child.wait().await);
}
