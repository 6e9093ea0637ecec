//! What an operator types. Data goes to standard output, talk to standard error; `--json` makes the data JSON.

mod config;
mod doctor;
mod healthcheck;
mod print;
mod token;
mod user;

use anyhow::bail;
use clap::{ArgMatches, Args, Subcommand};
use queue_broker::{Broker, BrokerError};

use crate::config::Config;
use crate::private_redis;

pub use config::ConfigCommand;
pub use token::TokenCommand;
pub use user::{RoleArgument, UserCommand};

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve seats, API and the worker link until SIGTERM.
    Serve,
    /// Accounts of people.
    User {
        /// How to print.
        #[command(flatten)]
        output: Output,
        /// What to do.
        #[command(subcommand)]
        action: UserCommand,
    },
    /// Tokens of workers and of people's programs.
    Token {
        /// How to print.
        #[command(flatten)]
        output: Output,
        /// What to do.
        #[command(subcommand)]
        action: TokenCommand,
    },
    /// Settings: all of them, and changes to those of the queue.
    Config {
        /// How to print.
        #[command(flatten)]
        output: Output,
        /// What to do.
        #[command(subcommand)]
        action: ConfigCommand,
    },
    /// Count every job from scratch and say what does not add up; exit code 0 or 1. Changes nothing.
    Doctor {
        /// How to print.
        #[command(flatten)]
        output: Output,
    },
    /// Ask the running queue-manager whether it is ready; exit code 0 or 1. For container health checks.
    Healthcheck {
        /// How to print.
        #[command(flatten)]
        output: Output,
    },
}

/// How a command prints.
#[derive(Debug, Clone, Copy, Args)]
pub struct Output {
    /// Print JSON, for programs.
    #[arg(long, global = true)]
    pub json: bool,
}

/// The command line as clap read it, for `config show`.
#[derive(Debug, Clone, Copy)]
pub struct Typed<'a> {
    /// The definitions.
    pub command: &'a clap::Command,
    /// What was found.
    pub matches: &'a ArgMatches,
}

/// Runs a command that is not `serve`.
///
/// # Errors
/// When the store does not answer: the queue-manager must be running, or a store be set.
pub async fn run(command: Command, config: &Config, typed: Typed<'_>) -> anyhow::Result<()> {
    if let Command::Healthcheck { output } = command {
        return healthcheck::run(config.bind, output).await;
    }
    let store = config.outside_store()?.unwrap_or_else(|| private_redis::store(&config.data));
    let broker = Broker::new(&store, &config.workshop)?;
    let done = match command {
        Command::User { output, action } => user::run(&broker, action, output).await,
        Command::Token { output, action } => token::run(&broker, config.worker_bind, action, output).await,
        Command::Config { output, action } => config::run(&broker, action, output, typed).await,
        Command::Doctor { output } => doctor::run(&broker, output).await,
        Command::Serve | Command::Healthcheck { .. } => bail!("this command does not ask the store"),
    };
    done.map_err(|error| match error.downcast_ref() {
        Some(BrokerError::Unavailable(_)) => error.context("is the queue-manager running?"),
        _ => error,
    })
}
