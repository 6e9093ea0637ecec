//! ComfyUI's websocket for one job. The socket is speed; `/queue` and `/history` are the truth, so a lost socket is
//! opened again and nothing else happens.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use queue_protocol::JobId;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::Comfyui;

const AGAIN_AFTER: Duration = Duration::from_millis(300);
/// A ComfyUI that accepts a connection and says nothing must not hold up a job.
const PATIENCE: Duration = Duration::from_secs(5);

/// One frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// JSON.
    Text(String),
    /// A preview, with its event number.
    Binary(Vec<u8>),
}

/// An ever-reopening socket with client id = job id.
pub struct JobSocket {
    url: String,
    socket: Option<WebSocketStream<MaybeTlsStream<TcpStream>>>,
}

impl JobSocket {
    /// Opens it before the prompt is posted, so that no message is missed. When ComfyUI does not answer, it is opened by
    /// [`JobSocket::next`].
    pub async fn open(comfyui: &Comfyui, job: JobId) -> Self {
        let mut socket = Self { url: comfyui.socket_url(job), socket: None };
        socket.connect().await;
        socket
    }

    async fn connect(&mut self) {
        self.socket = None;
        let connecting = tokio::time::timeout(PATIENCE, connect_async(&self.url));
        let Ok(Ok((mut socket, _))) = connecting.await else { return };
        // The first thing said; without it previews come without their node.
        let flags = r#"{"type":"feature_flags","data":{"supports_preview_metadata":true}}"#;
        if socket.send(Message::Text(flags.into())).await.is_ok() {
            self.socket = Some(socket);
        }
    }

    /// The next frame, whatever it takes. Safe to drop while waiting.
    pub async fn next(&mut self) -> Frame {
        loop {
            let Some(socket) = &mut self.socket else {
                tokio::time::sleep(AGAIN_AFTER).await;
                self.connect().await;
                continue;
            };
            match socket.next().await {
                Some(Ok(Message::Text(text))) => return Frame::Text(text.to_string()),
                Some(Ok(Message::Binary(bytes))) => return Frame::Binary(bytes.to_vec()),
                Some(Ok(Message::Close(_)) | Err(_)) | None => {
                    tracing::debug!("ComfyUI's socket was lost; opening it again");
                    self.socket = None;
                }
                Some(Ok(_)) => {}
            }
        }
    }
}
