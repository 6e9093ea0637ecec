//! The live feed of the overview: what is new since the version that the page has, at most four times a second. Every
//! update names the version it builds on; a page that has another one opens the feed again and is sent everything.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::DeflateEncoder;
use queue_client::ClientError;
use queue_client::api::Feed;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::look::Look;
use crate::rooms::{Rooms, Seen, Ticket};
use crate::session::Token;
use crate::wording::first_sentence;

/// The shortest time between two updates of one viewer.
const PACE: Duration = Duration::from_millis(250);
/// While something runs its progress is asked for so often.
const PROGRESS: Duration = Duration::from_secs(1);
/// A viewer hears so often that nothing is new; then the page knows that it is still told.
const BEAT: Duration = Duration::from_secs(5);

/// Bytes of an update that are sent as they are; a larger one, when a job begins or ends, is made smaller.
const PLAIN: usize = 1_000;

#[derive(Deserialize)]
pub(crate) struct Has {
    version: Option<String>,
    /// The look it was made with.
    look: Option<String>,
    /// Whether the page can read what is deflated.
    deflate: Option<String>,
}

/// An update on its way to a page.
fn message(update: &Value, deflate: bool) -> Message {
    let text = update.to_string();
    if !deflate || text.len() <= PLAIN {
        return Message::Text(text.into());
    }
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    match encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish()) {
        Ok(bytes) => Message::Binary(bytes.into()),
        // Writing into memory does not fail; if it did, the text would do.
        Err(_) => Message::Text(text.into()),
    }
}

pub(crate) async fn socket(
    State(App { api, rooms, shutdown, .. }): State<App>,
    Token(token): Token,
    look: Look,
    Query(has): Query<Has>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    let text = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    // A page without an origin of its own says `null`, and is nobody's page either.
    let ours = |origin: &str| origin.split_once("://").map(|(_, host)| host) == text(header::HOST);
    if text(header::ORIGIN).is_some_and(|origin| !ours(origin)) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let Some(token) = token else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    // A feed of one's own: it ends when the session does, whoever asks for the room.
    let feed = match api.feed(&token).await {
        Ok(feed) => feed,
        Err(ClientError::Refused) => return StatusCode::UNAUTHORIZED.into_response(),
        Err(ClientError::Told { status: 403, .. }) => return StatusCode::FORBIDDEN.into_response(),
        // No script can read why a socket was not opened, so it is opened to say it.
        Err(ClientError::Told { detail, .. }) => {
            return upgrade.on_upgrade(move |socket| last_word(socket, json!({"shut": detail})));
        }
        Err(_) => return StatusCode::BAD_GATEWAY.into_response(),
    };
    // Another window changed the look: what this page shows was made with the old one, with every name of it.
    if has.look.is_some_and(|made_with| made_with != look.word()) {
        return upgrade.on_upgrade(move |socket| last_word(socket, json!({"look": look.word()})));
    }
    let seen = has.version.and_then(|version| rooms.known(&version));
    let deflate = has.deflate.is_some();
    let ticket = Ticket::new(token);
    let viewer = Viewer { rooms, ticket, hide_names: look.hide_names, deflate, seen, away: None };
    upgrade
        .max_message_size(4096)
        .max_frame_size(4096)
        .on_upgrade(move |socket| serve(socket, feed, viewer, shutdown))
}

struct Viewer {
    rooms: Rooms,
    ticket: Ticket,
    hide_names: bool,
    deflate: bool,
    seen: Option<Arc<Seen>>,
    /// Since when the room cannot be had.
    away: Option<Instant>,
}

impl Viewer {
    /// What to say after a change at `moment`; `None` when nothing is new. An error ends the feed.
    async fn news(&mut self, moment: Instant) -> Result<Option<Value>, ClientError> {
        let now = match self.rooms.since(&mut self.ticket, moment).await {
            Ok(now) => now,
            // Signed out, or nobody who may see the room.
            Err(error @ (ClientError::Refused | ClientError::Told { status: 403, .. })) => return Err(error),
            Err(error) => {
                let since = *self.away.get_or_insert_with(Instant::now);
                let said = error.to_string();
                let why = match &error {
                    // Its address and what broke help nobody in the room.
                    ClientError::Unreachable(_) => "The queue-manager is not answering.",
                    _ => first_sentence(&said),
                };
                return Ok(Some(json!({"away": why, "for": since.elapsed().as_secs()})));
            }
        };
        let back = self.away.take().is_some();
        let before = self.seen.as_ref().map(|seen| seen.frame(self.hide_names));
        let change = now.frame(self.hide_names).since(before);
        let from = self.seen.as_ref().map(|seen| seen.version.clone());
        let first = self.seen.is_none();
        let (version, at, n) = (now.version.clone(), now.room.now, now.room.n);
        self.seen = Some(now);
        Ok(match change {
            Some(change) => {
                Some(json!({"from": from, "version": version, "n": n, "at": at, "change": change}))
            }
            None if first || back => Some(json!({"from": from, "version": version, "n": n, "at": at})),
            // The page keeps the version it has: it is the same.
            None => Some(json!({"from": from, "version": version, "at": at})),
        })
    }

    fn busy(&self) -> bool {
        self.seen.as_ref().is_none_or(|seen| seen.room.counts.running_jobs > 0 || !seen.room.aside.is_empty())
    }
}

/// Says one thing, and that is all.
async fn last_word(mut socket: WebSocket, said: Value) {
    // The other end may be gone already.
    if socket.send(message(&said, false)).await.is_ok() {
        goodbye(socket).await;
    }
}

async fn goodbye(mut socket: WebSocket) {
    let goodbye = CloseFrame { code: close_code::AWAY, reason: "come back".into() };
    // The other end may be gone already.
    let _ = socket.send(Message::Close(Some(goodbye))).await;
}

async fn serve(mut socket: WebSocket, mut feed: Feed, mut viewer: Viewer, shutdown: CancellationToken) {
    // Everything since the version that the page has.
    let mut due = Some(Instant::now());
    let mut changed = Instant::now();
    let mut said = Instant::now();
    let mut tick = tokio::time::interval(PROGRESS);
    loop {
        let wait = due.unwrap_or_else(|| Instant::now() + BEAT);
        tokio::select! {
            message = feed.next() => match message {
                Ok(Some(_)) => {
                    changed = Instant::now();
                    due = due.or_else(|| Some(changed.max(said + PACE)));
                }
                // The page opens a new one.
                Ok(None) | Err(_) => break,
            },
            _ = tick.tick() => {
                if due.is_none() && (viewer.busy() || viewer.away.is_some() || said.elapsed() >= BEAT) {
                    // Somebody else's question of the last second will do.
                    changed = Instant::now().checked_sub(PROGRESS / 2).unwrap_or(changed);
                    due = Some(Instant::now());
                }
            },
            () = tokio::time::sleep_until(wait), if due.is_some() => {
                due = None;
                said = Instant::now();
                let Ok(news) = viewer.news(changed).await else { break };
                if let Some(news) = news
                    && socket.send(message(&news, viewer.deflate)).await.is_err()
                {
                    return;
                }
            },
            heard = socket.recv() => match heard {
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                _ => return,
            },
            () = shutdown.cancelled() => break,
        }
    }
    goodbye(socket).await;
}
