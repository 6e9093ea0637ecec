//! What an operator types: accounts and tokens. Passwords are made here and shown once, never taken as arguments.

use anyhow::{Context, bail};
use clap::{Subcommand, ValueEnum};
use queue_broker::Broker;
use queue_broker::accounts::Account;
use queue_broker::sessions::SecretHash;
use queue_protocol::api::Role;
use queue_protocol::{AccountName, WorkerName};
use serde_json::json;

use crate::config::Config;
use crate::identity::password::{hash, random_password, random_secret};
use crate::private_redis;

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve seats, API and the worker link until SIGTERM.
    Serve,
    /// Accounts of people.
    User {
        /// What to do.
        #[command(subcommand)]
        action: UserCommand,
    },
    /// Tokens of workers.
    Token {
        /// What to do.
        #[command(subcommand)]
        action: TokenCommand,
    },
    /// Ask the running queue-manager whether it is ready; exit code 0 or 1. For container health checks.
    Healthcheck,
}

/// `user …`
#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Add accounts, or give existing ones a new password; prints `[{"name", "password"}]`.
    Add {
        /// 1 to 32 of a-z 0-9 - _ each.
        #[arg(required = true)]
        names: Vec<AccountName>,
        /// What they may do.
        #[arg(long, value_enum, default_value_t = RoleArgument::Participant)]
        role: RoleArgument,
    },
    /// Print every account as JSON, without secrets.
    List,
}

/// `token …`
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Issue a worker's token; printed once.
    Issue {
        /// The worker.
        worker: WorkerName,
    },
}

/// A role as typed.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum RoleArgument {
    /// Runs their own jobs.
    Participant,
    /// Steers the room.
    Instructor,
}

/// Runs a command that is not `serve`.
///
/// # Errors
/// When the store does not answer: the queue-manager must be running, or `ATELIER_REDIS_URL` be set.
pub async fn run(command: Command, config: &Config) -> anyhow::Result<()> {
    let store = config.outside_store().unwrap_or_else(|| private_redis::store(&config.data));
    let broker = Broker::new(&store, &config.workshop)?;
    match command {
        Command::Serve => bail!("serve is not run here"),
        Command::User { action: UserCommand::Add { names, role } } => add_users(&broker, names, role).await,
        Command::User { action: UserCommand::List } => {
            let accounts = broker.accounts().await.context("is the queue-manager running?")?;
            let list: Vec<_> = accounts
                .iter()
                .map(|a| json!({"name": a.name, "role": a.role, "disabled": a.disabled}))
                .collect();
            print_json(&list)
        }
        Command::Token { action: TokenCommand::Issue { worker } } => {
            let secret = random_secret();
            let hash = SecretHash::of(&secret);
            broker.put_worker_token(&hash, &worker).await.context("is the queue-manager running?")?;
            print_line(&secret)
        }
        Command::Healthcheck => healthcheck(config).await,
    }
}

async fn add_users(broker: &Broker, names: Vec<AccountName>, role: RoleArgument) -> anyhow::Result<()> {
    let role = match role {
        RoleArgument::Participant => Role::Participant,
        RoleArgument::Instructor => Role::Instructor,
    };
    let mut made = Vec::new();
    for name in names {
        let password = random_password();
        let account = Account { name, role, password_hash: hash(&password)?, disabled: false };
        broker.put_account(&account).await.context("is the queue-manager running?")?;
        made.push(json!({"name": account.name, "password": password}));
    }
    print_json(&made)
}

async fn healthcheck(config: &Config) -> anyhow::Result<()> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(config.bind).await?;
    stream.write_all(b"GET /readyz HTTP/1.0\r\nHost: localhost\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let status = answer.split_whitespace().nth(1).unwrap_or("no status");
    if status == "200" { Ok(()) } else { bail!("not ready: {status}") }
}

fn print_json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    print_line(&serde_json::to_string(value)?)
}

/// Data goes to standard output, talk to standard error.
fn print_line(line: &str) -> anyhow::Result<()> {
    use std::io::Write;
    writeln!(std::io::stdout(), "{line}")?;
    Ok(())
}
