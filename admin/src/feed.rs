//! The live part: the queue-manager's feed, reduced to what the page shows, for ever reconnected by the page.

use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use queue_client::ClientError;
use queue_client::api::{Api, Feed};
use queue_protocol::api::QueueStatus;
use queue_protocol::feed::FeedMessage;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::session::Token;
use crate::wording::headline;

pub(crate) async fn socket(
    State(api): State<Api>,
    State(shutdown): State<CancellationToken>,
    token: Token,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    let text = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let origin = text(header::ORIGIN).and_then(|origin| origin.split_once("://")).map(|(_, host)| host);
    if origin.is_some() && origin != text(header::HOST) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let Token(Some(token)) = token else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    match api.feed(&token).await {
        Ok(feed) => upgrade.max_message_size(4096).on_upgrade(move |socket| relay(socket, feed, shutdown)),
        Err(ClientError::Refused) => StatusCode::UNAUTHORIZED.into_response(),
        Err(_) => StatusCode::BAD_GATEWAY.into_response(),
    }
}

async fn relay(mut socket: WebSocket, mut feed: Feed, shutdown: CancellationToken) {
    loop {
        let message = tokio::select! {
            message = feed.next() => message,
            heard = socket.recv() => match heard {
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                _ => return,
            },
            () = shutdown.cancelled() => {
                let goodbye = CloseFrame { code: close_code::AWAY, reason: "restarting; come back".into() };
                // The other end may be gone already.
                let _ = socket.send(Message::Close(Some(goodbye))).await;
                return;
            }
        };
        let counts = match message {
            Ok(Some(FeedMessage::Snapshot(snapshot))) => snapshot.counts,
            Ok(Some(FeedMessage::Counts(counts))) => counts,
            Ok(Some(FeedMessage::Job(_) | FeedMessage::Queue(_) | FeedMessage::Message(_))) => continue,
            // The page opens a new one and gets a new snapshot.
            Ok(None) | Err(_) => return,
        };
        if socket.send(Message::Text(update(&counts).into())).await.is_err() {
            return;
        }
    }
}

fn update(status: &QueueStatus) -> String {
    json!({"headline": headline(status), "counts": status}).to_string()
}
