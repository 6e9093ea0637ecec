//! Our own programs and the ones from the system, each with its log, killed when dropped.

use std::fs::File;
use std::net::TcpListener;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

/// Ports that outgoing connections and listeners on port 0 never get (those have 32768 and up, unless a system was told
/// otherwise): nobody takes one between its choice here and its use.
const PORTS: Range<u16> = 10_000..32_000;

/// How many of [`PORTS`] this process has handed out.
static HANDED_OUT: AtomicU32 = AtomicU32::new(0);

/// A port nobody listens on, that this process has not handed out for a long time.
///
/// # Errors
/// When every port is taken.
pub fn free_port() -> anyhow::Result<u16> {
    Ok(free_ports::<1>()?[0])
}

/// So many of them in a row.
///
/// # Errors
/// When there are none.
pub fn free_ports<const N: usize>() -> anyhow::Result<[u16; N]> {
    // Processes that run at once begin in different places.
    let number = u16::try_from(N)?;
    let (size, begin) = (u32::from(PORTS.end - PORTS.start), std::process::id().wrapping_mul(997));
    for _ in 0..size {
        let turn = HANDED_OUT.fetch_add(u32::from(number), Ordering::Relaxed).wrapping_add(begin) % size;
        let first = PORTS.start + u16::try_from(turn)?;
        let ports = std::array::from_fn(|index| first + u16::try_from(index).unwrap_or_default());
        if ports.iter().all(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()) {
            return Ok(ports);
        }
    }
    bail!("no {number} free ports in a row between {} and {}", PORTS.start, PORTS.end)
}

/// One of our programs, as `cargo build --workspace --bins` made it.
///
/// # Errors
/// When it was not built.
pub fn our_program(name: &str) -> anyhow::Result<PathBuf> {
    // A program runs in target/PROFILE, a test or a bench in target/PROFILE/deps.
    let us = std::env::current_exe()?;
    let mut places = us.ancestors().skip(1).take(2).map(|folder| folder.join(name));
    places.find(|path| path.is_file()).with_context(|| {
        format!("{name} is missing: run `cargo build --workspace --bins` first (scripts/test.sh does)")
    })
}

/// KiB that a process has in memory now, and at its most; `None` once it is gone.
#[must_use]
pub fn resident_kib(process: u32) -> Option<(u64, u64)> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let read = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().strip_suffix(" kB")?.parse().ok()
    };
    Some((read("VmRSS:")?, read("VmHWM:")?))
}

/// The repository.
#[must_use]
pub fn repository() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_owned()
}

/// A running program.
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Drop for Process {
    fn drop(&mut self) {
        // What is killed may write for a moment more, and its folder goes next.
        let _ = self.child.start_kill();
        for _ in 0..200 {
            if !matches!(self.child.try_wait(), Ok(None)) {
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Process {
    /// Starts a command with its output in `log`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(mut command: Command, log: &Path) -> anyhow::Result<Self> {
        let file = File::options().create(true).append(true).open(log)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", command.as_std().get_program().display()))?;
        Ok(Self { child, log: log.to_owned() })
    }

    /// Everything it printed.
    #[must_use]
    pub fn output(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Its process id, while it runs.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// When it is gone already.
    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let id = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        Ok(kill_process(id.context("it ended already")?, signal)?)
    }

    /// kill -9, and waits until it is gone.
    ///
    /// # Errors
    /// When it is gone already.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        Ok(self.child.kill().await?)
    }

    /// Waits until it ends by itself; its exit code.
    ///
    /// # Errors
    /// When it does not within 20 s.
    pub async fn ended(&mut self) -> anyhow::Result<Option<i32>> {
        let ended = tokio::time::timeout(Duration::from_secs(20), self.child.wait()).await;
        Ok(ended.with_context(|| format!("did not end within 20 s:\n{}", self.output()))??.code())
    }

    /// SIGTERM, and waits until it is gone; its exit code.
    ///
    /// # Errors
    /// When it does not within 20 s.
    pub async fn stop(&mut self) -> anyhow::Result<Option<i32>> {
        self.signal(Signal::TERM)?;
        self.ended().await
    }
}
