//! The program's flags; each can also be set in the environment.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use simulated_comfyui::{Misbehaviour, Settings};

/// A stand-in that speaks `ComfyUI`'s protocol, without a GPU and without models.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Config {
    /// The port to listen on; 0 takes any free one. The address is printed once it listens.
    #[arg(long, env = "ATELIER_SIMULATED_PORT", default_value_t = 8188)]
    pub(crate) port: u16,
    /// The address to listen on.
    #[arg(long, env = "ATELIER_SIMULATED_LISTEN", default_value = "127.0.0.1")]
    pub(crate) listen: IpAddr,
    /// How long one step of a sampler takes, in milliseconds.
    #[arg(long, env = "ATELIER_SIMULATED_STEP_MS", default_value_t = 150)]
    step_ms: u64,
    /// How long every other node takes, in milliseconds.
    #[arg(long, env = "ATELIER_SIMULATED_NODE_MS", default_value_t = 0)]
    node_ms: u64,
    /// The base folder for input, output and temp; without it one is made and removed at the end.
    #[arg(long, env = "ATELIER_SIMULATED_FOLDER")]
    pub(crate) folder: Option<PathBuf>,
    /// The misbehaviour that strikes first, once.
    #[arg(long, env = "ATELIER_SIMULATED_NEXT", value_enum)]
    next: Option<Misbehaviour>,
    /// Accept interrupts and ignore them.
    #[arg(long, env = "ATELIER_SIMULATED_IGNORE_INTERRUPT")]
    ignore_interrupt: bool,
}

impl Config {
    /// The settings for a run in `folder`.
    pub(crate) fn settings(&self, folder: PathBuf) -> Settings {
        Settings {
            step: Duration::from_millis(self.step_ms),
            node: Duration::from_millis(self.node_ms),
            folder,
            next: self.next,
            ignore_interrupt: self.ignore_interrupt,
        }
    }
}
