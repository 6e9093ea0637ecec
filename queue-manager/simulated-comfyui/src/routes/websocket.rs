//! `/ws`: frames out, and the client's feature flags in.

use std::sync::Arc;

use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::describe::server_features;
use crate::reply;
use crate::server::Simulator;
use crate::sockets::Seat;

/// Who the client says it is.
#[derive(Debug, Deserialize)]
pub(crate) struct Client {
    #[serde(rename = "clientId", default)]
    client_id: String,
}

/// `GET /ws`
pub(crate) async fn open(
    State(simulator): State<Arc<Simulator>>,
    Query(client): Query<Client>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let Ok(upgrade) = upgrade else {
        let words = "No WebSocket UPGRADE hdr: None\n Can \"Upgrade\" only to \"WebSocket\".";
        return reply::text(StatusCode::BAD_REQUEST, words);
    };
    let client =
        if client.client_id.is_empty() { Uuid::new_v4().simple().to_string() } else { client.client_id };
    let tasks = simulator.tasks.clone();
    upgrade.on_upgrade(move |socket| tasks.track_future(serve(simulator, client, socket)))
}

async fn serve(simulator: Arc<Simulator>, client: String, mut socket: WebSocket) {
    let mut seat = simulator.queue.join(client);
    relay(&simulator, &mut seat, &mut socket).await;
    simulator.sockets.leave(&seat);
}

/// Ends when the client goes, when the socket is cut off, or with the server; in the last two cases without a close
/// frame, as after a crash.
async fn relay(simulator: &Simulator, seat: &mut Seat, socket: &mut WebSocket) {
    let mut first = true;
    loop {
        tokio::select! {
            biased;
            () = seat.cut.cancelled() => return,
            () = simulator.stop.cancelled() => return,
            frame = seat.frames.recv() => match frame {
                Some(frame) => {
                    if socket.send(frame).await.is_err() {
                        return;
                    }
                }
                // A newer socket has taken this client id; nothing will come any more.
                None => return deaf(simulator, seat, socket).await,
            },
            heard = socket.recv() => match heard {
                Some(Ok(Message::Text(text))) => {
                    if std::mem::take(&mut first) {
                        exchange_features(simulator, seat, &text);
                    }
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return,
            },
        }
    }
}

async fn deaf(simulator: &Simulator, seat: &Seat, socket: &mut WebSocket) {
    let closed = async { while let Some(Ok(_)) = socket.recv().await {} };
    tokio::select! {
        () = seat.cut.cancelled() => {}
        () = simulator.stop.cancelled() => {}
        () = closed => {}
    }
}

/// Only the very first text is looked at, and only for feature flags.
fn exchange_features(simulator: &Simulator, seat: &Seat, text: &str) {
    let said: Value = serde_json::from_str(text).unwrap_or_default();
    if said["type"] == "feature_flags" {
        simulator.sockets.exchange_features(seat, &said["data"], &server_features());
    }
}
