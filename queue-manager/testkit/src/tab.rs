//! A tab's websocket, spoken as ComfyUI's frontend does: feature flags first, its session id from the first status.

use std::time::Duration;

use anyhow::{Context, bail};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

const PATIENCE: Duration = Duration::from_secs(60);

/// A tab that answers nothing is closed after up to a minute.
const CLOSING: Duration = Duration::from_secs(120);

/// The client's end of a websocket.
pub type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Opens a websocket (`http://…`) with what its `Authorization` header says.
///
/// # Errors
/// When it does not open.
pub async fn connect(url: &str, authorization: &str) -> anyhow::Result<Socket> {
    let mut request = url.replacen("http", "ws", 1).into_client_request()?;
    request.headers_mut().insert("authorization", authorization.parse()?);
    Ok(connect_async(request).await?.0)
}

/// Listens until the other end closes; the code it gave, or `None` when it went without a word.
///
/// # Errors
/// When it stays open for two minutes.
pub async fn close_code(socket: &mut Socket) -> anyhow::Result<Option<u16>> {
    let closed = async {
        loop {
            match socket.next().await {
                Some(Ok(Message::Close(frame))) => return frame.map(|frame| frame.code.into()),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return None,
            }
        }
    };
    tokio::time::timeout(CLOSING, closed).await.context("the socket stays open")
}

/// `Authorization` of a name and a password.
///
/// # Errors
/// When they cannot be said in a header.
pub fn basic(name: &str, password: &str) -> anyhow::Result<String> {
    let request = reqwest::Client::new().get("http://localhost").basic_auth(name, Some(password)).build()?;
    Ok(request.headers().get("authorization").context("an authorization")?.to_str()?.to_owned())
}

/// An open tab and everything it heard.
pub struct Tab {
    socket: Socket,
    /// Its client id.
    pub sid: String,
    /// JSON messages, oldest first.
    pub heard: Vec<Value>,
    /// Binary messages, oldest first.
    pub previews: Vec<Vec<u8>>,
}

impl Tab {
    /// Opens `/<participant>/ws` and says what the frontend says.
    ///
    /// # Errors
    /// When it does not open, or its first word is no status with a session id.
    pub async fn open(base: &str, name: &str, password: &str, client: Option<&str>) -> anyhow::Result<Self> {
        Self::open_as(base, name, ("authorization", &basic(name, password)?), client).await
    }

    /// The same with another header than a name and a password, such as a session's cookie.
    ///
    /// # Errors
    /// When it does not open, or its first word is no status with a session id.
    pub async fn open_as(
        base: &str,
        name: &str,
        (header, value): (&'static str, &str),
        client: Option<&str>,
    ) -> anyhow::Result<Self> {
        let query = client.map(|id| format!("?clientId={id}")).unwrap_or_default();
        let mut request =
            format!("{base}/{name}/ws{query}").replacen("http", "ws", 1).into_client_request()?;
        request.headers_mut().insert(header, value.parse()?);
        request.headers_mut().insert("sec-fetch-site", "same-origin".parse()?);
        let mut socket = connect_async(request).await?.0;
        let flags = json!({"type": "feature_flags", "data": {"supports_preview_metadata": true}});
        socket.send(Message::Text(flags.to_string().into())).await?;
        let mut tab = Self { socket, sid: String::new(), heard: Vec::new(), previews: Vec::new() };
        let first = tab.next().await?;
        let sid = first["data"]["sid"].as_str().context("a session id")?.to_owned();
        Ok(Self { sid, ..tab })
    }

    /// The next JSON message.
    ///
    /// # Errors
    /// When the socket closes or nothing comes for a minute.
    pub async fn next(&mut self) -> anyhow::Result<Value> {
        // Pings are no message.
        let silence = tokio::time::Instant::now() + PATIENCE;
        loop {
            let message = tokio::time::timeout_at(silence, self.socket.next()).await.context("silence")?;
            match message.transpose()? {
                Some(Message::Text(text)) => {
                    let value: Value = serde_json::from_str(&text)?;
                    self.heard.push(value.clone());
                    return Ok(value);
                }
                Some(Message::Binary(bytes)) => self.previews.push(bytes.to_vec()),
                Some(Message::Close(_)) | None => bail!("the socket closed"),
                Some(_) => {}
            }
        }
    }

    /// Listens until the socket closes; the code it closes with.
    ///
    /// # Errors
    /// When it stays open for a minute.
    pub async fn closed(&mut self) -> anyhow::Result<Option<u16>> {
        close_code(&mut self.socket).await
    }

    /// Listens until a message of a type about a job.
    ///
    /// # Errors
    /// When the socket closes or nothing comes for a minute.
    pub async fn hear(&mut self, kind: &str, job: &str) -> anyhow::Result<Value> {
        loop {
            let message = self.next().await?;
            if message["type"] == kind && message["data"]["prompt_id"] == job {
                return Ok(message);
            }
        }
    }

    /// Listens until ComfyUI's last message of a job: `executing` without a node.
    ///
    /// # Errors
    /// When the socket closes or nothing comes for a minute.
    pub async fn hear_the_end(&mut self, job: &str) -> anyhow::Result<()> {
        while !self.hear("executing", job).await?["data"]["node"].is_null() {}
        Ok(())
    }

    /// Types of the messages about a job, oldest first, without progress.
    #[must_use]
    pub fn story(&self, job: &str) -> Vec<&str> {
        let about = |message: &&Value| message["data"]["prompt_id"] == job;
        let kind =
            |message: &'_ Value| message["type"].as_str().is_some_and(|kind| !kind.starts_with("progress"));
        self.heard.iter().filter(about).filter(|m| kind(m)).filter_map(|m| m["type"].as_str()).collect()
    }
}
