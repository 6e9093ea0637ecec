//! What goes to Redis, as its own command line tool tells it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;

/// Commands processed so far, those inside scripts included.
pub(crate) async fn commands(socket: &Path) -> Option<u64> {
    let output = cli(socket).args(["info", "stats"]).output().await.ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.lines().find_map(|line| line.strip_prefix("total_commands_processed:"))?.trim().parse().ok()
}

fn cli(socket: &Path) -> Command {
    let mut command = Command::new("redis-cli");
    command.arg("-s").arg(socket);
    command
}

/// Everything that clients send while it looks on. Makes Redis slower, so nothing is timed meanwhile.
pub(crate) struct Onlooker {
    socket: PathBuf,
    _monitor: Child,
    counting: JoinSet<BTreeMap<String, u32>>,
}

/// Ends a count: no command of ours.
const END: &str = "the end of the count";

impl Onlooker {
    pub(crate) async fn start(socket: &Path) -> Option<Self> {
        let monitor =
            cli(socket).arg("monitor").stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true).spawn();
        let mut monitor = monitor.ok()?;
        let mut lines = BufReader::new(monitor.stdout.take()?).lines();
        // Its first line says that it looks on.
        lines.next_line().await.ok()??;
        let mut counting = JoinSet::new();
        counting.spawn(async move {
            let mut sent = BTreeMap::new();
            while let Ok(Some(line)) = lines.next_line().await {
                if line.contains(END) {
                    break;
                }
                // 1763690000.123456 [0 unix:…] "evalsha" "…"; a script's own commands come from "lua".
                let Some((source, command)) = line.split_once("] \"") else { continue };
                if !source.ends_with("lua") {
                    let name = command.split('"').next().unwrap_or_default().to_lowercase();
                    *sent.entry(name).or_default() += 1;
                }
            }
            sent
        });
        Some(Self { socket: socket.to_owned(), _monitor: monitor, counting })
    }

    /// Name → how often it was sent.
    pub(crate) async fn end(mut self) -> Option<BTreeMap<String, u32>> {
        cli(&self.socket).args(["echo", END]).stdout(Stdio::null()).status().await.ok()?;
        self.counting.join_next().await?.ok()
    }
}
