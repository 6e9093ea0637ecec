//! The broker API as the dashboard uses it: signing in, the totals, the feed.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::SplitStream;
use http::header::{AUTHORIZATION, HeaderValue};
use queue_protocol::api::{QueueStatus, SignIn, SignedIn};
use queue_protocol::feed::FeedMessage;
use reqwest::Client;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::error::ClientError;

/// The API of one queue-manager.
#[derive(Clone)]
pub struct Api {
    http: Client,
    base: String,
}

impl Api {
    /// At `base` (`http://host:3000`).
    ///
    /// # Errors
    /// When the HTTP client cannot be made.
    pub fn new(base: &str) -> Result<Self, ClientError> {
        let http = Client::builder().timeout(Duration::from_secs(10)).build()?;
        Ok(Self { http, base: base.trim_end_matches('/').to_owned() })
    }

    /// Signs in; the answer's token opens everything else.
    ///
    /// # Errors
    /// [`ClientError::Refused`] for a wrong name or password.
    pub async fn sign_in(&self, sign_in: &SignIn) -> Result<SignedIn, ClientError> {
        let answer = self.http.post(format!("{}/api/v1/session", self.base)).json(sign_in).send().await?;
        Ok(answer.error_for_status()?.json().await?)
    }

    /// Ends a session; its token opens nothing any more.
    ///
    /// # Errors
    /// [`ClientError::Unreachable`]: ended or not; end it again.
    pub async fn sign_out(&self, token: &str) -> Result<(), ClientError> {
        let answer =
            self.http.delete(format!("{}/api/v1/session", self.base)).bearer_auth(token).send().await?;
        answer.error_for_status()?;
        Ok(())
    }

    /// The workshop's totals.
    ///
    /// # Errors
    /// [`ClientError::Unreachable`] also while the store is away.
    pub async fn status(&self) -> Result<QueueStatus, ClientError> {
        let answer = self.http.get(format!("{}/api/queue/status", self.base)).send().await?;
        Ok(answer.error_for_status()?.json().await?)
    }

    /// The feed of whoever the token belongs to.
    ///
    /// # Errors
    /// [`ClientError::Refused`] when the token is no longer valid.
    pub async fn feed(&self, token: &str) -> Result<Feed, ClientError> {
        let mut request =
            format!("{}/api/v1/feed", self.base.replacen("http", "ws", 1)).into_client_request()?;
        let value = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| ClientError::Refused)?;
        request.headers_mut().insert(AUTHORIZATION, value);
        let (socket, _) = connect_async(request).await?;
        Ok(Feed(socket.split().1))
    }
}

/// An open feed: a snapshot first, then changes.
pub struct Feed(SplitStream<WebSocketStream<MaybeTlsStream<TcpStream>>>);

impl Feed {
    /// The next message; `None` when the feed ended and a new one is to be opened.
    ///
    /// # Errors
    /// [`ClientError::Unreachable`] when the connection broke.
    pub async fn next(&mut self) -> Result<Option<FeedMessage>, ClientError> {
        loop {
            match self.0.next().await.transpose()? {
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
