//! Workers that are none: they take jobs over the worker link and end them at once. The only node class they have is the
//! rehearsal's own, so nobody else's job ever comes to them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use queue_client::ClientError;
use queue_client::link::{Heard, LinkReceiver, LinkSender, connect};
use queue_client::transfer::Transfer;
use queue_protocol::api::NewToken;
use queue_protocol::link::{Finished, FromWorker, HeldLease, Hello, JobResult, Renew, ToWorker};
use queue_protocol::{FileHash, JobId};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::accounts::Desk;
use super::report::Trouble;

const READY: Duration = Duration::from_secs(20);
const CLASS: &str = "AtelierRehearsal";

/// A workflow that only these workers can run; no two are alike.
pub(crate) fn graph(n: usize) -> Value {
    json!({"1": {"class_type": CLASS, "inputs": {"n": n}}})
}

fn description() -> Vec<u8> {
    let class = json!({"input": {"required": {}}, "output": [], "output_is_list": [], "output_name": [], "name": CLASS,
        "display_name": "Rehearsal", "description": "", "category": "atelier", "output_node": true});
    json!({CLASS: class}).to_string().into_bytes()
}

/// How often each job was lent, and how often an end of it was taken.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) lent: HashMap<JobId, usize>,
    pub(crate) settled: HashMap<JobId, usize>,
    pub(crate) broken: Vec<String>,
}

/// All of them; they leave when dropped.
pub(crate) struct Workers {
    desk: Desk,
    made: Vec<NewToken>,
    tally: Arc<Mutex<Tally>>,
    tasks: JoinSet<()>,
}

impl Workers {
    /// Makes tokens, connects, and waits until all are ready.
    pub(crate) async fn start(desk: Desk, link: &str, number: u16) -> Result<Self, Trouble> {
        let (tally, tasks) = (Arc::default(), JoinSet::new());
        let mut workers = Self { desk, made: Vec::new(), tally, tasks };
        if let Err(trouble) = workers.connect(link, number).await {
            workers.end().await;
            return Err(trouble);
        }
        Ok(workers)
    }

    async fn connect(&mut self, link: &str, number: u16) -> Result<(), Trouble> {
        let (ready, mut are_ready) = mpsc::channel(usize::from(number).max(1));
        for n in 1..=number {
            let wanted = json!({"worker": format!("rehearsal-{n}")});
            let (status, answer) = self.desk.ask(Method::POST, "/tokens", &wanted).await?;
            let made = serde_json::from_value::<NewToken>(answer).ok().filter(|_| status.is_success());
            let Some(made) = made else {
                return Err(Trouble::new("no token for a worker", format!("the server answered {status}")));
            };
            let (link, token, tally) = (link.to_owned(), made.token.clone(), Arc::clone(&self.tally));
            let ready = ready.clone();
            self.made.push(made);
            self.tasks.spawn(async move {
                if let Err(error) = work(&link, &token, &tally, ready).await {
                    tally.lock().unwrap_or_else(PoisonError::into_inner).broken.push(error.to_string());
                }
            });
        }
        for n in 0..number {
            if !matches!(tokio::time::timeout(READY, are_ready.recv()).await, Ok(Some(()))) {
                let why = self
                    .tally()
                    .broken
                    .first()
                    .cloned()
                    .unwrap_or_else(|| "they were not greeted".to_owned());
                let what = format!("only {n} of {number} workers could connect to {link}");
                return Err(Trouble::new(what, why));
            }
        }
        Ok(())
    }

    /// What they did so far.
    pub(crate) fn tally(&self) -> std::sync::MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Disconnects them, takes them off the list and revokes their tokens.
    pub(crate) async fn end(mut self) {
        self.tasks.shutdown().await;
        for made in &self.made {
            let (worker, token) = (format!("/workers/{}", made.worker), format!("/tokens/{}", made.id));
            for path in [worker, token] {
                // A worker counts as connected until the end of its link was noted. What cannot be taken away then, the
                // dashboard can.
                for _ in 0..50 {
                    let asked = self.desk.ask(Method::DELETE, &path, &Value::Null).await;
                    if !matches!(asked, Ok((StatusCode::CONFLICT, _))) {
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }
}

/// One of them, for as long as the link holds.
async fn work(
    link: &str,
    token: &str,
    tally: &Mutex<Tally>,
    ready: mpsc::Sender<()>,
) -> Result<(), ClientError> {
    let (mut sender, mut receiver) = connect(link, token, None).await?;
    let description = description();
    let digest = hex::encode(Sha256::digest(&description));
    let object_info: FileHash = digest.parse().map_err(|_| ClientError::Unexpected("a hash".to_owned()))?;
    let hello = Hello {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        gpu: "none, this is a rehearsal".to_owned(),
        vram_total: 0,
        comfyui_version: "rehearsal-simulated".to_owned(),
        object_info: object_info.clone(),
        parts: std::collections::BTreeMap::new(),
        leases: Vec::new(),
        yielding: false,
    };
    sender.say(&FromWorker::Hello(hello)).await?;
    let Some(Heard::Message(ToWorker::Welcome(welcome))) = receiver.hear().await? else {
        return Err(ClientError::Unexpected("no welcome".to_owned()));
    };
    if welcome.send_object_info {
        Transfer::new(link, token, None).put_object_info(&object_info, description).await?;
    }
    sender.say(&FromWorker::Ready).await?;
    // Whoever waits for it may have given up.
    let _ = ready.send(()).await;
    let every = Duration::from_millis(welcome.timings.renew_every_ms);
    converse(&mut sender, &mut receiver, tally, every).await
}

async fn converse(
    sender: &mut LinkSender,
    receiver: &mut LinkReceiver,
    tally: &Mutex<Tally>,
    every: Duration,
) -> Result<(), ClientError> {
    let note =
        |change: &dyn Fn(&mut Tally)| change(&mut tally.lock().unwrap_or_else(PoisonError::into_inner));
    let mut renew = tokio::time::interval(every);
    loop {
        let message = tokio::select! {
            message = receiver.hear() => message?.ok_or(ClientError::Unreachable("the link was closed".to_owned()))?,
            _ = renew.tick() => {
                let renew = Renew { leases: Vec::new(), comfyui_alive: true, vram_free: 0 };
                sender.say(&FromWorker::Renew(renew)).await?;
                continue;
            }
        };
        let Heard::Message(message) = message else { continue };
        match message {
            ToWorker::Job(offer) => {
                note(&|tally| *tally.lent.entry(offer.job).or_default() += 1);
                let end = Finished { job: offer.job, token: offer.token, result: JobResult::default() };
                sender.say(&FromWorker::Finished(end)).await?;
            }
            ToWorker::Settled(HeldLease { job, .. }) => {
                note(&|tally| *tally.settled.entry(job).or_default() += 1);
                sender.say(&FromWorker::Ready).await?;
            }
            ToWorker::Lost(_) => {
                sender.say(&FromWorker::Ready).await?;
            }
            _ => {}
        }
    }
}
