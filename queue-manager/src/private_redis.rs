//! The queue-manager's own redis-server, on a socket under the data folder: append-only, flushed every second, never
//! evicting. It is taken over after a crash of ours, started again after a crash of its own, and stopped with us.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use queue_broker::{Broker, Store};
use queue_protocol::Workshop;
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

/// A socket's path is cut at 107 bytes by the kernel.
const LONGEST_SOCKET_PATH: usize = 107;
/// A large log takes a while to load.
const LONGEST_LOADING: Duration = Duration::from_secs(120);
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Where its socket is.
#[must_use]
pub(crate) fn socket(data: &Path) -> PathBuf {
    data.join("redis").join("redis.sock")
}

/// The store at that socket.
pub(crate) fn store(data: &Path) -> Store {
    Store::Socket(socket(data))
}

/// The running server; `child` is `None` for one that an earlier queue-manager started.
pub(crate) struct PrivateRedis {
    folder: PathBuf,
    probe: Broker,
    /// When it refuses to take more.
    megabytes: u64,
    child: Option<Child>,
}

impl PrivateRedis {
    /// Takes over the server that answers on the socket, or starts one.
    pub(crate) async fn start(data: &Path, workshop: &Workshop, megabytes: u64) -> anyhow::Result<Self> {
        let path = socket(data);
        if path.as_os_str().len() > LONGEST_SOCKET_PATH {
            bail!(
                "{} is too long for a socket; start in the project's folder with a relative ATELIER_DATA",
                path.display()
            );
        }
        let folder = data.join("redis");
        tokio::fs::create_dir_all(&folder).await.with_context(|| folder.display().to_string())?;
        let probe = Broker::new(&store(data), workshop)?;
        let mut redis = Self { folder, probe, megabytes, child: None };
        if redis.orphan_lives() {
            // It may be loading, or hang: a second one on its files would lose data, so this one is waited for.
            tracing::info!("taking over the private redis-server that still runs");
            redis.wait_until_it_answers().await?;
        } else {
            redis.launch().await?;
        }
        Ok(redis)
    }

    /// Whether the process that the pid file names is a redis-server in our folder.
    fn orphan_lives(&self) -> bool {
        let pid = std::fs::read_to_string(self.folder.join("redis.pid")).unwrap_or_default();
        let process = Path::new("/proc").join(pid.trim());
        !pid.trim().is_empty()
            && std::fs::read_to_string(process.join("comm")).is_ok_and(|name| name.trim() == "redis-server")
            && std::fs::read_link(process.join("cwd")).ok() == self.folder.canonicalize().ok()
    }

    async fn launch(&mut self) -> anyhow::Result<()> {
        let child = Command::new("redis-server")
            .current_dir(&self.folder)
            .args(["--port", "0", "--unixsocket", "redis.sock", "--unixsocketperm", "700", "--dir", "."])
            .args(["--appendonly", "yes", "--appendfsync", "everysec", "--save", ""])
            .args(["--maxmemory", &format!("{}mb", self.megabytes)])
            .args(["--maxmemory-policy", "noeviction", "--loglevel", "warning", "--logfile", "redis.log"])
            .args(["--pidfile", "redis.pid"])
            // A backup asks for a snapshot as a replica does; nobody else comes for whom it should wait.
            .args(["--repl-diskless-sync-delay", "0"])
            .args(["--client-output-buffer-limit", "pubsub 32mb 8mb 60"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            // Its own group: a Ctrl-C in the terminal is ours to pass on, after the last write.
            .process_group(0)
            .spawn()
            .context("redis-server could not be started; install it (apt-get install redis-server) or set ATELIER_REDIS_URL")?;
        self.child = Some(child);
        self.wait_until_it_answers().await
    }

    async fn wait_until_it_answers(&mut self) -> anyhow::Result<()> {
        let log = self.folder.join("redis.log");
        let started = std::time::Instant::now();
        while started.elapsed() < LONGEST_LOADING {
            if self.probe.ping().await.is_ok() {
                return Ok(());
            }
            if self.is_gone() {
                bail!("redis-server ended; see {}", log.display());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bail!("redis-server did not answer within {LONGEST_LOADING:?}; see {}", log.display())
    }

    /// Starts the server again whenever it is gone, until shutdown; then stops it.
    pub(crate) async fn keep(mut self, shutdown: CancellationToken) {
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            if self.is_gone() {
                tracing::warn!("the private redis-server is gone; starting it again");
                if let Err(error) = self.launch().await {
                    tracing::error!(error = format!("{error:#}"), "the private redis-server did not start");
                }
            }
        }
        self.probe.stop_store().await;
        if let Some(child) = &mut self.child
            && tokio::time::timeout(Duration::from_secs(10), child.wait()).await.is_err()
        {
            tracing::error!("the private redis-server did not stop within 10 s");
        }
    }

    fn is_gone(&mut self) -> bool {
        match &mut self.child {
            Some(child) => !matches!(child.try_wait(), Ok(None)),
            None => !self.orphan_lives(),
        }
    }
}
