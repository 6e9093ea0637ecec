//! The event feed: a numbered snapshot, then numbered changes; over a websocket (`/api/v1/feed`) and as server-sent
//! events (`/api/v1/events`) for curl and plain pages. A participant's feed is about their own jobs, the instructor's
//! about everyone's.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::Stream;
use queue_broker::Broker;
use queue_broker::signals::Signal;
use queue_protocol::api::Role;
use queue_protocol::feed::{FeedMessage, JobChange, Snapshot};
use queue_protocol::timings;
use tokio_util::sync::CancellationToken;

use super::view;
use crate::app::App;
use crate::capabilities::Capabilities;
use crate::connections::goodbye;
use crate::hub::{Ear, Interest};
use crate::identity::Caller;
use crate::identity::admission::Admission;
use crate::problem::Trouble;

/// Ended jobs in a snapshot, besides all that wait or run.
const LATEST: usize = 100;

struct Feed {
    broker: Broker,
    capabilities: Capabilities,
    caller: Caller,
    ear: Ear,
    admission: Admission,
    shutdown: CancellationToken,
}

/// What a feed waits for.
enum Heard {
    Said(Arc<Signal>),
    /// It is time to look whether the viewer may still listen.
    Check,
}

impl Feed {
    async fn open(app: App, caller: Caller) -> Result<Self, Trouble> {
        let interest = match caller.role {
            Role::Instructor => Interest::Room,
            Role::Participant => Interest::Participant(caller.name.clone()),
        };
        let (ear, admission) = Admission::open(app.identity, &app.hub, caller.clone(), interest).await?;
        let (broker, capabilities, shutdown) = (app.broker, app.capabilities, app.shutdown);
        Ok(Self { broker, capabilities, caller, ear, admission, shutdown })
    }

    /// The number is read before what it numbers, so a change in between comes once more and is never missed.
    async fn snapshot(&self) -> Result<FeedMessage, Trouble> {
        let whole_room = self.caller.role == Role::Instructor;
        let position = self.broker.feed_position((!whole_room).then_some(&self.caller.name)).await?;
        let stored = if whole_room {
            self.broker.jobs_of_the_room(LATEST).await?
        } else {
            self.broker.jobs_of(&self.caller.name, LATEST).await?
        };
        Ok(FeedMessage::Snapshot(Snapshot {
            epoch: position.epoch,
            n: position.n,
            jobs: view::listed(&self.broker, &self.capabilities, &self.caller, stored).await?,
            counts: self.broker.status().await?,
            simulated: self.broker.has_simulated_worker().await?,
        }))
    }

    fn change(&self, signal: &Signal) -> Option<FeedMessage> {
        let whole_room = self.caller.role == Role::Instructor;
        match signal {
            Signal::Change { change, room, .. } => {
                let n = if whole_room { *room } else { change.n };
                Some(FeedMessage::Job(JobChange { n, ..change.clone() }))
            }
            Signal::Message(said) => Some(FeedMessage::Message(said.clone())),
            Signal::Queue(change) if whole_room => Some(FeedMessage::Queue(change.clone())),
            _ => None,
        }
    }

    /// The next thing to do; `None` when the feed is over. Safe to drop while waiting.
    async fn hear(&mut self) -> Option<Heard> {
        tokio::select! {
            signal = self.ear.next() => signal.map(Heard::Said),
            () = self.admission.due() => Some(Heard::Check),
            () = self.shutdown.cancelled() => None,
        }
    }

    /// The next messages; empty when the feed is over and the caller should come back to a new snapshot.
    async fn next(&mut self) -> Vec<FeedMessage> {
        loop {
            let Some(heard) = self.hear().await else { return Vec::new() };
            match self.about(heard).await {
                Some(messages) if messages.is_empty() => {}
                other => return other.unwrap_or_default(),
            }
        }
    }

    /// The messages that a signal and all behind it make; `None` when the viewer may not listen any more, or a new
    /// snapshot is due and cannot be had. Must not be dropped midway: what was heard would be lost.
    async fn about(&mut self, heard: Heard) -> Option<Vec<FeedMessage>> {
        let Heard::Said(signal) = heard else {
            return self.admission.holds().await.then(Vec::new);
        };
        let mut messages = Vec::new();
        let (mut fresh, mut changed) = (false, false);
        let rest: Vec<_> = std::iter::from_fn(|| self.ear.ready()).collect();
        for signal in std::iter::once(signal).chain(rest) {
            fresh |= *signal == Signal::Listening;
            changed |= matches!(*signal, Signal::Queue(_));
            messages.extend(self.change(&signal));
        }
        if fresh && !self.admission.holds().await {
            return None;
        }
        if fresh {
            return self.snapshot().await.map(|snapshot| vec![snapshot]).ok();
        }
        if changed || !messages.is_empty() {
            messages.extend(self.broker.status().await.ok().map(FeedMessage::Counts));
        }
        Some(messages)
    }
}

/// `GET /api/v1/events`
pub(crate) async fn events(State(app): State<App>, caller: Caller) -> Result<impl IntoResponse, Trouble> {
    let feed = Feed::open(app, caller).await?;
    let snapshot = feed.snapshot().await?;
    let keep_alive = KeepAlive::new().interval(timings::PING_EVERY);
    let headers = [("cache-control", "no-store"), ("x-accel-buffering", "no")];
    Ok((headers, Sse::new(event_stream(feed, snapshot)).keep_alive(keep_alive)))
}

fn event_stream(feed: Feed, snapshot: FeedMessage) -> impl Stream<Item = Result<Event, Infallible>> {
    use futures_util::StreamExt;
    let first = futures_util::stream::iter([snapshot]);
    let rest = futures_util::stream::unfold(feed, async |mut feed| {
        let messages = feed.next().await;
        if messages.is_empty() { None } else { Some((futures_util::stream::iter(messages), feed)) }
    });
    first.chain(rest.flatten()).filter_map(async |message| as_event(&message).map(Ok))
}

fn as_event(message: &FeedMessage) -> Option<Event> {
    let (name, id) = match message {
        FeedMessage::Snapshot(snapshot) => ("snapshot", Some(snapshot.n)),
        FeedMessage::Job(change) => ("job", Some(change.n)),
        FeedMessage::Queue(change) => ("queue", Some(change.n)),
        FeedMessage::Message(_) => ("message", None),
        FeedMessage::Counts(_) => ("counts", None),
    };
    let event = Event::default().event(name).json_data(message).ok()?;
    Some(match id {
        Some(n) => event.id(n.to_string()),
        None => event,
    })
}

/// `GET /api/v1/feed`
pub(crate) async fn socket(
    State(app): State<App>,
    caller: Caller,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Trouble> {
    let feed = Feed::open(app, caller).await?;
    Ok(upgrade
        .max_message_size(64 * 1024)
        .max_frame_size(64 * 1024)
        .on_upgrade(move |socket| serve(socket, feed)))
}

async fn serve(mut socket: WebSocket, mut feed: Feed) {
    let mut ping = tokio::time::interval(timings::PING_EVERY);
    let mut messages = feed.snapshot().await.map(|snapshot| vec![snapshot]).unwrap_or_default();
    loop {
        for message in &messages {
            let Ok(text) = serde_json::to_string(message) else {
                return;
            };
            if socket.send(Message::Text(text.into())).await.is_err() {
                return;
            }
        }
        messages = tokio::select! {
            heard = feed.hear() => match heard {
                Some(heard) => match feed.about(heard).await {
                    Some(messages) => messages,
                    None => break,
                },
                None => break,
            },
            heard = socket.recv() => match heard {
                // A feed is for listening: what a viewer says is a mistake, and told so.
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => Vec::new(),
                Some(Ok(Message::Text(_) | Message::Binary(_))) => break,
                _ => return,
            },
            _ = ping.tick() => {
                if socket.send(Message::Ping(Vec::new().into())).await.is_err() { return }
                Vec::new()
            }
        };
    }
    goodbye(socket, "come back for a new snapshot").await;
}
