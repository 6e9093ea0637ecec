//! `token …`: what workers prove themselves with.

use anyhow::bail;
use clap::Subcommand;
use queue_broker::Broker;
use queue_broker::sessions::SecretHash;
use queue_broker::tokens::WorkerToken;
use queue_protocol::{TokenId, WorkerName};
use serde_json::{Value, json};

use super::{Output, print};
use crate::identity::password::random_secret;

/// `token …`
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Issue a token for a worker; printed once, and nothing else with it. A worker may have several.
    Issue {
        /// The worker: 1 to 32 of a-z 0-9 - _.
        worker: WorkerName,
    },
    /// List every token: its id, its worker, when it was issued and last used.
    List,
    /// Make tokens worth nothing, at once; their workers' links close.
    Revoke {
        /// Ids as `token list` shows them.
        #[arg(required = true)]
        ids: Vec<TokenId>,
    },
}

pub(super) async fn run(broker: &Broker, action: TokenCommand, output: Output) -> anyhow::Result<()> {
    match action {
        TokenCommand::Issue { worker } => issue(broker, &worker, output).await,
        TokenCommand::List => list(broker, output).await,
        TokenCommand::Revoke { ids } => revoke(broker, &ids, output).await,
    }
}

async fn issue(broker: &Broker, worker: &WorkerName, output: Output) -> anyhow::Result<()> {
    let secret = random_secret();
    let id = broker.put_worker_token(&SecretHash::of(&secret), worker).await?;
    if output.json {
        return print::json(&json!({"id": id, "worker": worker, "token": secret}));
    }
    print::talk(&format!("Token {id} of {worker}; this is the only time it is shown."))?;
    print::line(&secret)
}

async fn list(broker: &Broker, output: Output) -> anyhow::Result<()> {
    let tokens = broker.worker_tokens().await?;
    if output.json {
        let as_json = |t: &WorkerToken| json!({"id": t.id, "worker": t.worker, "made_at": t.made_at, "used_at": t.used_at});
        return print::json(&tokens.iter().map(as_json).collect::<Vec<Value>>());
    }
    let now_ms = broker.now_ms().await?;
    let row = |t: &WorkerToken| {
        let used = t.used_at.map_or("never used".to_owned(), |at| format!("used {}", print::ago(now_ms, at)));
        vec![
            t.id.to_string(),
            t.worker.to_string(),
            format!("issued {}", print::ago(now_ms, t.made_at)),
            used,
        ]
    };
    print::table(&tokens.iter().map(row).collect::<Vec<_>>())
}

async fn revoke(broker: &Broker, ids: &[TokenId], output: Output) -> anyhow::Result<()> {
    let (mut revoked, mut unknown) = (Vec::new(), Vec::new());
    for id in ids {
        let list = if broker.revoke_worker_token(id).await? { &mut revoked } else { &mut unknown };
        list.push(id.to_string());
    }
    if output.json {
        print::json(&json!({"revoked": revoked}))?;
    } else if !revoked.is_empty() {
        print::line(&format!("revoked {}", revoked.join(" ")))?;
    }
    if unknown.is_empty() {
        return Ok(());
    }
    bail!("there is no token {}; `token list` shows them all", unknown.join(", "))
}
