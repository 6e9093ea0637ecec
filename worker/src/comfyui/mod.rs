//! ComfyUI, from the client's side: the routes a worker needs, as its documentation and its answers show them.

pub mod description;
pub mod history;
pub mod parts;
pub mod socket;

use std::time::Duration;

use queue_protocol::JobId;
use reqwest::multipart::{Form, Part};
use reqwest::{Body, Client, Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use thiserror::Error;

/// What ComfyUI did not do.
#[derive(Debug, Error)]
pub enum ComfyuiError {
    /// It is not there.
    #[error("ComfyUI cannot be reached: {0}")]
    Unreachable(String),
    /// It is there and does not answer: it may be loading a large model.
    #[error("ComfyUI does not answer: {0}")]
    Silent(String),
    /// It refused the graph; its own words.
    #[error("ComfyUI refused the workflow")]
    Refused(Value),
    /// It answered something we do not understand.
    #[error("ComfyUI answered something unexpected: {0}")]
    Unexpected(String),
}

impl From<reqwest::Error> for ComfyuiError {
    fn from(error: reqwest::Error) -> Self {
        // First, as an answer that stops half way counts as one that cannot be read.
        if error.is_timeout() {
            Self::Silent(error.to_string())
        } else if error.is_decode() || error.is_status() {
            Self::Unexpected(error.to_string())
        } else {
            Self::Unreachable(error.to_string())
        }
    }
}

/// Where a prompt is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whereabouts {
    /// Runs or waits.
    Queued,
    /// Neither.
    Absent,
}

/// One ComfyUI.
#[derive(Clone)]
pub struct Comfyui {
    http: Client,
    patient: Client,
    base: String,
}

#[derive(Deserialize)]
struct Queue {
    queue_running: Vec<Value>,
    queue_pending: Vec<Value>,
}

/// A file as ComfyUI names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FileName {
    /// `output`, `temp` or `input`.
    pub kind: String,
    /// Folder beneath it; empty for none.
    pub subfolder: String,
    /// Name.
    pub filename: String,
}

/// A produced file on its way.
#[derive(Debug)]
pub struct OpenFile {
    /// Bytes; `None` when ComfyUI does not say.
    pub size: Option<u64>,
    /// What is in it.
    pub body: Body,
}

impl Comfyui {
    /// At `base`, such as `http://127.0.0.1:8188`.
    ///
    /// # Errors
    /// When the HTTP client cannot be made.
    pub fn new(base: &str) -> Result<Self, ComfyuiError> {
        let builder = || Client::builder().connect_timeout(Duration::from_secs(2)).no_proxy();
        let http = builder().read_timeout(Duration::from_secs(30)).build()?;
        // A read timeout runs while a large upload is still being sent, and while a large graph is being checked.
        let patient = builder().timeout(Duration::from_secs(600)).build()?;
        Ok(Self { http, patient, base: base.to_owned() })
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// The websocket's address for one client id.
    #[must_use]
    pub fn socket_url(&self, client: JobId) -> String {
        format!("{}/ws?clientId={client}", self.base.replacen("http", "ws", 1))
    }

    async fn get(&self, path: &str) -> Result<Response, ComfyuiError> {
        Ok(self.http.get(self.url(path)).timeout(Duration::from_secs(10)).send().await?.error_for_status()?)
    }

    async fn post(&self, path: &str, body: &Value) -> Result<(), ComfyuiError> {
        let request = self.http.post(self.url(path)).timeout(Duration::from_secs(10)).json(body);
        request.send().await?.error_for_status()?;
        Ok(())
    }

    /// Posts a prompt.
    ///
    /// # Errors
    /// [`ComfyuiError::Refused`] with ComfyUI's own words when it does not accept the graph.
    pub async fn prompt(&self, body: &Value) -> Result<(), ComfyuiError> {
        let answer = self.patient.post(self.url("/prompt")).json(body).send().await?;
        match answer.status() {
            StatusCode::OK => Ok(()),
            StatusCode::BAD_REQUEST => Err(ComfyuiError::Refused(answer.json().await?)),
            other => Err(ComfyuiError::Unexpected(format!("POST /prompt answered {other}"))),
        }
    }

    /// Whether a prompt runs or waits.
    ///
    /// # Errors
    /// When ComfyUI does not answer.
    pub async fn whereabouts(&self, id: JobId) -> Result<Whereabouts, ComfyuiError> {
        let queue: Queue = self.get("/queue").await?.json().await?;
        let id = id.to_string();
        let listed =
            queue.queue_running.iter().chain(&queue.queue_pending).any(|item| item[1] == id.as_str());
        Ok(if listed { Whereabouts::Queued } else { Whereabouts::Absent })
    }

    /// Whether it runs or holds nothing at all.
    ///
    /// # Errors
    /// When ComfyUI does not answer.
    pub async fn is_idle(&self) -> Result<bool, ComfyuiError> {
        let queue: Queue = self.get("/queue").await?.json().await?;
        Ok(queue.queue_running.is_empty() && queue.queue_pending.is_empty())
    }

    /// Stops one prompt, whether it waits or runs; never another one.
    ///
    /// # Errors
    /// When ComfyUI does not answer.
    pub async fn stop(&self, id: JobId) -> Result<(), ComfyuiError> {
        self.post("/queue", &json!({"delete": [id]})).await?;
        self.post("/interrupt", &json!({"prompt_id": id})).await
    }

    /// Forgets what it remembers of a prompt.
    ///
    /// # Errors
    /// When ComfyUI does not answer.
    pub async fn forget(&self, id: JobId) -> Result<(), ComfyuiError> {
        self.post("/history", &json!({"delete": [id]})).await
    }

    /// Opens a produced file.
    ///
    /// # Errors
    /// When there is no such file.
    pub async fn file(&self, name: &FileName) -> Result<OpenFile, ComfyuiError> {
        let query = [("filename", &name.filename), ("subfolder", &name.subfolder), ("type", &name.kind)];
        let answer = self.http.get(self.url("/view")).query(&query).send().await?.error_for_status()?;
        Ok(OpenFile { size: answer.content_length(), body: Body::wrap_stream(answer.bytes_stream()) })
    }

    /// Uploads an input; the same name is overwritten.
    ///
    /// # Errors
    /// When ComfyUI does not take it.
    pub async fn upload(&self, subfolder: &str, name: &str, body: Body) -> Result<(), ComfyuiError> {
        let form = Form::new()
            .part("image", Part::stream(body).file_name(name.to_owned()))
            .text("subfolder", subfolder.to_owned())
            .text("type", "input")
            .text("overwrite", "true");
        self.patient.post(self.url("/upload/image")).multipart(form).send().await?.error_for_status()?;
        Ok(())
    }
}
