//! One worker's conversation: hello, claims, renewals, messages, ends. It decides nothing: every answer is a script's.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use queue_broker::BrokerError;
use queue_broker::signals::Signal;
use queue_broker::transitions::claim::{Claimed, Forgotten};
use queue_broker::transitions::finish::Settled;
use queue_broker::transitions::renew::Renewed;
use queue_protocol::link::{FromWorker, HeldLease, Hello, Offer, Renew, ToWorker, Welcome};
use queue_protocol::{JobId, NeedsId, WorkerName, frame, limits, timings};
use serde_json::value::RawValue;
use thiserror::Error;

use super::events::{self, Audience};
use crate::app::App;
use crate::hub::{Ear, Interest};

/// Why a conversation ended. The worker's leases run on, whatever it was.
#[derive(Debug, Error)]
enum Ended {
    #[error("the worker closed the link")]
    Closed,
    #[error("the link broke: {0}")]
    Broken(#[from] axum::Error),
    #[error("the worker said something we do not understand: {0}")]
    NotUnderstood(String),
    #[error("the queue-manager is stopping")]
    Stopping,
    #[error("the worker does not keep up, or its token was revoked")]
    TooSlow,
}

/// Serves one link until it closes.
pub(super) async fn serve(mut socket: WebSocket, app: App, worker: WorkerName) {
    let broker = app.broker.clone();
    let ended = match Session::begin(&mut socket, app, worker.clone()).await {
        Ok(mut session) => session.converse(&mut socket).await,
        Err(ended) => ended,
    };
    tracing::info!(worker.id = %worker, %ended, "a worker's link ended");
    let reason = ended.to_string();
    let code = if matches!(ended, Ended::NotUnderstood(_)) { close_code::POLICY } else { close_code::AWAY };
    let goodbye = CloseFrame { code, reason: reason.chars().take(100).collect::<String>().into() };
    // The other end may be gone already.
    let _ = socket.send(Message::Close(Some(goodbye))).await;
    if let Err(error) = broker.leave(&worker).await {
        tracing::warn!(worker.id = %worker, %error, "could not note that a worker left");
    }
}

struct Session {
    app: App,
    worker: WorkerName,
    hello: Hello,
    ear: Ear,
    ready: bool,
    held: HashMap<JobId, (HeldLease, Audience)>,
}

impl Session {
    async fn begin(socket: &mut WebSocket, app: App, worker: WorkerName) -> Result<Self, Ended> {
        let first = tokio::time::timeout(Duration::from_secs(10), socket.recv()).await;
        let Ok(Some(Ok(Message::Text(text)))) = first else {
            return Err(Ended::Closed);
        };
        let FromWorker::Hello(hello) = parse(&text)? else {
            return Err(Ended::NotUnderstood("the first message was no hello".to_owned()));
        };
        tracing::info!(worker.id = %worker, worker.gpu = hello.gpu, worker.comfyui = hello.comfyui_version, "a worker joined");
        // The ear first: a cancel that comes while we greet must not be missed.
        let ear = app.hub.listen(Interest::Worker(worker.clone()));
        let mut session = Self { app, worker, hello, ear, ready: false, held: HashMap::new() };
        session.greet(socket).await?;
        Ok(session)
    }

    /// Says in the store what this worker is, and answers what nobody has told about its kind.
    async fn describe(&self) {
        let fields = [
            ("version", self.hello.version.clone()),
            ("gpu", self.hello.gpu.clone()),
            ("vram_total", self.hello.vram_total.to_string()),
            ("comfyui_version", self.hello.comfyui_version.clone()),
            ("object_info", self.hello.object_info.to_string()),
        ];
        if let Some(asked) = self.note(self.app.broker.attend(&self.worker, &fields).await) {
            self.teach(&asked).await;
        }
    }

    /// Before its `object_info` has come, nothing: the claim will ask again.
    async fn teach(&self, asked: &[(NeedsId, String)]) {
        if let Err(error) = self.app.capabilities.teach(&self.hello.object_info, asked).await {
            tracing::warn!(worker.id = %self.worker, %error, "cannot tell what a worker can run");
        }
    }

    async fn greet(&mut self, socket: &mut WebSocket) -> Result<(), Ended> {
        self.describe().await;
        let known = self.app.capabilities.get(&self.hello.object_info).await;
        let welcome = Welcome {
            worker: self.worker.clone(),
            timings: self.app.config.timings(),
            send_object_info: !matches!(known, Ok(Some(_))),
        };
        say(socket, &ToWorker::Welcome(welcome)).await?;
        let leases = std::mem::take(&mut self.hello.leases);
        let listed: Vec<_> = leases.iter().map(|lease| lease.job).collect();
        for lease in leases {
            self.renew(socket, lease).await?;
        }
        // A job it holds and does not know of, because it restarted or our answer was lost: the same claim again, at
        // once, so that it can adopt what its ComfyUI still runs.
        let holding = self.note(self.app.broker.holding(&self.worker).await).flatten();
        if holding.is_some_and(|job| !listed.contains(&job)) {
            self.ready = true;
            self.claim(socket, Forgotten::Yes).await?;
        }
        Ok(())
    }

    async fn converse(&mut self, socket: &mut WebSocket) -> Ended {
        let mut ping = tokio::time::interval(timings::PING_EVERY);
        let mut sweep = tokio::time::interval(timings::IDLE_SWEEP_EVERY);
        let shutdown = self.app.shutdown.clone();
        loop {
            let step = tokio::select! {
                heard = socket.recv() => self.hear(socket, heard).await,
                signal = self.ear.next() => match signal {
                    Some(signal) => self.heed(socket, &signal).await,
                    None => Err(Ended::TooSlow),
                },
                _ = sweep.tick() => self.claim(socket, Forgotten::No).await,
                _ = ping.tick() => socket.send(Message::Ping(Vec::new().into())).await.map_err(Ended::from),
                () = shutdown.cancelled() => Err(Ended::Stopping),
            };
            if let Err(ended) = step {
                return ended;
            }
        }
    }

    /// The store is away: nothing is answered, the worker says it again, and what it holds goes on.
    fn note<T>(&self, result: Result<T, BrokerError>) -> Option<T> {
        result
            .inspect_err(|error| tracing::warn!(worker.id = %self.worker, %error, "the store did not take a worker's word"))
            .ok()
    }

    async fn hear(
        &mut self,
        socket: &mut WebSocket,
        heard: Option<Result<Message, axum::Error>>,
    ) -> Result<(), Ended> {
        match heard {
            Some(Ok(Message::Text(text))) => self.answer(socket, parse(&text)?).await,
            Some(Ok(Message::Binary(bytes))) => {
                let (job, token, preview) = frame::from_link(&bytes)
                    .ok_or(Ended::NotUnderstood("a short binary frame".to_owned()))?;
                let lease = HeldLease { job, token };
                if let Some(audience) = self.audience(lease) {
                    self.note(events::preview(&self.app.broker, &audience, lease, preview).await);
                }
                Ok(())
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(()),
            Some(Ok(Message::Close(_))) | None => Err(Ended::Closed),
            Some(Err(error)) => Err(error.into()),
        }
    }

    fn audience(&self, lease: HeldLease) -> Option<Audience> {
        self.held.get(&lease.job).filter(|(held, _)| *held == lease).map(|(_, audience)| audience.clone())
    }

    async fn answer(&mut self, socket: &mut WebSocket, message: FromWorker) -> Result<(), Ended> {
        match message {
            FromWorker::Hello(_) => Err(Ended::NotUnderstood("a second hello".to_owned())),
            FromWorker::Ready => {
                self.ready = true;
                self.claim(socket, Forgotten::No).await
            }
            FromWorker::Renew(renew) => self.renewed(socket, renew).await,
            FromWorker::Event(event) => {
                let lease = HeldLease { job: event.job, token: event.token };
                if let Some(audience) = self.audience(lease) {
                    self.note(events::text(&self.app.broker, &audience, &event).await);
                }
                Ok(())
            }
            FromWorker::Finished(end) => {
                let lease = HeldLease { job: end.job, token: end.token };
                let settled = self.app.broker.finish(&self.worker, lease, &end.result).await;
                self.settled(socket, lease, settled).await
            }
            FromWorker::Failed(end) => {
                let lease = HeldLease { job: end.job, token: end.token };
                let settled = self.app.broker.fail(&self.worker, lease, end.kind, &end.result).await;
                self.settled(socket, lease, settled).await
            }
            FromWorker::Released(lease) => {
                let settled = self.app.broker.release(&self.worker, lease).await;
                self.settled(socket, lease, settled).await
            }
        }
    }

    async fn renewed(&mut self, socket: &mut WebSocket, renew: Renew) -> Result<(), Ended> {
        let fields =
            [("vram_free", renew.vram_free.to_string()), ("comfyui_alive", renew.comfyui_alive.to_string())];
        self.note(self.app.broker.attend(&self.worker, &fields).await);
        for lease in renew.leases {
            self.renew(socket, lease).await?;
        }
        Ok(())
    }

    async fn renew(&mut self, socket: &mut WebSocket, lease: HeldLease) -> Result<(), Ended> {
        let renewed = self.app.broker.renew(&self.worker, lease, self.app.config.lease()).await;
        match self.note(renewed) {
            Some(Renewed::Lost) => {
                self.held.remove(&lease.job);
                say(socket, &ToWorker::Lost(lease)).await
            }
            Some(Renewed::Stopping) => {
                self.remember(lease).await;
                say(socket, &ToWorker::Cancel(lease)).await
            }
            Some(Renewed::Renewed) => {
                self.remember(lease).await;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// After a reconnect the audience of a job is read from the store once.
    async fn remember(&mut self, lease: HeldLease) {
        if self.audience(lease).is_some() {
            return;
        }
        if let Some(Some(job)) = self.note(self.app.broker.job(lease.job).await) {
            let audience = Audience { participant: job.participant, client: job.client };
            self.held.insert(lease.job, (lease, audience));
        }
    }

    async fn settled(
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
        match settled {
            Settled::Lost => say(socket, &ToWorker::Lost(lease)).await,
            Settled::Ended(_) | Settled::Again => say(socket, &ToWorker::Settled(lease)).await,
        }
    }

    async fn heed(&mut self, socket: &mut WebSocket, signal: &Arc<Signal>) -> Result<(), Ended> {
        match &**signal {
            Signal::Wake(_) | Signal::Listening => self.claim(socket, Forgotten::No).await,
            Signal::Cancel(_, lease) => say(socket, &ToWorker::Cancel(*lease)).await,
            Signal::Drain(_, true) => say(socket, &ToWorker::Drain).await,
            Signal::Drain(_, false) => {
                self.describe().await;
                self.claim(socket, Forgotten::No).await
            }
            _ => Ok(()),
        }
    }

    /// Claims for a worker that said it is ready, and sends what it got.
    async fn claim(&mut self, socket: &mut WebSocket, forgotten: Forgotten) -> Result<(), Ended> {
        if !self.ready {
            return Ok(());
        }
        let broker = &self.app.broker;
        let mut claimed = broker.claim(&self.worker, self.app.config.lease(), forgotten).await;
        if let Ok(Claimed::Ask(asked)) = &claimed {
            self.teach(asked).await;
            claimed = broker.claim(&self.worker, self.app.config.lease(), forgotten).await;
        }
        match self.note(claimed) {
            Some(Claimed::Lent(lent)) => {
                let lease = HeldLease { job: lent.job, token: lent.token };
                tracing::info!(job.id = %lent.job, participant.id = %lent.participant, worker.id = %self.worker,
                    lease.token = lent.token.0, attempt = lent.attempt, "lent a job");
                self.ready = false;
                self.remember(lease).await;
                let body = lent.body.filter(|bytes| bytes.len() <= limits::BODY_ON_LINK).and_then(as_raw);
                let offer = Offer {
                    job: lent.job,
                    token: lent.token,
                    participant: lent.participant,
                    attempt: lent.attempt,
                    body,
                    inputs: lent.inputs,
                };
                say(socket, &ToWorker::Job(Box::new(offer))).await
            }
            Some(Claimed::Draining) => say(socket, &ToWorker::Drain).await,
            // What could not be taught, because the worker is still sending its object_info, the next sweep asks again.
            Some(Claimed::Idle | Claimed::Ask(_)) | None => Ok(()),
        }
    }
}

fn as_raw(bytes: Vec<u8>) -> Option<Box<RawValue>> {
    String::from_utf8(bytes).ok().and_then(|text| RawValue::from_string(text).ok())
}

fn parse(text: &str) -> Result<FromWorker, Ended> {
    serde_json::from_str(text).map_err(|error| Ended::NotUnderstood(error.to_string()))
}

async fn say(socket: &mut WebSocket, message: &ToWorker) -> Result<(), Ended> {
    let text = serde_json::to_string(message).map_err(|error| Ended::NotUnderstood(error.to_string()))?;
    Ok(socket.send(Message::Text(text.into())).await?)
}
