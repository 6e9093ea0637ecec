//! One connection of the worker link: typed messages out, typed messages in.

use std::time::Duration;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use http::header::{AUTHORIZATION, HeaderValue};
use queue_protocol::link::{FromWorker, HeldLease, ToWorker};
use queue_protocol::{frame, limits, timings};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Response;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};
use tower::ServiceExt;

use crate::error::ClientError;
use crate::proxy::Proxy;
use crate::way::Way;

type Socket = WebSocketStream<TcpStream>;

/// The whole opening, proxy and handshake included.
const OPEN: Duration = Duration::from_secs(10);
/// A link that does not take a message within this time is broken.
const STUCK: Duration = Duration::from_secs(20);

/// The sending half.
pub struct LinkSender(SplitSink<Socket, Message>);

/// The receiving half.
pub struct LinkReceiver {
    socket: SplitStream<Socket>,
    last_heard: Instant,
}

/// One thing heard.
#[derive(Debug)]
pub enum Heard {
    /// A message.
    Message(ToWorker),
    /// The answer to [`LinkSender::ask`]: everything sent before it has arrived.
    Arrived(u64),
}

/// Opens the link at `base` (`http://host:3443`) as whoever `token` belongs to, through `proxy` if there is one.
///
/// # Errors
/// [`ClientError::Refused`] when the token is not valid, [`ClientError::Unreachable`] otherwise.
pub async fn connect(
    base: &str,
    token: &str,
    proxy: Option<&Proxy>,
) -> Result<(LinkSender, LinkReceiver), ClientError> {
    let (socket, _) = tokio::time::timeout(OPEN, open(base, token, proxy))
        .await
        .map_err(|_| ClientError::Unreachable("no answer within 10 s".to_owned()))??;
    let (sender, receiver) = socket.split();
    Ok((LinkSender(sender), LinkReceiver { socket: receiver, last_heard: Instant::now() }))
}

async fn open(base: &str, token: &str, proxy: Option<&Proxy>) -> Result<(Socket, Response), ClientError> {
    let url = format!("{}/link", base.trim_end_matches('/').replacen("http", "ws", 1));
    let mut request = url.into_client_request()?;
    let value = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| ClientError::Refused)?;
    request.headers_mut().insert(AUTHORIZATION, value);
    let stream = Way::new(proxy).oneshot(request.uri().clone()).await?.into_inner();
    let config = WebSocketConfig::default().max_message_size(Some(limits::LINK_FRAME));
    Ok(client_async_with_config(request, stream, Some(config)).await?)
}

impl LinkSender {
    /// Sends one message and answers how many bytes it had.
    ///
    /// # Errors
    /// [`ClientError::Unreachable`]: it may have arrived or not.
    pub async fn say(&mut self, message: &FromWorker) -> Result<usize, ClientError> {
        let text = serde_json::to_string(message).map_err(|e| ClientError::Unexpected(e.to_string()))?;
        let bytes = text.len();
        self.send(Message::Text(Utf8Bytes::from(text))).await?;
        Ok(bytes)
    }

    /// Sends one of ComfyUI's previews and answers how many bytes it had.
    ///
    /// # Errors
    /// [`ClientError::Unreachable`]: it is lost, which is harmless.
    pub async fn preview(&mut self, lease: HeldLease, bytes: &[u8]) -> Result<usize, ClientError> {
        let frame = frame::to_link(lease.job, lease.token, bytes);
        let bytes = frame.len();
        self.send(Message::Binary(frame.into())).await?;
        Ok(bytes)
    }

    /// Asks whether everything sent so far has arrived; [`Heard::Arrived`] with the same number says yes.
    ///
    /// # Errors
    /// [`ClientError::Unreachable`]: there will be no answer.
    pub async fn ask(&mut self, number: u64) -> Result<(), ClientError> {
        self.send(Message::Ping(number.to_be_bytes().to_vec().into())).await
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
    /// was silent for longer than a queue-manager that pings can be.
    pub async fn hear(&mut self) -> Result<Option<Heard>, ClientError> {
        loop {
            // From the last word and not from this call: callers drop the wait for one and begin another.
            let next = tokio::time::timeout_at(self.last_heard + timings::LINK_SILENCE, self.socket.next());
            let Ok(message) = next.await else {
                return Err(ClientError::Unreachable("nothing was heard for too long".to_owned()));
            };
            self.last_heard = Instant::now();
            match message.transpose()? {
                None | Some(Message::Close(_)) => return Ok(None),
                Some(Message::Text(text)) => {
                    let message = serde_json::from_str(&text).map(|message| Some(Heard::Message(message)));
                    return message.map_err(|e| ClientError::Unexpected(e.to_string()));
                }
                Some(Message::Pong(number)) => {
                    if let Ok(number) = <[u8; 8]>::try_from(&number[..]) {
                        return Ok(Some(Heard::Arrived(u64::from_be_bytes(number))));
                    }
                }
                Some(_) => {}
            }
        }
    }
}
