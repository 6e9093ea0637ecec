//! What a worker is lent: claims, hints about the next one, renewals, ends, and who hears of each job.

use std::collections::{BTreeMap, HashSet};

use axum::extract::ws::WebSocket;
use queue_broker::BrokerError;
use queue_broker::transitions::claim::{Claimed, Forgotten, Lent};
use queue_broker::transitions::finish::Settled;
use queue_broker::transitions::renew::Renewed;
use queue_protocol::link::{BoundInput, Event, HeldLease, HintedInput, Next, Offer, ToWorker};
use queue_protocol::{JobId, Secret, limits, timings};
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::events::{self, Audience};
use super::progress::Progress;
use super::session::{Ended, Session, say, teach};

/// A job that was lent over this link.
pub(super) struct Held {
    lease: HeldLease,
    audience: Audience,
    previewed: Option<Instant>,
    progress: Progress,
}

impl Session {
    /// Claims for a worker that said it is ready, and sends what it got.
    pub(super) async fn claim(&mut self, socket: &mut WebSocket, forgotten: Forgotten) -> Result<(), Ended> {
        if !self.ready {
            return Ok(());
        }
        let (broker, lease) = (&self.app.broker, self.app.config.lease());
        let mut claimed = broker.claim(&self.worker, lease, forgotten).await;
        if let Ok(Claimed::Ask(asked)) = &claimed {
            teach(&self.app, &self.hello, asked).await;
            claimed = broker.claim(&self.worker, lease, forgotten).await;
        }
        match self.note(claimed) {
            Some(Claimed::Lent(lent)) => {
                let lease = HeldLease { job: lent.job, token: lent.token };
                tracing::info!(job.id = %lent.job, participant.id = %lent.participant, worker.id = %self.worker,
                    lease.token = lent.token.0, attempt = lent.attempt, "lent a job");
                self.ready = false;
                self.forget_hint();
                if lent.attempt == 1 {
                    self.app.metrics.lent_after(lent.waited);
                }
                // The claim's own answer says who is to hear of it: nothing more is read before the job goes out.
                let audience =
                    Audience { participant: lent.participant.clone(), client: lent.client.clone() };
                let progress = Progress::of(lent.body.as_deref());
                self.held.insert(lent.job, Held { lease, audience, previewed: None, progress });
                let keys = self.keys(&lent);
                let body = lent.body.filter(|bytes| bytes.len() <= limits::BODY_ON_LINK).and_then(as_raw);
                let offer = Offer {
                    job: lent.job,
                    token: lent.token,
                    participant: lent.participant,
                    attempt: lent.attempt,
                    body,
                    inputs: lent.inputs,
                    keys,
                    said: lent.said,
                };
                say(socket, &ToWorker::Job(Box::new(offer))).await?;
                self.hint(socket).await
            }
            Some(Claimed::Draining) => self.drain(socket).await,
            // What could not be taught, because the worker is still sending its object_info, the next sweep asks again.
            Some(Claimed::Idle | Claimed::Ask(_)) | None => Ok(()),
        }
    }

    /// The keys of paid nodes that came with a job. Sealed with a key that is gone, they are gone as well.
    fn keys(&self, lent: &Lent) -> BTreeMap<String, Secret> {
        let Some(sealed) = &lent.sealed else { return BTreeMap::new() };
        let opened = self.app.sealer.open_for(lent.job, &lent.participant, sealed);
        let keys = opened.and_then(|json| serde_json::from_slice(&json).ok());
        if keys.is_none() {
            tracing::warn!(job.id = %lent.job, "the keys that came with a job cannot be opened any more");
        }
        keys.unwrap_or_default()
    }

    /// Tells a worker that runs a job what probably comes next, when that changed.
    pub(super) async fn hint(&mut self, socket: &mut WebSocket) -> Result<(), Ended> {
        if self.held.is_empty() || self.draining || self.unready {
            return Ok(());
        }
        let next = self.probable_next().await;
        let job = next.as_ref().map(|(job, _)| *job);
        if job == self.hinted {
            return Ok(());
        }
        self.hinted = job;
        self.place.hint(job);
        let Some((job, inputs)) = next else {
            return Ok(());
        };
        let mut seen = HashSet::new();
        let inputs = inputs.into_iter().filter(|input| seen.insert(input.sha256.clone()));
        let inputs = inputs.map(|input| HintedInput { sha256: input.sha256, size: input.size }).collect();
        say(socket, &ToWorker::Next(Next { job, inputs })).await
    }

    async fn probable_next(&self) -> Option<(JobId, Vec<BoundInput>)> {
        self.note(self.app.broker.peek(&self.worker).await).flatten()
    }

    pub(super) fn forget_hint(&mut self) {
        self.hinted = None;
        self.place.hint(None);
    }

    pub(super) async fn renew(&mut self, socket: &mut WebSocket, lease: HeldLease) -> Result<(), Ended> {
        let renewed = self.app.broker.renew(&self.worker, lease, self.app.config.lease()).await;
        if matches!(renewed, Err(BrokerError::Unavailable(_))) && self.audience(lease).is_none() {
            // Nobody knows who is to hear of it, and what the worker says of it would be lost.
            return Err(Ended::StoreAway);
        }
        match self.note(renewed) {
            Some(Renewed::Lost) => {
                self.app.metrics.refused("lost");
                self.held.remove(&lease.job);
                say(socket, &ToWorker::Lost(lease)).await
            }
            Some(Renewed::Stopping) => {
                self.remember(lease).await?;
                say(socket, &ToWorker::Cancel(lease)).await
            }
            Some(Renewed::Renewed) => self.remember(lease).await,
            None => Ok(()),
        }
    }

    /// After a reconnect the audience of a job is read from the store once.
    async fn remember(&mut self, lease: HeldLease) -> Result<(), Ended> {
        if self.audience(lease).is_some() {
            return Ok(());
        }
        let stored = self.app.broker.job(lease.job).await;
        if matches!(stored, Err(BrokerError::Unavailable(_))) {
            return Err(Ended::StoreAway);
        }
        if let Some(job) = self.note(stored).flatten() {
            let audience = Audience { participant: job.participant, client: job.client };
            let body = self.note(self.app.broker.body(lease.job).await).flatten();
            let progress = Progress::of(body.as_deref());
            self.held.insert(lease.job, Held { lease, audience, previewed: None, progress });
        }
        Ok(())
    }

    /// Passes on what ComfyUI says of a job. When the store may not have a message that is kept, nothing that follows is heard
    /// on this link, or the worker would take it for said; on the next one it says it again.
    pub(super) async fn tell(&mut self, event: &Event) -> Result<(), Ended> {
        let lease = HeldLease { job: event.job, token: event.token };
        let Some(audience) = self.audience(lease) else { return Ok(()) };
        let published = events::text(&self.app.broker, &audience, event).await;
        if matches!(published, Err(BrokerError::Unavailable(_))) && events::is_kept(event) {
            return Err(Ended::StoreAway);
        }
        self.note(published);
        self.watch(lease, event.frame.get()).await;
        Ok(())
    }

    /// Notes how far a job is, for those who watch the room.
    async fn watch(&mut self, lease: HeldLease, frame: &str) {
        let step = self.held.get_mut(&lease.job).and_then(|held| held.progress.read(frame));
        if let Some(step) = step {
            self.note(self.app.broker.progress(&self.worker, lease, &step).await);
        }
    }

    pub(super) fn audience(&self, lease: HeldLease) -> Option<Audience> {
        self.held.get(&lease.job).filter(|held| held.lease == lease).map(|held| held.audience.clone())
    }

    /// The same for a preview, unless the worker sends more of them than it should: they would crowd out what matters
    /// for everyone. A line that is not quite even may bring two a little closer together.
    pub(super) fn preview_audience(&mut self, lease: HeldLease) -> Option<Audience> {
        let held = self.held.get_mut(&lease.job).filter(|held| held.lease == lease)?;
        if held.previewed.is_some_and(|at| at.elapsed() < timings::PREVIEW_EVERY * 4 / 5) {
            return None;
        }
        held.previewed = Some(Instant::now());
        Some(held.audience.clone())
    }

    pub(super) async fn settled(
        &mut self,
        socket: &mut WebSocket,
        lease: HeldLease,
        settled: Result<Settled, BrokerError>,
    ) -> Result<(), Ended> {
        let Some(settled) = self.note(settled) else {
            return Ok(());
        };
        self.held.remove(&lease.job);
        tracing::info!(job.id = %lease.job, worker.id = %self.worker, outcome = ?settled, "a worker reported an end");
        self.app.metrics.reported(match settled {
            Settled::Ended(state) => state.word(),
            Settled::Again => "again",
            Settled::Lost => "lost",
        });
        match settled {
            Settled::Lost => {
                self.app.metrics.refused("lost");
                say(socket, &ToWorker::Lost(lease)).await
            }
            Settled::Ended(_) | Settled::Again => say(socket, &ToWorker::Settled(lease)).await,
        }
    }
}

fn as_raw(bytes: Vec<u8>) -> Option<Box<RawValue>> {
    String::from_utf8(bytes).ok().and_then(|text| RawValue::from_string(text).ok())
}
