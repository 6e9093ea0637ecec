//! `user …`: accounts. Passwords are made here and shown once; none is ever an argument.

use anyhow::bail;
use clap::{Subcommand, ValueEnum};
use queue_broker::Broker;
use queue_broker::accounts::Account;
use queue_broker::transitions::change::AccountChange;
use queue_protocol::AccountName;
use queue_protocol::api::Role;
use serde_json::{Value, json};

use super::{Output, print};
use crate::identity::password::{hash, random_password};

/// `user …`
#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Add accounts; prints each name with its password, once.
    Add {
        /// 1 to 32 of a-z 0-9 - _ each.
        #[arg(required = true)]
        names: Vec<AccountName>,
        /// What they may do.
        #[arg(long, value_enum, default_value_t = RoleArgument::Participant)]
        role: RoleArgument,
    },
    /// List every account, without secrets.
    List,
    /// Refuse sign-ins, end sessions and close tabs. Their jobs stay.
    Disable {
        /// The accounts.
        #[arg(required = true)]
        names: Vec<AccountName>,
    },
    /// Let disabled accounts sign in again, with the password they had.
    Enable {
        /// The accounts.
        #[arg(required = true)]
        names: Vec<AccountName>,
    },
    /// Give accounts a new password and end their sessions; prints each name with its password, once.
    Password {
        /// The accounts.
        #[arg(required = true)]
        names: Vec<AccountName>,
    },
    /// Change what an account may do, and end its sessions.
    Role {
        /// The account.
        name: AccountName,
        /// What it may do from now on.
        #[arg(value_enum)]
        role: RoleArgument,
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

impl From<RoleArgument> for Role {
    fn from(typed: RoleArgument) -> Self {
        match typed {
            RoleArgument::Participant => Self::Participant,
            RoleArgument::Instructor => Self::Instructor,
        }
    }
}

pub(super) async fn run(broker: &Broker, action: UserCommand, output: Output) -> anyhow::Result<()> {
    match action {
        UserCommand::Add { names, role } => add(broker, names, role.into(), output).await,
        UserCommand::List => show(&broker.accounts().await?, output),
        UserCommand::Disable { names } => {
            change(broker, &names, &AccountChange::Disabled(true), output).await
        }
        UserCommand::Enable { names } => {
            change(broker, &names, &AccountChange::Disabled(false), output).await
        }
        UserCommand::Password { names } => password(broker, names, output).await,
        UserCommand::Role { name, role } => {
            change(broker, &[name], &AccountChange::Role(role.into()), output).await
        }
    }
}

async fn add(broker: &Broker, names: Vec<AccountName>, role: Role, output: Output) -> anyhow::Result<()> {
    // All or nothing: an account that is there already keeps its password and its role.
    for name in &names {
        if broker.account(name).await?.is_some() {
            bail!("there is an account {name} already; `user password {name}` gives it a new password");
        }
    }
    let mut made = Vec::new();
    for name in names {
        let password = random_password();
        let account = Account { name, role, password_hash: hash(&password)?, disabled: false, generation: 0 };
        broker.put_account(&account).await?;
        made.push((account.name, password));
    }
    show_passwords(&made, output)
}

async fn password(broker: &Broker, names: Vec<AccountName>, output: Output) -> anyhow::Result<()> {
    all_exist(broker, &names).await?;
    let mut made = Vec::new();
    for name in names {
        let password = random_password();
        broker.change_account(&name, &AccountChange::PasswordHash(hash(&password)?)).await?;
        made.push((name, password));
    }
    show_passwords(&made, output)
}

async fn change(
    broker: &Broker,
    names: &[AccountName],
    change: &AccountChange,
    output: Output,
) -> anyhow::Result<()> {
    all_exist(broker, names).await?;
    let mut changed = Vec::new();
    for name in names {
        broker.change_account(name, change).await?;
        changed.extend(broker.account(name).await?);
    }
    show(&changed, output)
}

async fn all_exist(broker: &Broker, names: &[AccountName]) -> anyhow::Result<()> {
    for name in names {
        if broker.account(name).await?.is_none() {
            bail!("there is no account {name}; `user list` names them all");
        }
    }
    Ok(())
}

fn show(accounts: &[Account], output: Output) -> anyhow::Result<()> {
    if output.json {
        let as_json = |a: &Account| json!({"name": a.name, "role": a.role, "disabled": a.disabled});
        return print::json(&accounts.iter().map(as_json).collect::<Vec<Value>>());
    }
    let row = |a: &Account| {
        let disabled = if a.disabled { "disabled" } else { "" };
        vec![a.name.to_string(), a.role.word().to_owned(), disabled.to_owned()]
    };
    print::table(&accounts.iter().map(row).collect::<Vec<_>>())
}

fn show_passwords(made: &[(AccountName, String)], output: Output) -> anyhow::Result<()> {
    if output.json {
        let as_json = |(name, password): &(AccountName, String)| json!({"name": name, "password": password});
        return print::json(&made.iter().map(as_json).collect::<Vec<Value>>());
    }
    print::table(&made.iter().map(|(name, word)| vec![name.to_string(), word.clone()]).collect::<Vec<_>>())?;
    print::talk("This is the only time these passwords are shown.")
}
