//! What a rehearsal is told.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

/// Acts as a room full of people, and says whether the workshop is ready for them.
///
/// Without an address it starts a whole workshop of its own, in a folder of its own, and leaves nothing behind.
#[derive(Debug, Clone, Parser)]
#[command(version)]
pub struct Options {
    /// The folder of a workshop that `scripts/start.sh` started: its address, sign-ins, process and Redis are found there.
    #[arg(long, value_name = "FOLDER")]
    pub data: Option<PathBuf>,
    /// Address of a running Atelier, `http://…`; in front of nginx or behind it.
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// Address of its worker link, for --workers.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:3443")]
    pub link: String,
    /// Participants.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=500))]
    pub people: u16,
    /// Jobs of each.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=100))]
    pub jobs: u16,
    /// Workers to act as, whose nodes take no time; they run jobs of this rehearsal and no others. 0 uses the workers that
    /// are connected; 3 in a workshop of its own.
    #[arg(long, value_name = "N")]
    pub workers: Option<u16>,
    /// The instructor. Without --accounts it makes accounts `rehearsal-001` … for the time of the rehearsal.
    #[arg(long, value_name = "NAME:PASSWORD")]
    pub instructor: Option<String>,
    /// Who can sign in, as `data/sign-ins.json` has it.
    #[arg(long, value_name = "FILE")]
    pub accounts: Option<PathBuf>,
    /// Process id of the queue-manager, to see its memory.
    #[arg(long)]
    pub pid: Option<u32>,
    /// Socket of its Redis, to count commands.
    #[arg(long, value_name = "SOCKET")]
    pub redis: Option<PathBuf>,
    /// Seconds that one job may take, from submit to end, with everybody else's before it.
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    pub patience: u64,
}

impl Options {
    /// How long a job is waited for.
    #[must_use]
    pub fn patience(&self) -> Duration {
        Duration::from_secs(self.patience)
    }
}
