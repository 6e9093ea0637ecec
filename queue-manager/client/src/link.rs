//! One connection of the worker link: typed messages out, typed messages in.

use std::time::Duration;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use http::header::{AUTHORIZATION, HeaderValue};
use queue_protocol::link::{FromWorker, HeldLease, ToWorker};
use queue_protocol::{frame, limits};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use crate::error::ClientError;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A queue-manager that says nothing for this long, although it pings every 20 s, is gone.
const SILENCE: Duration = Duration::from_secs(60);
/// A link that does not take a message within this time is broken.
const STUCK: Duration = Duration::from_secs(20);

/// The sending half.
pub struct LinkSender(SplitSink<Socket, Message>);

/// The receiving half.
pub struct LinkReceiver {
    socket: SplitStream<Socket>,
    last_heard: Instant,
}

/// Opens the link at `base` (`http://host:3443`) as whoever `token` belongs to.
///
/// # Errors
/// [`ClientError::Refused`] when the token is not valid, [`ClientError::Unreachable`] otherwise.
pub async fn connect(base: &str, token: &str) -> Result<(LinkSender, LinkReceiver), ClientError> {
    let url = format!("{}/link", base.trim_end_matches('/').replacen("http", "ws", 1));
    let mut request = url.into_client_request()?;
    let value = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| ClientError::Refused)?;
    request.headers_mut().insert(AUTHORIZATION, value);
    let config = WebSocketConfig::default().max_message_size(Some(limits::LINK_FRAME));
    let connecting = connect_async_with_config(request, Some(config), true);
    let (socket, _) = tokio::time::timeout(Duration::from_secs(10), connecting)
        .await
        .map_err(|_| ClientError::Unreachable("no answer within 10 s".to_owned()))??;
    let (sender, receiver) = socket.split();
    Ok((LinkSender(sender), LinkReceiver { socket: receiver, last_heard: Instant::now() }))
}

impl LinkSender {
    /// Sends one message.
    ///
    /// # Errors
    /// [`ClientError::Unreachable`]: it may have arrived or not.
    pub async fn say(&mut self, message: &FromWorker) -> Result<(), ClientError> {
        let text = serde_json::to_string(message).map_err(|e| ClientError::Unexpected(e.to_string()))?;
        self.send(Message::Text(Utf8Bytes::from(text))).await
    }

    /// Sends one of ComfyUI's previews.
    ///
    /// # Errors
    /// [`ClientError::Unreachable`]: it is lost, which is harmless.
    pub async fn preview(&mut self, lease: HeldLease, bytes: &[u8]) -> Result<(), ClientError> {
        let frame = frame::to_link(lease.job, lease.token, bytes);
        self.send(Message::Binary(frame.into())).await
    }

    async fn send(&mut self, message: Message) -> Result<(), ClientError> {
        let stuck = || ClientError::Unreachable("the link takes nothing".to_owned());
        tokio::time::timeout(STUCK, self.0.send(message)).await.map_err(|_| stuck())?.map_err(Into::into)
    }
}

impl LinkReceiver {
    /// The next message; `None` when the link was closed.
    ///
    /// # Errors
    /// [`ClientError::Unexpected`] for a message nobody understands, [`ClientError::Unreachable`] when the link broke or
    /// was silent for a minute.
    pub async fn hear(&mut self) -> Result<Option<ToWorker>, ClientError> {
        loop {
            // From the last word and not from this call: callers drop the wait for one and begin another.
            let next = tokio::time::timeout_at(self.last_heard + SILENCE, self.socket.next());
            let Ok(message) = next.await else {
                return Err(ClientError::Unreachable("silent for a minute".to_owned()));
            };
            self.last_heard = Instant::now();
            match message.transpose()? {
                None | Some(Message::Close(_)) => return Ok(None),
                Some(Message::Text(text)) => {
                    let message = serde_json::from_str(&text);
                    return message.map(Some).map_err(|e| ClientError::Unexpected(e.to_string()));
                }
                Some(_) => {}
            }
        }
    }
}
