//! One worker's conversation: hello, claims, renewals, messages, ends. It decides nothing: every answer is a script's.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use queue_broker::BrokerError;
use queue_broker::sessions::SecretHash;
use queue_broker::signals::Signal;
use queue_broker::transitions::attend::{Arrival, Attended};
use queue_broker::transitions::claim::Forgotten;
use queue_protocol::link::{FromWorker, HeldLease, Hello, Part, Renew, ToWorker, Unready, Welcome};
use queue_protocol::{JobId, LinkId, NeedsId, WorkerName, frame, timings};
use thiserror::Error;
use tokio::time::Instant;

use super::events;
use super::lending::Held;
use super::places::Place;
use crate::app::App;
use crate::hub::{Ear, Interest};

/// Why a conversation ended. The worker's leases run on, whatever it was.
#[derive(Debug, Error)]
pub(super) enum Ended {
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
    #[error("the worker's token was revoked")]
    Revoked,
    #[error("nothing was heard for too long")]
    Silent,
    #[error("the queue store does not answer; say again what it may not have")]
    StoreAway,
    #[error("another link with this worker's token is open")]
    Replaced,
}

/// Serves one link until it closes.
pub(super) async fn serve(mut socket: WebSocket, app: App, worker: WorkerName, token: SecretHash) {
    let (broker, link) = (app.broker.clone(), LinkId::random());
    let ended = match Session::begin(&mut socket, app, worker.clone(), link, token).await {
        Ok(mut session) => match session.greet(&mut socket).await {
            Ok(()) => session.converse(&mut socket).await,
            Err(ended) => ended,
        },
        Err(ended) => ended,
    };
    tracing::info!(worker.id = %worker, %ended, "a worker's link ended");
    if matches!(ended, Ended::Replaced) {
        // The other end may be gone already, here and below.
        drop(say(&mut socket, &ToWorker::Replaced).await);
    }
    let reason = ended.to_string();
    let code = if matches!(ended, Ended::NotUnderstood(_)) { close_code::POLICY } else { close_code::AWAY };
    let goodbye = CloseFrame { code, reason: reason.chars().take(100).collect::<String>().into() };
    let _ = socket.send(Message::Close(Some(goodbye))).await;
    if let Err(error) = broker.leave(&worker, link).await {
        tracing::warn!(worker.id = %worker, %error, "could not note that a worker left");
    }
}

pub(super) struct Session {
    pub(super) app: App,
    pub(super) worker: WorkerName,
    /// By what it was let in; looked at again while the link is open.
    token: SecretHash,
    checked_at: Instant,
    pub(super) hello: Hello,
    pub(super) place: Place,
    ear: Ear,
    arrival: Arrival,
    heard_at: Instant,
    /// It said so, and was lent nothing since.
    pub(super) ready: bool,
    /// It said that it takes nothing.
    pub(super) unready: bool,
    /// It was told to take nothing.
    pub(super) draining: bool,
    pub(super) held: HashMap<JobId, Held>,
    pub(super) hinted: Option<JobId>,
}

impl Session {
    async fn begin(
        socket: &mut WebSocket,
        app: App,
        worker: WorkerName,
        link: LinkId,
        token: SecretHash,
    ) -> Result<Self, Ended> {
        let first = tokio::time::timeout(Duration::from_secs(10), socket.recv()).await;
        let Ok(Some(Ok(Message::Text(text)))) = first else {
            return Err(Ended::Closed);
        };
        let FromWorker::Hello(hello) = parse(&text)? else {
            return Err(Ended::NotUnderstood("the first message was no hello".to_owned()));
        };
        // The ear first: a cancel that comes while we greet must not be missed, nor the end of the token, which may also
        // have come while we waited for the hello.
        let ear = app.hub.listen(Interest::Worker(worker.clone()));
        if !opens(&app, &worker, &token).await {
            return Err(Ended::Revoked);
        }
        let arrival = if hello.yielding { Arrival::Yield } else { Arrival::Open };
        let attended = app.broker.attend(&worker, link, arrival, &description(&hello)).await;
        match &attended {
            Ok(Attended::Replaced) => return Err(Ended::Replaced),
            Ok(Attended::Attending(asked)) => teach(&app, &hello, asked).await,
            Ok(Attended::Draining) | Err(_) => {}
        }
        tracing::info!(worker.id = %worker, worker.gpu = hello.gpu, worker.comfyui = hello.comfyui_version, "a worker joined");
        Ok(Self {
            ear,
            place: app.places.take(&worker, link),
            // Until the store has noted this link, it may still name an older one.
            arrival: if attended.is_ok() { Arrival::Stay } else { arrival },
            app,
            worker,
            token,
            checked_at: Instant::now(),
            hello,
            heard_at: Instant::now(),
            ready: false,
            unready: false,
            draining: false,
            held: HashMap::new(),
            hinted: None,
        })
    }

    async fn greet(&mut self, socket: &mut WebSocket) -> Result<(), Ended> {
        let known = self.app.capabilities.get(&self.hello.object_info).await;
        let welcome = Welcome {
            worker: self.worker.clone(),
            timings: self.app.config.timings(),
            send_object_info: !matches!(known, Ok(Some(_))),
            send_parts: self.missing_parts(),
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
            self.ready = false;
        }
        Ok(())
    }

    fn missing_parts(&self) -> Vec<Part> {
        let announced = self.hello.parts.iter();
        let missing = announced.filter(|(part, hash)| !matches!(self.app.parts.has(**part, hash), Ok(true)));
        missing.map(|(part, _)| *part).collect()
    }

    async fn converse(&mut self, socket: &mut WebSocket) -> Ended {
        let mut ping = tokio::time::interval(timings::LINK_PING_EVERY);
        let mut sweep = tokio::time::interval(timings::IDLE_SWEEP_EVERY);
        let shutdown = self.app.shutdown.clone();
        loop {
            let silence = self.heard_at + self.patience();
            let step = tokio::select! {
                // What is rare first: a flood of messages must hide neither a cancel nor a ping, and silence is what is
                // left when there is nothing to hear.
                biased;
                () = shutdown.cancelled() => Err(Ended::Stopping),
                () = self.place.replaced() => Err(Ended::Replaced),
                signal = self.ear.next() => match signal {
                    Some(signal) => self.heed(socket, &signal).await,
                    None => Err(Ended::TooSlow),
                },
                _ = ping.tick() => socket.send(Message::Ping(Vec::new().into())).await.map_err(Ended::from),
                _ = sweep.tick() => self.sweep(socket).await,
                heard = socket.recv() => {
                    self.heard_at = Instant::now();
                    self.hear(socket, heard).await
                }
                () = tokio::time::sleep_until(silence) => Err(Ended::Silent),
            };
            if let Err(ended) = step {
                return ended;
            }
        }
    }

    /// How long a worker may be unheard: what it sends while it runs a job may be large, and its line slow.
    fn patience(&self) -> Duration {
        if self.held.is_empty() {
            timings::LINK_SILENCE
        } else {
            timings::LINK_SILENCE.max(self.app.config.lease())
        }
    }

    /// A wake-up or a change may have been missed.
    async fn sweep(&mut self, socket: &mut WebSocket) -> Result<(), Ended> {
        if self.checked_at.elapsed() >= timings::SOCKET_CHECK_EVERY {
            self.check_token().await?;
        }
        self.claim(socket, Forgotten::No).await?;
        self.hint(socket).await
    }

    /// Its end may have been announced while nobody listened.
    async fn check_token(&mut self) -> Result<(), Ended> {
        self.checked_at = Instant::now();
        if opens(&self.app, &self.worker, &self.token).await { Ok(()) } else { Err(Ended::Revoked) }
    }

    /// The store is away: nothing is answered, the worker says it again, and what it holds goes on.
    pub(super) fn note<T>(&self, result: Result<T, BrokerError>) -> Option<T> {
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
                if let Some(audience) = self.preview_audience(lease) {
                    self.note(events::preview(&self.app.broker, &audience, lease, preview).await);
                }
                Ok(())
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(()),
            Some(Ok(Message::Close(_))) | None => Err(Ended::Closed),
            Some(Err(error)) => Err(error.into()),
        }
    }

    async fn answer(&mut self, socket: &mut WebSocket, message: FromWorker) -> Result<(), Ended> {
        match message {
            FromWorker::Hello(_) => Err(Ended::NotUnderstood("a second hello".to_owned())),
            FromWorker::Ready => {
                self.ready = true;
                if std::mem::take(&mut self.unready) {
                    self.attend(socket, &[("unready", String::new())]).await?;
                }
                self.claim(socket, Forgotten::No).await
            }
            FromWorker::Unready(why) => self.takes_nothing(socket, why).await,
            FromWorker::Renew(renew) => self.renewed(socket, renew).await,
            FromWorker::Event(event) => self.tell(&event).await,
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

    async fn takes_nothing(&mut self, socket: &mut WebSocket, why: Unready) -> Result<(), Ended> {
        tracing::info!(worker.id = %self.worker, why = why.word(), "a worker takes no job for now");
        (self.ready, self.unready) = (false, true);
        self.forget_hint();
        self.attend(socket, &[("unready", why.word().to_owned())]).await
    }

    async fn renewed(&mut self, socket: &mut WebSocket, renew: Renew) -> Result<(), Ended> {
        let fields =
            [("vram_free", renew.vram_free.to_string()), ("comfyui_alive", renew.comfyui_alive.to_string())];
        self.attend(socket, &fields).await?;
        for lease in renew.leases {
            self.renew(socket, lease).await?;
        }
        Ok(())
    }

    /// A sign of life; what the store knows better than we do comes back with it.
    async fn attend(&mut self, socket: &mut WebSocket, fields: &[(&str, String)]) -> Result<(), Ended> {
        let mut fields = fields.to_vec();
        if self.arrival != Arrival::Stay {
            // The store was away when the link began, and does not know yet what is at the other end.
            fields.splice(0..0, description(&self.hello));
        }
        let attended = self.app.broker.attend(&self.worker, self.place.link, self.arrival, &fields).await;
        let Some(attended) = self.note(attended) else {
            return Ok(());
        };
        self.arrival = Arrival::Stay;
        match attended {
            Attended::Replaced => Err(Ended::Replaced),
            Attended::Draining => self.drain(socket).await,
            Attended::Attending(asked) => {
                teach(&self.app, &self.hello, &asked).await;
                self.resume(socket).await
            }
        }
    }

    async fn heed(&mut self, socket: &mut WebSocket, signal: &Arc<Signal>) -> Result<(), Ended> {
        match &**signal {
            Signal::Wake(_) => self.claim(socket, Forgotten::No).await,
            Signal::Listening => {
                self.check_token().await?;
                self.claim(socket, Forgotten::No).await
            }
            Signal::Cancel(_, lease) => say(socket, &ToWorker::Cancel(*lease)).await,
            Signal::Drain(_, true) => self.drain(socket).await,
            // In the store it counts again once it says what it is.
            Signal::Drain(_, false) => self.attend(socket, &description(&self.hello)).await,
            _ => Ok(()),
        }
    }

    pub(super) async fn drain(&mut self, socket: &mut WebSocket) -> Result<(), Ended> {
        self.ready = false;
        self.forget_hint();
        if std::mem::replace(&mut self.draining, true) {
            return Ok(());
        }
        say(socket, &ToWorker::Drain).await
    }

    async fn resume(&mut self, socket: &mut WebSocket) -> Result<(), Ended> {
        if std::mem::take(&mut self.draining) { say(socket, &ToWorker::Resume).await } else { Ok(()) }
    }
}

/// Whether a token is this worker's now. While the store does not answer, nobody is sent away: it lends nothing either.
async fn opens(app: &App, worker: &WorkerName, token: &SecretHash) -> bool {
    app.broker.worker_of_token(token).await.map_or(true, |known| known.as_ref() == Some(worker))
}

fn description(hello: &Hello) -> [(&'static str, String); 8] {
    let part =
        |part: Part| (part.word(), hello.parts.get(&part).map(ToString::to_string).unwrap_or_default());
    [
        part(Part::BrowserFiles),
        part(Part::Lists),
        ("version", hello.version.clone()),
        ("gpu", hello.gpu.clone()),
        ("vram_total", hello.vram_total.to_string()),
        ("comfyui_version", hello.comfyui_version.clone()),
        ("object_info", hello.object_info.to_string()),
        ("unready", String::new()),
    ]
}

/// Answers what the store asks about a kind of worker. Before its `object_info` has come, nothing: the claim asks again.
pub(super) async fn teach(app: &App, hello: &Hello, asked: &[(NeedsId, String)]) {
    if let Err(error) = app.capabilities.teach(&hello.object_info, asked).await {
        tracing::warn!(%error, "cannot tell what a worker can run");
    }
}

fn parse(text: &str) -> Result<FromWorker, Ended> {
    serde_json::from_str(text).map_err(|error| Ended::NotUnderstood(error.to_string()))
}

pub(super) async fn say(socket: &mut WebSocket, message: &ToWorker) -> Result<(), Ended> {
    let text = serde_json::to_string(message).map_err(|error| Ended::NotUnderstood(error.to_string()))?;
    Ok(socket.send(Message::Text(text.into())).await?)
}
