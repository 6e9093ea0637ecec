//! `token …`: what workers prove themselves with, and what people's programs do.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::bail;
use clap::Subcommand;
use queue_broker::Broker;
use queue_broker::sessions::SecretHash;
use queue_broker::transitions::grant::{Grant, Granted, TOKENS};
use queue_protocol::api::{PersonToken, Scope, Token};
use queue_protocol::{AccountName, TokenId, WorkerName};
use serde_json::{Value, json};

use super::{Output, print};
use crate::identity::caller::TOKEN_PREFIX;
use crate::identity::password::random_secret;
use crate::wording;

/// `token …`
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Issue a token for a worker; printed once, and nothing else with it. A worker may have several.
    Issue {
        /// The worker: 1 to 32 of a-z 0-9 - _.
        worker: WorkerName,
        /// Days until it opens nothing any more, 1 to 366; without it, it lasts until it is revoked.
        #[arg(long, value_parser = clap::value_parser!(u16).range(1..=366))]
        days: Option<u16>,
    },
    /// Make a join token: a GPU box exchanges it, once and within a day, for a token of that worker. Printed once.
    Join {
        /// The worker: 1 to 32 of a-z 0-9 - _.
        worker: WorkerName,
    },
    /// Make a token for a person's program; printed once, and nothing else with it. It goes into `Authorization: Bearer`.
    Grant {
        /// The account.
        account: AccountName,
        /// What it may be used for; may be said several times. read: see what is theirs. work: change what is theirs.
        /// steer: what only the instructor may.
        #[arg(long = "scope", required = true, value_parser = scope)]
        scopes: Vec<Scope>,
        /// Days until it opens nothing any more, 1 to 366.
        #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=366))]
        days: u16,
        /// What to call it, at most 60 characters.
        #[arg(long, default_value = "", value_parser = label)]
        label: String,
    },
    /// List every token: its id, whose it is, when it was issued, last used, and ends.
    List,
    /// Make tokens worth nothing, at once; what they opened closes.
    Revoke {
        /// Ids as `token list` shows them.
        #[arg(required_unless_present = "all")]
        ids: Vec<TokenId>,
        /// All of them, and join tokens that nobody has used.
        #[arg(long, conflicts_with = "ids")]
        all: bool,
    },
}

pub(super) async fn run(
    broker: &Broker,
    workers_at: SocketAddr,
    action: TokenCommand,
    output: Output,
) -> anyhow::Result<()> {
    match action {
        TokenCommand::Join { worker } => join(broker, workers_at, &worker, output).await,
        TokenCommand::Issue { worker, days } => issue(broker, &worker, days, output).await,
        TokenCommand::Grant { account, mut scopes, days, label } => {
            scopes.sort_unstable();
            scopes.dedup();
            grant(broker, &account, &scopes, (days, &label), output).await
        }
        TokenCommand::List => list(broker, output).await,
        TokenCommand::Revoke { all: true, .. } => revoke_all(broker, output).await,
        TokenCommand::Revoke { ids, .. } => revoke(broker, &ids, output).await,
    }
}

fn scope(word: &str) -> Result<Scope, String> {
    Scope::from_word(word).ok_or_else(|| "read, work or steer".to_owned())
}

fn label(text: &str) -> Result<String, String> {
    let fits = text.chars().count() <= 60 && !text.contains(char::is_control);
    if fits { Ok(text.to_owned()) } else { Err("at most 60 characters, all in one line".to_owned()) }
}

fn lasts(days: u16) -> Duration {
    Duration::from_secs(u64::from(days) * 24 * 3_600)
}

async fn issue(
    broker: &Broker,
    worker: &WorkerName,
    days: Option<u16>,
    output: Output,
) -> anyhow::Result<()> {
    let secret = random_secret();
    let id = broker.put_worker_token(&SecretHash::of(&secret), worker, days.map(lasts)).await?;
    if output.json {
        return print::json(&json!({"id": id, "worker": worker, "token": secret}));
    }
    print::talk(&format!("Token {id} of {worker}; this is the only time it is shown."))?;
    print::line(&secret)
}

async fn grant(
    broker: &Broker,
    account: &AccountName,
    scopes: &[Scope],
    (days, label): (u16, &str),
    output: Output,
) -> anyhow::Result<()> {
    let Some(found) = broker.account(account).await? else {
        bail!("there is no account {account}; `user list` shows them all");
    };
    let secret = format!("{TOKEN_PREFIX}{}", random_secret());
    let generation = found.generation;
    let wanted = Grant { account, generation, session: None, scopes, label, lasts: lasts(days) };
    let id = match broker.grant(&SecretHash::of(&secret), wanted).await? {
        Granted::Made(id) => id,
        Granted::TooMany => {
            bail!("{account} has {TOKENS} tokens, which is the limit; `token revoke` makes room")
        }
        Granted::Over => bail!("{account} was signed out at this moment; nothing was granted"),
    };
    if output.json {
        return print::json(&json!({"id": id, "account": account, "scopes": scopes, "token": secret}));
    }
    print::talk(&format!("Token {id} of {account} for {days} days; this is the only time it is shown."))?;
    print::line(&secret)
}

async fn join(
    broker: &Broker,
    workers_at: SocketAddr,
    worker: &WorkerName,
    output: Output,
) -> anyhow::Result<()> {
    let secret = random_secret();
    let until = broker.put_join_token(&SecretHash::of(&secret), worker).await?;
    if output.json {
        return print::json(&json!({"worker": worker, "join_token": secret, "until": until}));
    }
    print::talk(&format!(
        "A join token of {worker}, good once and for a day; this is the only time it is shown. On the GPU box, beside its \
         ComfyUI:\n  curl -fsS http://{workers_at}/join.sh | bash -s -- http://{workers_at} {secret}"
    ))?;
    print::line(&secret)
}

async fn list(broker: &Broker, output: Output) -> anyhow::Result<()> {
    let (workers, people) = (broker.worker_tokens().await?, broker.person_tokens(None).await?);
    if output.json {
        let workers = workers.iter().map(|token| json!(token));
        let all: Vec<Value> = workers.chain(people.iter().map(|token| json!(token))).collect();
        return print::json(&all);
    }
    let now_ms = broker.now_ms().await?;
    let times = |made_at: u64, used_at: Option<u64>, expires_at: Option<u64>| {
        let used = used_at.map_or("never used".to_owned(), |at| format!("used {}", wording::ago(now_ms, at)));
        let end = match expires_at {
            None => "no end".to_owned(),
            Some(at) if at <= now_ms => "expired".to_owned(),
            Some(at) => format!("ends in {} days", (at - now_ms).div_ceil(24 * 3_600_000)),
        };
        [format!("issued {}", wording::ago(now_ms, made_at)), used, end]
    };
    let row = |id: &TokenId, whose: String, what: String, times: [String; 3]| {
        [vec![id.to_string(), whose, what], times.to_vec()].concat()
    };
    let worker = |t: &Token| {
        row(&t.id, t.worker.to_string(), "worker".to_owned(), times(t.made_at, t.used_at, t.expires_at))
    };
    let person = |t: &PersonToken| {
        let scopes: Vec<_> = t.scopes.iter().map(|scope| scope.word()).collect();
        row(&t.id, t.account.to_string(), scopes.join("+"), times(t.made_at, t.used_at, Some(t.expires_at)))
    };
    print::table(&workers.iter().map(worker).chain(people.iter().map(person)).collect::<Vec<_>>())
}

async fn revoke_all(broker: &Broker, output: Output) -> anyhow::Result<()> {
    let unused = broker.revoke_join_tokens().await?;
    let (mut revoked, workers, people) =
        (Vec::new(), broker.worker_tokens().await?, broker.person_tokens(None).await?);
    for id in workers.iter().map(|token| &token.id) {
        if broker.revoke_worker_token(id).await? {
            revoked.push(id.to_string());
        }
    }
    for id in people.iter().map(|token| &token.id) {
        if broker.revoke_person_token(id, None).await? {
            revoked.push(id.to_string());
        }
    }
    if output.json {
        return print::json(&json!({"revoked": revoked, "join_tokens": unused}));
    }
    print::line(&format!("revoked {} tokens and {unused} join tokens", revoked.len()))
}

async fn revoke(broker: &Broker, ids: &[TokenId], output: Output) -> anyhow::Result<()> {
    let (mut revoked, mut unknown) = (Vec::new(), Vec::new());
    for id in ids {
        let there = broker.revoke_worker_token(id).await? || broker.revoke_person_token(id, None).await?;
        let list = if there { &mut revoked } else { &mut unknown };
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
