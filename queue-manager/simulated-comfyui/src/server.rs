//! Everything that one simulated `ComfyUI` shares between its routes and its executor, and how it starts and ends.

use std::io;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Map, Value};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::info;

use crate::catalogue::Catalogue;
use crate::control::{Control, Misbehaviour};
use crate::execution::run_prompts;
use crate::folder::Folder;
use crate::queue::Queue;
use crate::routes;
use crate::settings::Settings;
use crate::sockets::Sockets;

/// What the routes and the executor share.
#[derive(Debug)]
pub(crate) struct Simulator {
    pub(crate) folder: Folder,
    pub(crate) catalogue: Catalogue,
    pub(crate) queue: Queue,
    pub(crate) sockets: Arc<Sockets>,
    /// The browser's settings.
    pub(crate) preferences: Mutex<Map<String, Value>>,
    /// `/free` asked to drop what is cached, when nothing runs.
    pub(crate) free_memory: AtomicBool,
    /// Cancelled at the server's end, whatever the reason.
    pub(crate) stop: CancellationToken,
    /// The websockets, so that the end can wait for them.
    pub(crate) tasks: TaskTracker,
    control: watch::Sender<Control>,
    died: AtomicBool,
}

impl Simulator {
    fn create(settings: Settings, stop: CancellationToken) -> io::Result<Self> {
        let sockets = Arc::new(Sockets::default());
        Ok(Self {
            control: watch::Sender::new(settings.control()),
            folder: Folder::create(settings.folder)?,
            catalogue: Catalogue::captured()?,
            queue: Queue::new(Arc::clone(&sockets)),
            sockets,
            preferences: Mutex::default(),
            free_memory: AtomicBool::new(false),
            stop,
            tasks: TaskTracker::new(),
            died: AtomicBool::new(false),
        })
    }

    pub(crate) fn control(&self) -> Control {
        self.control.borrow().clone()
    }

    pub(crate) fn watch_control(&self) -> watch::Receiver<Control> {
        self.control.subscribe()
    }

    pub(crate) fn change_control(&self, change: impl FnOnce(&mut Control)) {
        self.control.send_modify(change);
    }

    /// The misbehaviour that waits, if any; it strikes once.
    pub(crate) fn take_next(&self) -> Option<Misbehaviour> {
        let mut taken = None;
        self.control.send_if_modified(|control| {
            taken = control.next.take();
            taken.is_some()
        });
        taken
    }

    /// Ends everything at once.
    pub(crate) fn die(&self) {
        self.died.store(true, Ordering::Relaxed);
        self.stop.cancel();
    }
}

/// Serves until `shutdown` is cancelled. Websockets are closed, a running job is dropped; files stay.
///
/// # Errors
///
/// If the folder cannot be made, or if it was told to die: then every socket is closed as well, and nothing of the
/// running job is recorded.
pub async fn serve(listener: TcpListener, settings: Settings, shutdown: CancellationToken) -> io::Result<()> {
    let stop = shutdown.child_token();
    let simulator = Arc::new(Simulator::create(settings, stop.clone())?);
    let tasks = simulator.tasks.clone();
    tasks.spawn(run_prompts(Arc::clone(&simulator)));
    info!(address = %listener.local_addr()?, "simulated ComfyUI listens");
    let ended = stop.clone().cancelled_owned();
    let served =
        axum::serve(listener, routes::router(Arc::clone(&simulator))).with_graceful_shutdown(ended).await;
    stop.cancel();
    tasks.close();
    tasks.wait().await;
    served?;
    if simulator.died.load(Ordering::Relaxed) {
        return Err(io::Error::other("the simulated ComfyUI was told to die"));
    }
    Ok(())
}
