//! `doctor`: counts the queue from scratch, so that nobody ever needs to empty a store to be sure of it.

use anyhow::bail;
use queue_broker::Broker;
use serde_json::json;

use super::{Output, print};

pub(super) async fn run(broker: &Broker, output: Output) -> anyhow::Result<()> {
    let mut complaints = broker.recount().await?;
    if let Some(policy) = broker.evicts().await? {
        complaints.push(format!(
            "the store evicts what it holds when it is full ({policy}): set maxmemory-policy to noeviction"
        ));
    }
    if output.json {
        print::json(&json!({"complaints": complaints}))?;
    } else if complaints.is_empty() {
        print::line("Everything adds up: each job is in one place, and every counter is what it counts.")?;
    }
    if complaints.is_empty() {
        return Ok(());
    }
    if !output.json {
        complaints.iter().try_for_each(|complaint| print::line(complaint))?;
    }
    bail!("{} things do not add up; please report them. Jobs go on.", complaints.len())
}
