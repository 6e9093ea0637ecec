//! The open websockets, one per client id, and what is sent to them.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::ws::Message;
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::locks::hold;
use crate::python_json;

/// Frames waiting for one socket. A client that lets this many pile up is cut off rather than waited for.
const WAITING: usize = 8192;

/// The open websockets.
#[derive(Debug, Default)]
pub(crate) struct Sockets {
    open: Mutex<HashMap<String, Connection>>,
    opened: AtomicU64,
}

#[derive(Debug)]
struct Connection {
    number: u64,
    outgoing: mpsc::Sender<Message>,
    cut: CancellationToken,
    preview_metadata: bool,
}

/// The socket's own end.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) client: String,
    pub(crate) number: u64,
    pub(crate) frames: mpsc::Receiver<Message>,
    pub(crate) cut: CancellationToken,
}

impl Sockets {
    /// Takes a socket in and sends it `first`. An older socket with the same client id stays open but goes deaf, as
    /// with the real server; when it closes, the newer one is not harmed, unlike with the real server.
    pub(crate) fn join(&self, client: String, first: Vec<(&str, Value)>) -> Seat {
        let (outgoing, frames) = mpsc::channel(WAITING);
        let number = self.opened.fetch_add(1, Ordering::Relaxed);
        let cut = CancellationToken::new();
        let connection = Connection { number, outgoing, cut: cut.clone(), preview_metadata: false };
        let mut open = hold(&self.open);
        for (event, data) in first {
            connection.send(text(event, &data));
        }
        open.insert(client.clone(), connection);
        Seat { client, number, frames, cut }
    }

    /// Forgets a socket that closed.
    pub(crate) fn leave(&self, seat: &Seat) {
        let mut open = hold(&self.open);
        if open.get(&seat.client).is_some_and(|connection| connection.number == seat.number) {
            open.remove(&seat.client);
        }
    }

    /// Notes what the client said it understands, and answers with what the server does.
    pub(crate) fn exchange_features(&self, seat: &Seat, client_flags: &Value, server_flags: &Value) {
        let mut open = hold(&self.open);
        let connection = open.get_mut(&seat.client).filter(|connection| connection.number == seat.number);
        if let Some(connection) = connection {
            connection.preview_metadata = client_flags["supports_preview_metadata"] == true;
            connection.send(text("feature_flags", server_flags));
        }
    }

    /// Sends a JSON frame to one client, or to all when there is none.
    pub(crate) fn send(&self, client: Option<&str>, event: &str, data: &Value) {
        let frame = text(event, data);
        self.each(client, |connection| connection.send(frame.clone()));
    }

    /// Sends a binary frame.
    pub(crate) fn send_binary(&self, client: Option<&str>, bytes: &Bytes) {
        self.each(client, |connection| {
            connection.send(Message::Binary(bytes.clone()));
        });
    }

    /// Whether the client announced that it takes previews with metadata.
    pub(crate) fn takes_preview_metadata(&self, client: Option<&str>) -> bool {
        let open = hold(&self.open);
        client.and_then(|client| open.get(client)).is_some_and(|connection| connection.preview_metadata)
    }

    /// Cuts a client's socket off without a close frame.
    pub(crate) fn cut(&self, client: &str) {
        self.each(Some(client), |connection| connection.cut.cancel());
    }

    fn each(&self, client: Option<&str>, act: impl Fn(&Connection)) {
        let open = hold(&self.open);
        match client {
            Some(client) => open.get(client).into_iter().for_each(act),
            None => open.values().for_each(act),
        }
    }
}

impl Connection {
    fn send(&self, frame: Message) {
        if self.outgoing.try_send(frame).is_err() && !self.outgoing.is_closed() {
            warn!("a websocket does not keep up and is cut off");
            self.cut.cancel();
        }
    }
}

fn text(event: &str, data: &Value) -> Message {
    Message::Text(python_json::dump(&json!({"type": event, "data": data})).into())
}
