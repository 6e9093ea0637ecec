//! `config …`: every setting with where it comes from, and changes to those of the queue.

use clap::Subcommand;
use queue_broker::Broker;
use serde_json::json;

use super::{Output, Typed, print};
use crate::config::effective::{self, Effective};
use crate::config::queue::QueueSettings;

/// `config …`
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Show every setting as it takes effect in this environment, and the queue's own from the store. Secrets are ***.
    Show,
    /// Change a setting of the queue while it runs. One that is also set in the environment of `serve` comes back with
    /// the next start.
    Set {
        /// As `config show` names it under "queue".
        name: String,
        /// Its new value.
        value: String,
    },
}

pub(super) async fn run(
    broker: &Broker,
    action: ConfigCommand,
    output: Output,
    typed: Typed<'_>,
) -> anyhow::Result<()> {
    match action {
        ConfigCommand::Show => show(broker, output, typed).await,
        ConfigCommand::Set { name, value } => {
            let (stored, value) = QueueSettings::parse_one(&name, &value)?;
            broker.configure(None, &[(stored, &value)]).await?;
            let stored = broker.settings().await?;
            let mut changed = effective::of_the_queue(Some(&stored));
            changed.retain(|setting| setting.name == name);
            if output.json {
                return print::json(&changed);
            }
            print::table(&changed.iter().map(row).collect::<Vec<_>>())
        }
    }
}

async fn show(broker: &Broker, output: Output, typed: Typed<'_>) -> anyhow::Result<()> {
    let process = effective::of_the_process(typed.command, typed.matches);
    let queue = effective::of_the_queue(broker.settings().await.ok().as_ref());
    if output.json {
        return print::json(&json!({"process": process, "queue": queue}));
    }
    let rows: Vec<_> = process.iter().chain(&queue).map(row).collect();
    let (process, queue) = rows.split_at(process.len());
    print::table(process)?;
    print::line("\nqueue (`config set NAME VALUE` changes these)")?;
    print::table(queue)
}

fn row(setting: &Effective) -> Vec<String> {
    let value = setting.value.clone().unwrap_or_else(|| "-".to_owned());
    vec![setting.name.clone(), value, setting.origin.clone()]
}
