//! The broker API as the dashboard uses it: signing in, the totals, the feed.

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::SplitStream;
use futures_util::{Stream, StreamExt};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use queue_protocol::api::{Problem, QueueStatus, SignIn, SignedIn};
use queue_protocol::feed::FeedMessage;
use reqwest::{Client, Method};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{self, Message};
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

    /// Reads something.
    ///
    /// # Errors
    /// [`ClientError::Refused`] when the token is no longer valid, [`ClientError::Told`] when the answer says why not.
    pub async fn get<T: DeserializeOwned>(&self, token: &str, path: &str) -> Result<T, ClientError> {
        let url = format!("{}/api/v1{path}", self.base);
        let answer = told(self.http.get(url).bearer_auth(token).send().await?).await?;
        Ok(answer.json().await?)
    }

    /// A picture as it arrives, with its content type: whoever passes it on does not hold it.
    ///
    /// # Errors
    /// As [`Self::get`]; [`ClientError::Unexpected`] for what is no picture.
    pub async fn picture(
        &self,
        token: &str,
        path: &str,
    ) -> Result<(HeaderValue, impl Stream<Item = reqwest::Result<Bytes>> + use<>), ClientError> {
        let url = format!("{}/api/v1{path}", self.base);
        let answer = told(self.http.get(url).bearer_auth(token).send().await?).await?;
        match answer.headers().get(CONTENT_TYPE).cloned() {
            Some(kind) if kind == "image/webp" => Ok((kind, answer.bytes_stream())),
            kind => Err(ClientError::Unexpected(format!("a picture of the type {kind:?}"))),
        }
    }

    /// Does something, once for each `action`: said again, it changes nothing.
    ///
    /// # Errors
    /// [`ClientError::Told`] when the answer says why not. [`ClientError::Unreachable`]: done or not; the same action may
    /// be sent again.
    pub async fn act(
        &self,
        token: &str,
        method: Method,
        path: &str,
        body: Option<&Value>,
        action: &str,
    ) -> Result<Acted, ClientError> {
        let url = format!("{}/api/v1{path}", self.base);
        let request = self.http.request(method, url).bearer_auth(token).header("idempotency-key", action);
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        let answer = told(request.send().await?).await?;
        let repeated = answer.headers().contains_key("idempotent-replay");
        let bytes = answer.bytes().await?;
        Ok(Acted { repeated, body: serde_json::from_slice(&bytes).unwrap_or_default() })
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
    /// [`ClientError::Refused`] when the token is no longer valid, [`ClientError::Told`] when the answer says why not.
    pub async fn feed(&self, token: &str) -> Result<Feed, ClientError> {
        let mut request =
            format!("{}/api/v1/feed", self.base.replacen("http", "ws", 1)).into_client_request()?;
        let value = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| ClientError::Refused)?;
        request.headers_mut().insert(AUTHORIZATION, value);
        match connect_async(request).await {
            Ok((socket, _)) => Ok(Feed(socket.split().1)),
            Err(tungstenite::Error::Http(answer)) if answer.status().is_client_error() => Err(why(&answer)),
            Err(error) => Err(error.into()),
        }
    }
}

/// What an action answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Acted {
    /// It was done before; there is no body then.
    pub repeated: bool,
    /// The answer's JSON; null where there is none.
    pub body: Value,
}

/// An answer that is no success, with what it says.
async fn told(answer: reqwest::Response) -> Result<reqwest::Response, ClientError> {
    let status = answer.status().as_u16();
    if answer.status().is_success() {
        return Ok(answer);
    }
    if status == 401 {
        return Err(ClientError::Refused);
    }
    let url = answer.url().path().to_owned();
    match answer.json::<Problem>().await {
        Ok(problem) => Err(ClientError::Told { status, detail: problem.detail }),
        Err(_) => Err(ClientError::of_status(status, url)),
    }
}

/// Why a feed was not opened.
fn why(answer: &http::Response<Option<Vec<u8>>>) -> ClientError {
    let status = answer.status().as_u16();
    if status == 401 {
        return ClientError::Refused;
    }
    let body = answer.body().as_deref().unwrap_or_default();
    match serde_json::from_slice::<Problem>(body) {
        Ok(problem) => ClientError::Told { status, detail: problem.detail },
        Err(_) => ClientError::of_status(status, "the feed"),
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
