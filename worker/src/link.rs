//! The link, kept open: connect, say what is held, take what comes, reconnect with backoff and jitter. A dropped link
//! changes nothing for a running job.

use std::sync::Arc;
use std::time::Duration;

use queue_client::ClientError;
use queue_client::link::{LinkReceiver, LinkSender, connect};
use queue_protocol::Timings;
use queue_protocol::link::{Event, FromWorker, HeldLease, Hello, Offer, Renew, ToWorker, Welcome};
use rand::Rng;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::comfyui::description::Description;
use crate::job::{self, End, Orders, Run, Surroundings};
use crate::pulse::Pulse;

const FIRST_BACKOFF: Duration = Duration::from_millis(100);
const LONGEST_BACKOFF: Duration = Duration::from_secs(3);
/// How often an idle worker looks whether its ComfyUI is fit for a job.
const FITNESS_EVERY: Duration = Duration::from_millis(500);

/// The link of one worker.
pub struct Link {
    base: String,
    token: String,
    description: Description,
    surroundings: Surroundings,
    pulse: Arc<Pulse>,
    tasks: TaskTracker,
    run: Option<Run>,
    end: Option<(HeldLease, End)>,
    leaving: Option<JoinHandle<()>>,
    draining: bool,
}

impl Link {
    /// A link that is not open yet.
    #[must_use]
    pub fn new(
        base: &str,
        token: &str,
        description: Description,
        surroundings: Surroundings,
        pulse: Arc<Pulse>,
        tasks: TaskTracker,
    ) -> Self {
        let (base, token) = (base.to_owned(), token.to_owned());
        Self {
            base,
            token,
            description,
            surroundings,
            pulse,
            tasks,
            run: None,
            end: None,
            leaving: None,
            draining: false,
        }
    }

    /// Keeps the link until shutdown.
    ///
    /// # Errors
    /// When the queue-manager refuses the token: trying again will not help.
    pub async fn keep(&mut self, shutdown: &CancellationToken) -> anyhow::Result<()> {
        let mut backoff = FIRST_BACKOFF;
        while !shutdown.is_cancelled() {
            let opened = tokio::select! {
                opened = self.open() => opened,
                () = shutdown.cancelled() => break,
            };
            match opened {
                Ok((sender, receiver, timings)) => {
                    backoff = FIRST_BACKOFF;
                    if let Err(error) = self.converse(sender, receiver, timings, shutdown).await {
                        tracing::warn!(%error, "the link was lost; opening it again");
                    }
                }
                Err(ClientError::Refused) => anyhow::bail!("the queue-manager refused this worker's token"),
                Err(error) => {
                    tracing::warn!(%error, "the link does not open; trying again");
                    backoff = (backoff * 2).min(LONGEST_BACKOFF);
                }
            }
            let jitter = rand::rng().random_range(0.5..1.5);
            tokio::select! {
                () = tokio::time::sleep(backoff.mul_f64(jitter)) => {}
                () = shutdown.cancelled() => {}
            }
        }
        if let Some(run) = self.run.take() {
            // The link was down when we were told to stop: the lease ends by itself.
            drop(run.abandon());
        }
        Ok(())
    }

    fn leases(&self) -> Vec<HeldLease> {
        self.run.iter().map(|run| run.lease).chain(self.end.iter().map(|(lease, _)| *lease)).collect()
    }

    async fn open(&mut self) -> Result<(LinkSender, LinkReceiver, Timings), ClientError> {
        let (mut sender, mut receiver) = connect(&self.base, &self.token).await?;
        // It may have been restarted with other nodes and models since.
        if let Ok(description) = self.surroundings.comfyui.describe().await {
            self.surroundings.output_classes = Arc::new(description.output_classes.clone());
            self.description = description;
        }
        sender
            .say(&FromWorker::Hello(Hello {
                version: env!("CARGO_PKG_VERSION").to_owned(),
                gpu: self.description.gpu.clone(),
                vram_total: self.description.vram_total,
                comfyui_version: self.description.comfyui_version.clone(),
                object_info: self.description.object_info_hash.clone(),
                leases: self.leases(),
            }))
            .await?;
        let Some(ToWorker::Welcome(Welcome { worker, timings, send_object_info })) = receiver.hear().await?
        else {
            return Err(ClientError::Unexpected("the first message was no welcome".to_owned()));
        };
        tracing::info!(worker.id = %worker, "the link is open");
        if send_object_info {
            let (hash, json) = (&self.description.object_info_hash, self.description.object_info.clone());
            self.surroundings.transfer.put_object_info(hash, json).await?;
        }
        Ok((sender, receiver, timings))
    }

    async fn converse(
        &mut self,
        mut sender: LinkSender,
        mut receiver: LinkReceiver,
        timings: Timings,
        shutdown: &CancellationToken,
    ) -> Result<(), ClientError> {
        let mut renew = tokio::time::interval(Duration::from_millis(timings.renew_every_ms));
        let mut fitness = tokio::time::interval(FITNESS_EVERY);
        fitness.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let returns = self.pulse.returns();
        let mut ready = false;
        let outbox = Arc::clone(&self.surroundings.outbox);
        self.send_waiting(&mut sender).await?;
        loop {
            tokio::select! {
                // Renewals first: nothing may delay them.
                biased;
                _ = renew.tick() => self.renew(&mut sender).await?,
                () = shutdown.cancelled() => return self.give_back(&mut sender).await,
                message = receiver.hear() => match message? {
                    Some(message) => ready &= !self.heed(message),
                    None => return Ok(()),
                },
                (lease, end) = Run::ended(&mut self.run) => {
                    // Kept before anything is sent: a link that breaks now must not swallow it.
                    self.end = Some((lease, end));
                    self.send_waiting(&mut sender).await?;
                    self.report_end(&mut sender).await?;
                }
                () = outbox.filled() => self.send_waiting(&mut sender).await?,
                _ = fitness.tick(), if self.is_free() => {
                    if self.pulse.returns() != returns {
                        tracing::info!("ComfyUI came back; telling the queue-manager what it is now");
                        return Ok(());
                    }
                    if ready {
                        continue;
                    }
                    // A ComfyUI that is away, or still at something it was told to stop, gets no job.
                    if self.surroundings.comfyui.is_idle().await.unwrap_or(false) {
                        sender.say(&FromWorker::Ready).await?;
                        ready = true;
                    }
                }
            }
        }
    }

    fn is_free(&self) -> bool {
        self.run.is_none() && self.end.is_none() && !self.draining
    }

    async fn renew(&mut self, sender: &mut LinkSender) -> Result<(), ClientError> {
        let renew = Renew {
            leases: self.leases(),
            comfyui_alive: self.pulse.alive(),
            vram_free: self.pulse.vram_free(),
        };
        sender.say(&FromWorker::Renew(renew)).await?;
        // An end nobody confirmed is said again: saying it twice is one end.
        self.report_end(sender).await
    }

    async fn report_end(&mut self, sender: &mut LinkSender) -> Result<(), ClientError> {
        match &self.end {
            Some((lease, end)) => sender.say(&end.message(*lease)).await,
            None => Ok(()),
        }
    }

    async fn send_waiting(&self, sender: &mut LinkSender) -> Result<(), ClientError> {
        let outbox = &self.surroundings.outbox;
        while let Some(message) = outbox.take() {
            let (job, token) = (message.lease.job, message.lease.token);
            let event = FromWorker::Event(Event { job, token, frame: message.frame.clone() });
            if let Err(error) = sender.say(&event).await {
                outbox.put_back(message);
                return Err(error);
            }
        }
        match outbox.take_preview() {
            Some((lease, frame)) => sender.preview(lease, &frame).await,
            None => Ok(()),
        }
    }

    /// Does what a message says; answers whether the worker is not waiting for a job any more.
    fn heed(&mut self, message: ToWorker) -> bool {
        match message {
            ToWorker::Job(offer) => {
                self.begin(*offer);
                true
            }
            ToWorker::Cancel(lease) => {
                if let Some(run) = self.run.as_ref().filter(|run| run.lease == lease) {
                    tracing::info!(job.id = %lease.job, "asked to stop a job");
                    run.order(Orders::Stop);
                }
                false
            }
            ToWorker::Lost(lease) => {
                tracing::warn!(job.id = %lease.job, "a lease was lost; its work is thrown away");
                if let Some(run) = self.run.take_if(|run| run.lease == lease) {
                    self.leaving = Some(run.abandon());
                    self.surroundings.outbox.clear();
                }
                self.end.take_if(|(held, _)| *held == lease);
                false
            }
            ToWorker::Settled(lease) => {
                self.end.take_if(|(held, _)| *held == lease);
                false
            }
            ToWorker::Drain => {
                tracing::info!("draining: no further job is taken");
                self.draining = true;
                false
            }
            ToWorker::Welcome(_) => false,
        }
    }

    fn begin(&mut self, offer: Offer) {
        let lease = HeldLease { job: offer.job, token: offer.token };
        if self.leases().contains(&lease) {
            return;
        }
        tracing::info!(job.id = %offer.job, participant.id = %offer.participant, attempt = offer.attempt, "running a job");
        let before = self.leaving.take();
        self.run = Some(job::start(offer, self.surroundings.clone(), &self.tasks, before));
    }

    /// On the way out: stops what runs and gives it back unharmed.
    async fn give_back(&mut self, sender: &mut LinkSender) -> Result<(), ClientError> {
        if let Some(run) = self.run.take() {
            let lease = run.lease;
            drop(run.abandon());
            sender.say(&FromWorker::Released(lease)).await?;
        }
        self.report_end(sender).await
    }
}
