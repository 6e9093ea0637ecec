//! The program's flags; each can also be set in the environment.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{BoolishValueParser, Resettable};
use clap::{Args, Command};

use crate::{Misbehaviour, Settings};

/// What the program is told.
#[derive(Debug, Args)]
pub struct Config {
    /// The port to listen on; 0 takes any free one. The address is printed once it listens.
    #[arg(long, env = "ATELIER_SIMULATED_PORT", value_name = "PORT", default_value_t = 8188)]
    pub port: u16,

    /// The address to listen on.
    #[arg(long, env = "ATELIER_SIMULATED_LISTEN", value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub listen: IpAddr,

    /// How long one step of a sampler takes, in ms.
    #[arg(long, env = "ATELIER_SIMULATED_STEP_MS", value_name = "MS", default_value_t = 150)]
    pub step_ms: u64,

    /// How long every other node takes, in ms.
    #[arg(long, env = "ATELIER_SIMULATED_NODE_MS", value_name = "MS", default_value_t = 0)]
    pub node_ms: u64,

    /// The folder of input, output and temp; without it one is made and removed at the end.
    #[arg(long, env = "ATELIER_SIMULATED_FOLDER", value_name = "PATH")]
    pub folder: Option<PathBuf>,

    /// The misbehaviour that strikes first, once.
    #[arg(long, env = "ATELIER_SIMULATED_NEXT", value_enum)]
    pub next: Option<Misbehaviour>,

    /// Accept interrupts and ignore them.
    #[arg(long, env = "ATELIER_SIMULATED_IGNORE_INTERRUPT", value_parser = BoolishValueParser::new())]
    pub ignore_interrupt: bool,

    /// What is logged, as a filter of tracing: `info`, `debug`.
    #[arg(long, env = "ATELIER_LOG", value_name = "FILTER", default_value = "info")]
    pub log: String,
}

/// An empty variable counts as not set: compose files and scripts pass those on.
#[must_use]
pub fn without_empty_variables(command: Command) -> Command {
    command.mut_args(|argument| {
        let empty = argument.get_env().and_then(std::env::var_os).is_some_and(|value| value.is_empty());
        if empty { argument.env(Resettable::Reset) } else { argument }
    })
}

impl Config {
    /// The settings for a run in `folder`.
    #[must_use]
    pub fn settings(&self, folder: PathBuf) -> Settings {
        Settings {
            step: Duration::from_millis(self.step_ms),
            node: Duration::from_millis(self.node_ms),
            folder,
            next: self.next,
            ignore_interrupt: self.ignore_interrupt,
        }
    }
}
