//! One job at this worker's ComfyUI, from the offer to how it ended. It goes on while the link is down.

mod files;
mod graph;
mod keys;
mod messages;
mod trouble;
mod watch;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use queue_client::transfer::Transfer;
use queue_protocol::link::{Failed, Finished, FromWorker, HeldLease, JobResult, Offer};
use queue_protocol::{FailureKind, WorkerName};
use serde_json::Value;
use tokio::sync::{oneshot, watch as orders};
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use crate::cache::Cache;
use crate::comfyui::history::Entry;
use crate::comfyui::socket::JobSocket;
use crate::comfyui::{Comfyui, ComfyuiError, Whereabouts};
use crate::keeper::Keeper;
use crate::leftovers::Leftovers;
use crate::outbox::Outbox;
use crate::pulse::Pulse;
use files::{Mover, Stored};
use keys::Keys;
use messages::Messages;
use trouble::Trouble;

/// What every job of this worker works with.
#[derive(Clone)]
pub struct Surroundings {
    /// The ComfyUI.
    pub comfyui: Comfyui,
    /// File routes of the queue-manager.
    pub transfer: Transfer,
    /// What is said to the tab.
    pub outbox: Arc<Outbox>,
    /// Classes that are output nodes.
    pub output_classes: Arc<HashSet<String>>,
    /// This worker: its name keeps its files apart from another's at the same ComfyUI folders.
    pub worker: WorkerName,
    /// Where inputs are kept between jobs.
    pub cache: Cache,
    /// What earlier jobs left.
    pub leftovers: Leftovers,
    /// How ComfyUI is.
    pub pulse: Arc<Pulse>,
    /// Who can restart it.
    pub keeper: Arc<Keeper>,
    /// How long a cancel may be without effect.
    pub cancel_patience: Duration,
}

/// What a running job is told from outside. Only grows: a stop can become an abandon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Orders {
    /// Go on.
    Run,
    /// Interrupt ComfyUI and say how it ended.
    Stop,
    /// Interrupt ComfyUI and say nothing: the claim is over.
    Abandon,
    /// Say nothing and leave ComfyUI alone: another process of this worker has the claim, and may have adopted the very
    /// prompt.
    LetGo,
}

impl Orders {
    fn end_the_claim(self) -> bool {
        matches!(self, Self::Abandon | Self::LetGo)
    }

    fn end_the_job(self) -> bool {
        self != Self::Run
    }
}

/// How a job ended here.
#[derive(Debug)]
pub enum End {
    /// Well.
    Finished(JobResult),
    /// Badly.
    Failed(FailureKind, JobResult),
    /// Not begun: it goes back unharmed.
    Released,
}

impl End {
    pub(crate) fn message(&self, lease: HeldLease) -> FromWorker {
        let HeldLease { job, token } = lease;
        match self {
            Self::Finished(result) => FromWorker::Finished(Finished { job, token, result: result.clone() }),
            Self::Failed(kind, result) => {
                FromWorker::Failed(Failed { job, token, kind: *kind, result: result.clone() })
            }
            Self::Released => FromWorker::Released(lease),
        }
    }
}

/// A job that runs.
pub struct Run {
    /// Its claim.
    pub lease: HeldLease,
    orders: orders::Sender<Orders>,
    end: oneshot::Receiver<End>,
    task: JoinHandle<()>,
}

impl Run {
    /// Tells it something.
    pub fn order(&self, order: Orders) {
        self.orders.send_replace(order);
    }

    /// Tells it that its claim is over; what is left of it ends soon.
    pub fn abandon(self) -> JoinHandle<()> {
        self.order(Orders::Abandon);
        self.task
    }

    /// Tells it that another process has its claim.
    pub fn let_go(self) -> JoinHandle<()> {
        self.order(Orders::LetGo);
        self.task
    }

    /// Waits for the end of the job in `slot` and empties it; for ever while there is none.
    pub async fn ended(slot: &mut Option<Self>) -> (HeldLease, End) {
        let Some(run) = slot else {
            return std::future::pending().await;
        };
        // A run that vanished without a word broke on this job: it counts as a crash, so that it cannot go on for ever.
        let end = (&mut run.end).await.unwrap_or_else(|_| {
            let error = messages::service_error("WorkerBroke", "The worker could not handle this job.");
            End::Failed(FailureKind::ComfyuiLost, JobResult { error: Some(error), ..JobResult::default() })
        });
        let lease = run.lease;
        *slot = None;
        (lease, end)
    }
}

/// Starts a job, once the one `before` it has left ComfyUI: both may be attempts of the same prompt id.
pub fn start(
    offer: Offer,
    surroundings: Surroundings,
    tasks: &TaskTracker,
    before: Option<JoinHandle<()>>,
) -> Run {
    let lease = HeldLease { job: offer.job, token: offer.token };
    let (orders, heard) = orders::channel(Orders::Run);
    let (sender, end) = oneshot::channel();
    let span = tracing::info_span!("job", job.id = %offer.job, participant.id = %offer.participant);
    let work = async move {
        if let Some(before) = before {
            // However it ended, it is gone.
            drop(before.await);
        }
        let (stored, told) = (Stored::default(), HashSet::new());
        let job = Job { lease, offer, heard, posted: true, stored, told, with: surroundings };
        let end = job.run().await;
        // Nobody listens to the end of an abandoned job.
        drop(sender.send(end));
    };
    let task = tasks.spawn(work.instrument(span));
    Run { lease, orders, end, task }
}

struct Job {
    lease: HeldLease,
    offer: Offer,
    heard: orders::Receiver<Orders>,
    /// Whether ComfyUI may have the prompt.
    posted: bool,
    stored: Stored,
    /// Kinds of ComfyUI's messages that were passed on.
    told: HashSet<String>,
    with: Surroundings,
}

/// What ComfyUI has of a job before it is posted.
enum Found {
    Running,
    Succeeded(Entry),
    Nothing,
}

impl Job {
    fn mover(&self) -> Mover {
        Mover { with: self.with.clone(), lease: self.lease, heard: self.heard.clone() }
    }

    fn keys(&self) -> Keys<'_> {
        Keys(&self.offer.keys)
    }

    fn messages(&self) -> Messages<'_> {
        Messages { lease: self.lease, outbox: &self.with.outbox }
    }

    async fn run(mut self) -> End {
        match self.attempt().await {
            Ok(entry) => {
                self.posted = false;
                self.conclude(entry).await
            }
            Err(trouble) => self.give_up(trouble).await,
        }
    }

    /// Posts the prompt, or adopts the one that is there already, and watches it to its end.
    async fn attempt(&mut self) -> Result<Option<Entry>, Trouble> {
        let job = self.lease.job;
        let mut socket = JobSocket::open(&self.with.comfyui, job).await;
        let adopted = match self.found().await? {
            Found::Running => true,
            Found::Succeeded(entry) => return Ok(Some(entry)),
            Found::Nothing => false,
        };
        if adopted {
            tracing::info!(job.id = %job, "adopted a prompt that was still there");
        } else {
            self.posted = false;
            // To its end, so that it takes no input away that is just being put there.
            let leftovers = self.with.leftovers.clone();
            drop(tokio::task::spawn_blocking(move || leftovers.tidy(job)).await);
            let mover = self.mover();
            let prompt = tokio::select! {
                // What was stopped before it was posted is not posted.
                biased;
                over = mover.told(Orders::end_the_job) => return Err(over),
                prompt = self.prepare() => prompt?,
            };
            self.posted = true;
            self.with.comfyui.prompt(&prompt).await?;
        }
        watch::to_the_end(self, &mut socket).await
    }

    /// What ComfyUI has of this job already.
    async fn found(&self) -> Result<Found, Trouble> {
        let mover = self.mover();
        let mut patience = mover.patience();
        loop {
            if let Some(found) = patience.attempt(self.ask()).await? {
                return Ok(found);
            }
        }
    }

    async fn ask(&self) -> Result<Found, ComfyuiError> {
        let (comfyui, job) = (&self.with.comfyui, self.lease.job);
        if comfyui.whereabouts(job).await? == Whereabouts::Queued {
            return Ok(Found::Running);
        }
        match comfyui.history(job).await? {
            Some(entry) if entry.status.status_str == "success" => return Ok(Found::Succeeded(entry)),
            // An interrupted or failed attempt of the same id would be mistaken for this one's end.
            Some(_) => comfyui.forget(job).await?,
            None => {}
        }
        Ok(Found::Nothing)
    }

    /// The request that ComfyUI gets: inputs in place, outputs forced to run again, our ids.
    async fn prepare(&self) -> Result<Value, Trouble> {
        let unreadable = |error: serde_json::Error| Trouble::Files(format!("the stored workflow: {error}"));
        let mut body: Value = if let Some(raw) = &self.offer.body {
            serde_json::from_str(raw.get()).map_err(unreadable)?
        } else {
            let (mover, transfer) = (self.mover(), &self.with.transfer);
            let mut patience = mover.patience();
            let bytes = loop {
                if let Some(bytes) = patience.attempt(transfer.body(self.lease)).await? {
                    break bytes;
                }
            };
            serde_json::from_slice(&bytes).map_err(unreadable)?
        };
        files::place_inputs(&self.mover(), &self.offer, &mut body).await?;
        graph::make_ours(&mut body, self.lease.job, &self.with.worker, &self.with.output_classes);
        graph::add_keys(&mut body, &self.offer.keys);
        Ok(body)
    }

    /// From ComfyUI's history entry to a result; `None` for a prompt that was stopped before it began.
    async fn conclude(&mut self, entry: Option<Entry>) -> End {
        use crate::comfyui::history::Verdict;
        let Some(mut entry) = entry else {
            return End::Failed(FailureKind::Interrupted, self.messages().interrupted());
        };
        self.keys().hide_in(&mut entry);
        let verdict = entry.verdict();
        self.say_what_was_missed(&entry, &["execution_start", "execution_cached"]);
        let mover = self.mover();
        for (node, output) in &mut entry.outputs {
            match files::move_outputs(&mover, &mut self.stored, output).await {
                // An output nobody was told of: its message came while no socket was open.
                Ok(0) => {}
                Ok(_) => self.messages().executed(node, output),
                Err(trouble) => return self.give_up(trouble).await,
            }
        }
        let result = messages::result(&entry);
        let end = match verdict {
            Verdict::Success => End::Finished(result),
            Verdict::Failure(FailureKind::Interrupted, _) => End::Failed(FailureKind::Interrupted, result),
            Verdict::Failure(kind, error) => {
                let error = Some(messages::within_limits(error));
                return End::Failed(kind, JobResult { error, ..result });
            }
        };
        self.say_what_was_missed(&entry, &["execution_success", "execution_interrupted"]);
        self.messages().ended();
        end
    }

    /// Messages that came while no socket was open, as the history has them.
    fn say_what_was_missed(&mut self, entry: &Entry, kinds: &[&str]) {
        for (kind, data) in &entry.status.messages {
            if kinds.contains(&kind.as_str()) && self.told.insert(kind.clone()) {
                self.messages().say(kind, data);
            }
        }
    }
}
