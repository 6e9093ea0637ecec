//! One connection of the link: what is heard and done, beside what is sent. Neither waits for the other, so that a slow
//! line holds up no cancel and a busy worker no renewal.

use std::convert::Infallible;
use std::time::Duration;

use queue_client::ClientError;
use queue_client::link::{Heard, LinkSender};
use queue_client::transfer::Transfer;
use queue_protocol::link::{FromWorker, HeldLease, Offer, Part, Renew, ToWorker, Unready};
use tokio::time::{Instant, Interval, MissedTickBehavior};

use super::{Link, Opened, Over};
use crate::comfyui::description::Description;
use crate::departure::Departure;
use crate::job::{self, End, Orders, Run, Surroundings};
use crate::outbox::{Due, Outbox};
use crate::prefetch;
use crate::well;

/// How often an idle worker looks whether its ComfyUI is fit for a job.
const FITNESS_EVERY: Duration = Duration::from_millis(500);
/// A ComfyUI that takes longer than this to say what it does is not fit for one.
const FITNESS_ANSWER: Duration = Duration::from_secs(2);

/// What the queue-manager was last told about taking jobs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    Nothing,
    Ready,
    Unready(Unready),
}

impl Link {
    /// Talks until the connection ends.
    pub(super) async fn converse(
        &mut self,
        opened: Opened,
        departure: &mut Departure,
    ) -> Result<Over, ClientError> {
        let Opened { mut sender, mut receiver, surroundings, renew_every, mut unknown, parts } = opened;
        let outbox = std::sync::Arc::clone(&self.outbox);
        let mut renew = tokio::time::interval(renew_every);
        let mut fitness = tokio::time::interval(FITNESS_EVERY);
        fitness.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut told = Told::Nothing;
        if departure.has_begun() {
            outbox.say(FromWorker::Unready(Unready::Leaving));
        }
        let mut sending = std::pin::pin!(send_all(&outbox, &mut sender));
        // Beside the rest: on a slow line it takes longer than a lease.
        let (hash, json) = (self.description.object_info_hash.clone(), self.description.object_info.clone());
        let mut describing = std::pin::pin!(surroundings.transfer.put_object_info(&hash, json));
        let description = self.description.clone();
        let mut adding = std::pin::pin!(send_parts(&surroundings.transfer, &description, parts));
        let mut adds = true;
        loop {
            // Once the queue-manager has heard that we leave, no job is on its way to us.
            if self.may_go(departure) && outbox.has_arrived() {
                return Ok(Over::Done);
            }
            tokio::select! {
                // Renewals first: nothing may delay them.
                biased;
                _ = renew.tick() => self.renew(),
                step = departure.step() => if self.depart(step) { return Ok(Over::Done) },
                heard = receiver.hear() => match heard? {
                    Some(Heard::Message(ToWorker::Replaced)) => {
                        self.let_go();
                        return Ok(Over::Replaced);
                    }
                    Some(Heard::Message(message)) => {
                        self.heed(message, &surroundings, &mut told, &mut fitness, departure);
                    }
                    Some(Heard::Arrived(number)) => {
                        outbox.arrived(number, Instant::now());
                        if self.machine.pulse.alive() {
                            well::say(&self.machine.cache);
                        }
                    }
                    None => return Ok(Over::Again),
                },
                broken = &mut sending => match broken? {},
                described = &mut describing, if unknown => {
                    described?;
                    unknown = false;
                }
                () = &mut adding, if adds && !unknown => adds = false,
                (lease, end) = Run::ended(&mut self.run) => {
                    self.end = Some((lease, end));
                    self.report_end();
                }
                _ = fitness.tick(), if self.is_free() && !unknown && !departure.has_begun() => {
                    if self.machine.pulse.returns() != self.described {
                        tracing::info!("ComfyUI came back; telling the queue-manager what it is now");
                        return Ok(Over::Again);
                    }
                    self.look_at_comfyui(&mut told).await;
                }
            }
        }
    }

    fn is_free(&self) -> bool {
        self.run.is_none() && self.end.is_none() && !self.draining
    }

    fn renew(&self) {
        self.outbox.say(FromWorker::Renew(Renew {
            leases: self.leases(),
            comfyui_alive: self.machine.pulse.alive(),
            vram_free: self.machine.pulse.vram_free(),
        }));
        // An end nobody confirmed is said again: saying it twice is one end.
        self.report_end();
    }

    /// Says ready when ComfyUI is, and that it is not when it is not. A ComfyUI that is away, or still at something it
    /// was told to stop, gets no job.
    async fn look_at_comfyui(&self, told: &mut Told) {
        let pulse = &self.machine.pulse;
        let news = if *told == Told::Ready && pulse.alive() {
            Told::Ready
        } else {
            let idle = tokio::time::timeout(FITNESS_ANSWER, self.machine.comfyui.is_idle()).await;
            match idle {
                Ok(Ok(true)) => {
                    pulse.set_stuck(false);
                    Told::Ready
                }
                _ if pulse.stuck() => Told::Unready(Unready::ComfyuiStuck),
                Ok(Ok(false)) => *told,
                _ => Told::Unready(Unready::ComfyuiAway),
            }
        };
        if news == std::mem::replace(told, news) {
            return;
        }
        match news {
            Told::Ready => self.outbox.say(FromWorker::Ready),
            Told::Unready(why) => {
                tracing::warn!(why = why.word(), "this worker takes no job for now");
                self.outbox.say(FromWorker::Unready(why));
            }
            Told::Nothing => {}
        }
    }

    fn heed(
        &mut self,
        message: ToWorker,
        surroundings: &Surroundings,
        told: &mut Told,
        fitness: &mut Interval,
        departure: &Departure,
    ) {
        match message {
            ToWorker::Job(offer) => {
                self.hint = None;
                // It crossed our word that we take none: it goes back as it came.
                if departure.has_begun() || self.draining || matches!(told, Told::Unready(_)) {
                    if self.leases().is_empty() {
                        let lease = HeldLease { job: offer.job, token: offer.token };
                        self.end = Some((lease, End::Released));
                        self.report_end();
                    }
                } else {
                    *told = Told::Nothing;
                    self.begin(*offer, surroundings.clone());
                    // From now on we have it, whatever becomes of us.
                    self.renew();
                }
            }
            ToWorker::Next(next) => {
                let (transfer, cache) = (surroundings.transfer.clone(), surroundings.cache.clone());
                self.hint = Some(prefetch::start(next, transfer, cache, &self.tasks));
            }
            ToWorker::Cancel(lease) => {
                if let Some(run) = self.run.as_ref().filter(|run| run.lease == lease) {
                    tracing::info!(job.id = %lease.job, "asked to stop a job");
                    run.order(Orders::Stop);
                }
            }
            ToWorker::Lost(lease) => {
                tracing::warn!(job.id = %lease.job, "a lease was lost; its work is thrown away");
                if let Some(run) = self.run.take_if(|run| run.lease == lease) {
                    self.before = Some(run.abandon());
                    self.outbox.clear();
                }
                self.end.take_if(|(held, _)| *held == lease);
            }
            ToWorker::Settled(lease) => {
                self.end.take_if(|(held, _)| *held == lease);
                // The next job may wait already.
                fitness.reset_immediately();
            }
            ToWorker::Drain => {
                tracing::info!("draining: no further job is taken");
                (self.draining, self.hint, *told) = (true, None, Told::Nothing);
            }
            ToWorker::Resume => {
                tracing::info!("jobs are taken again");
                (self.draining, *told) = (false, Told::Nothing);
                fitness.reset_immediately();
            }
            // The first is over, the second is heard by whoever can end the conversation.
            ToWorker::Welcome(_) | ToWorker::Replaced => {}
        }
    }

    fn begin(&mut self, offer: Offer, surroundings: Surroundings) {
        let lease = HeldLease { job: offer.job, token: offer.token };
        if self.leases().contains(&lease) {
            return;
        }
        tracing::info!(job.id = %offer.job, participant.id = %offer.participant, attempt = offer.attempt, "running a job");
        let before = self.before.take();
        self.outbox.number_from(offer.said);
        self.run = Some(job::start(offer, surroundings, &self.tasks, before));
    }

    /// Another process of this worker has what we held. It may have adopted the prompt of our ComfyUI, so that goes on.
    fn let_go(&mut self) {
        if !self.yielding {
            tracing::error!(
                "another process opened a link with this worker's token and has taken its place. Every worker needs a \
                 token of its own: `queue-manager token issue NAME`. This one waits until the other is gone."
            );
        }
        self.yielding = true;
        self.before = self.run.take().map(Run::let_go).or(self.before.take());
        (self.end, self.hint) = (None, None);
        self.outbox.clear();
    }
}

/// Sends what a tab may ask for beside nodes and models. Jobs do not wait for it, and run without it.
async fn send_parts(transfer: &Transfer, description: &Description, parts: Vec<Part>) {
    for (part, described) in parts.into_iter().filter_map(|part| Some((part, description.parts.get(&part)?)))
    {
        if let Err(error) = transfer.put_part(part, &described.hash, described.json.clone()).await {
            tracing::warn!(part = part.word(), %error, "the queue-manager did not take what tabs may ask for");
        }
    }
}

/// Sends what the outbox holds, most urgent first, until the link breaks.
async fn send_all(outbox: &Outbox, sender: &mut LinkSender) -> Result<Infallible, ClientError> {
    loop {
        let now = Instant::now();
        match outbox.due(now) {
            Due::Say(message) => outbox.sent(sender.say(&message).await?),
            Due::Event(event) => outbox.sent(sender.say(&FromWorker::Event(event)).await?),
            Due::Preview(lease, frame) => {
                outbox.sent_preview(sender.preview(lease, &frame).await?, now);
            }
            Due::Ask(number) => sender.ask(number).await?,
            Due::Nothing(None) => outbox.changed().await,
            Due::Nothing(Some(due)) => tokio::select! {
                () = outbox.changed() => {}
                () = tokio::time::sleep_until(due) => {}
            },
        }
    }
}
