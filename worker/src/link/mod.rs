//! The link, kept open: connect, say what is held, take what comes, reconnect with backoff and jitter. A dropped link
//! changes nothing for a running job.

mod conversation;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use queue_client::link::{Heard, LinkReceiver, LinkSender, connect};
use queue_client::transfer::Transfer;
use queue_client::{ClientError, Proxy};
use queue_protocol::link::{FromWorker, HeldLease, Hello, Part, ToWorker, Unready, Welcome};
use queue_protocol::{Secret, WorkerName, timings};
use rand::Rng;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::DropGuard;
use tokio_util::task::TaskTracker;

use crate::cache::Cache;
use crate::comfyui::Comfyui;
use crate::comfyui::description::Description;
use crate::departure::{Departure, Step};
use crate::job::{End, Run, Surroundings};
use crate::keeper::Keeper;
use crate::leftovers::{Keep, Leftovers};
use crate::outbox::Outbox;
use crate::pulse::Pulse;

const FIRST_BACKOFF: Duration = Duration::from_millis(100);
const LONGEST_BACKOFF: Duration = Duration::from_secs(3);
/// How long ComfyUI may take to say what it is, with every script of its custom nodes.
const DESCRIBING: Duration = Duration::from_secs(60);

/// Where the queue-manager is, and who we are to it.
#[derive(Clone)]
pub struct Door {
    /// The worker listener.
    pub base: String,
    /// This worker's token.
    pub token: Secret,
    /// The way there, if it is not the direct one.
    pub proxy: Option<Proxy>,
    /// Its file routes.
    pub transfer: Transfer,
}

/// What is beside the worker.
#[derive(Clone)]
pub struct Machine {
    /// The ComfyUI.
    pub comfyui: Comfyui,
    /// How it is.
    pub pulse: Arc<Pulse>,
    /// Who can restart it.
    pub keeper: Arc<Keeper>,
    /// The folder of all workers' inputs.
    pub cache: PathBuf,
    /// How much of what jobs leave is kept.
    pub keep: Keep,
}

/// The link of one worker, and what outlives a connection.
pub struct Link {
    door: Door,
    machine: Machine,
    description: Description,
    /// How often ComfyUI had come back when it was asked what it is.
    described: u64,
    outbox: Arc<Outbox>,
    tasks: TaskTracker,
    cache: Option<(WorkerName, Cache)>,
    run: Option<Run>,
    end: Option<(HeldLease, End)>,
    /// What is left of a job whose claim is over.
    before: Option<JoinHandle<()>>,
    /// Ends the fetching of what probably comes next.
    hint: Option<DropGuard>,
    draining: bool,
    leaving: bool,
    /// Another process has this worker: we come back only when it is gone.
    yielding: bool,
    lease: Duration,
}

/// How a conversation ended.
enum Over {
    /// Open the link again.
    Again,
    /// Another process has the worker.
    Replaced,
    /// Nothing is held any more, and we were asked to go.
    Done,
}

struct Opened {
    sender: LinkSender,
    receiver: LinkReceiver,
    surroundings: Surroundings,
    renew_every: Duration,
    /// Whether the queue-manager does not know yet what this worker can run.
    unknown: bool,
    /// What else it wants to be told.
    parts: Vec<Part>,
}

impl Link {
    /// A link that is not open yet.
    #[must_use]
    pub fn new(door: Door, machine: Machine, description: Description, tasks: TaskTracker) -> Self {
        Self {
            door,
            described: machine.pulse.returns(),
            machine,
            description,
            outbox: Arc::default(),
            tasks,
            cache: None,
            run: None,
            end: None,
            before: None,
            hint: None,
            draining: false,
            leaving: false,
            yielding: false,
            lease: timings::LEASE,
        }
    }

    /// Keeps the link until the worker is asked to go and holds nothing any more.
    ///
    /// # Errors
    /// When the queue-manager refuses the token: trying again will not help.
    pub async fn keep(&mut self, departure: &mut Departure) -> anyhow::Result<()> {
        let mut backoff = FIRST_BACKOFF;
        while !self.may_go(departure) {
            let opened = tokio::select! {
                opened = self.open() => opened,
                step = departure.step() => {
                    if self.depart(step) { break }
                    continue;
                }
            };
            let pause = match opened {
                Ok(opened) => match self.converse(opened, departure).await {
                    Ok(Over::Done) => break,
                    Ok(Over::Again) => FIRST_BACKOFF,
                    Ok(Over::Replaced) => self.lease,
                    Err(error) => {
                        tracing::warn!(%error, "the link was lost; opening it again");
                        FIRST_BACKOFF
                    }
                },
                Err(ClientError::Refused) => anyhow::bail!("the queue-manager refused this worker's token"),
                Err(ClientError::Replaced) => self.lease,
                Err(error) => {
                    tracing::warn!(%error, "the link does not open; trying again");
                    (backoff * 2).min(LONGEST_BACKOFF)
                }
            };
            backoff = pause.min(LONGEST_BACKOFF);
            let jitter = rand::rng().random_range(0.5..1.5);
            tokio::select! {
                () = tokio::time::sleep(pause.mul_f64(jitter)) => {}
                step = departure.step() => if self.depart(step) { break },
            }
        }
        // Whatever is still held now ends with its lease.
        drop(self.run.take().map(Run::abandon));
        Ok(())
    }

    fn leases(&self) -> Vec<HeldLease> {
        self.run.iter().map(|run| run.lease).chain(self.end.iter().map(|(lease, _)| *lease)).collect()
    }

    fn may_go(&self, departure: &Departure) -> bool {
        departure.has_begun() && self.run.is_none() && self.end.is_none()
    }

    /// Does the next thing on the way out; answers whether that is to go.
    fn depart(&mut self, step: Step) -> bool {
        self.hint = None;
        if !std::mem::replace(&mut self.leaving, true) {
            tracing::info!(holding = self.leases().len(), "asked to stop: no further job is taken");
            self.outbox.say(FromWorker::Unready(Unready::Leaving));
        }
        match step {
            Step::Finish => {}
            Step::GiveBack => {
                if let Some(run) = self.run.take() {
                    tracing::info!(job.id = %run.lease.job, "giving a job back");
                    self.outbox.clear();
                    self.end = Some((run.lease, End::Released));
                    self.before = Some(run.abandon());
                }
                self.report_end();
            }
            Step::Go => tracing::warn!("the queue-manager did not acknowledge what was given back"),
        }
        step == Step::Go
    }

    fn report_end(&self) {
        if let Some((lease, end)) = &self.end {
            self.outbox.say_end(end.message(*lease));
        }
    }

    async fn open(&mut self) -> Result<Opened, ClientError> {
        // Before the link is open, which waits for no ComfyUI, and never while a lease is to be renewed.
        if self.leases().is_empty() {
            self.describe_again().await;
        }
        let Door { base, token, proxy, .. } = &self.door;
        let (mut sender, mut receiver) = connect(base, token.expose(), proxy.as_ref()).await?;
        let hello = Hello {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            gpu: self.description.gpu.clone(),
            vram_total: self.description.vram_total,
            comfyui_version: self.description.comfyui_version.clone(),
            object_info: self.description.object_info_hash.clone(),
            parts: self.description.parts.iter().map(|(part, it)| (*part, it.hash.clone())).collect(),
            leases: self.leases(),
            yielding: self.yielding,
        };
        sender.say(&FromWorker::Hello(hello)).await?;
        let welcome = match receiver.hear().await? {
            Some(Heard::Message(ToWorker::Welcome(welcome))) => welcome,
            Some(Heard::Message(ToWorker::Replaced)) => return Err(ClientError::Replaced),
            _ => return Err(ClientError::Unexpected("the first message was no welcome".to_owned())),
        };
        tracing::info!(worker.id = %welcome.worker, "the link is open");
        // What we were told on the last link, this one says again.
        (self.yielding, self.draining) = (false, false);
        self.outbox.start_again(Instant::now());
        let Welcome { worker, timings, send_object_info: unknown, send_parts: parts } = welcome;
        self.lease = Duration::from_millis(timings.lease_ms);
        let surroundings = Surroundings {
            comfyui: self.machine.comfyui.clone(),
            transfer: self.door.transfer.clone(),
            outbox: Arc::clone(&self.outbox),
            output_classes: Arc::new(self.description.output_classes.clone()),
            cache: self.cache_of(&worker)?,
            leftovers: Leftovers::new(self.machine.keep.clone(), self.machine.cache.clone(), worker.clone()),
            worker,
            pulse: Arc::clone(&self.machine.pulse),
            keeper: Arc::clone(&self.machine.keeper),
            cancel_patience: Duration::from_millis(timings.cancel_patience_ms),
        };
        let renew_every = Duration::from_millis(timings.renew_every_ms);
        Ok(Opened { sender, receiver, surroundings, renew_every, unknown, parts })
    }

    /// ComfyUI may have been restarted with other nodes and models since. One that does not say is what it was.
    async fn describe_again(&mut self) {
        self.described = self.machine.pulse.returns();
        match tokio::time::timeout(DESCRIBING, self.machine.comfyui.describe()).await {
            Ok(Ok(description)) => self.description = description,
            Ok(Err(error)) => tracing::debug!(%error, "ComfyUI does not say what it is"),
            Err(_) => tracing::warn!("ComfyUI takes too long to say what it is; it counts as what it was"),
        }
    }

    /// Opened once: what arrives for a running job must survive a new link.
    fn cache_of(&mut self, worker: &WorkerName) -> Result<Cache, ClientError> {
        if let Some((_, cache)) = self.cache.as_ref().filter(|(name, _)| name == worker) {
            return Ok(cache.clone());
        }
        let base = &self.machine.cache;
        let cache = Cache::open(base, worker)
            .map_err(|error| ClientError::Unexpected(format!("{}: {error}", base.display())))?;
        self.cache = Some((worker.clone(), cache.clone()));
        Ok(cache)
    }
}
