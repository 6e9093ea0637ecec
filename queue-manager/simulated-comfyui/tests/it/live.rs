//! A simulation on a free port, and websockets that remember what they receive.

use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use reqwest::Response;
use serde_json::{Value, json};
use simulated_comfyui::{Settings, serve};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::recording::Frame;

/// No event of a test takes longer, on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for something that must come.
pub(crate) async fn patiently<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(elapsed) => panic!("waited in vain for {what}: {elapsed}"),
    }
}

/// A running simulation; dropping it shuts it down.
pub(crate) struct Live {
    pub(crate) address: String,
    pub(crate) http: reqwest::Client,
    _folder: TempDir,
    pub(crate) ended: watch::Receiver<Option<Result<(), String>>>,
    tasks: TaskTracker,
    _shutdown: DropGuard,
}

impl Live {
    pub(crate) async fn start(step: Duration) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings { step, ..Settings::in_folder(folder.path()) };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let shutdown = CancellationToken::new();
        let tasks = TaskTracker::new();
        let (ending, ended) = watch::channel(None);
        let token = shutdown.clone();
        tasks.spawn(async move {
            let served = serve(listener, settings, token).await;
            ending.send(Some(served.map_err(|error| error.to_string()))).unwrap_or_default();
        });
        Self {
            address,
            http: reqwest::Client::new(),
            _folder: folder,
            ended,
            tasks,
            _shutdown: shutdown.drop_guard(),
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.http.get(self.url(path)).send().await.unwrap()
    }

    pub(crate) async fn get_json(&self, path: &str) -> Value {
        self.get(path).await.json().await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Response {
        self.http.post(self.url(path)).json(body).send().await.unwrap()
    }

    pub(crate) async fn post_json(&self, path: &str, body: &Value) -> Value {
        self.post(path, body).await.json().await.unwrap()
    }

    /// Submits a graph for a client and answers with the job's id.
    pub(crate) async fn submit(&self, client: &str, graph: &Value) -> String {
        let body = json!({"prompt": graph, "client_id": client});
        let answer = self.post_json("/prompt", &body).await;
        answer["prompt_id"].as_str().unwrap_or_else(|| panic!("refused: {answer}")).to_owned()
    }

    /// Submits a graph, waits for its end and answers with its history entry.
    pub(crate) async fn run(&self, socket: &Socket, graph: &Value) -> Value {
        let id = self.submit(&socket.client, graph).await;
        socket.wait_for_end(&id).await;
        self.get_json(&format!("/history/{id}")).await[&id].clone()
    }

    /// Opens a websocket, says that it understands preview metadata, and waits for both greetings.
    pub(crate) async fn socket(&self, client: &str) -> Socket {
        let socket = self.open(&format!("/ws?clientId={client}")).await;
        let flags = json!({"type": "feature_flags", "data": {"supports_preview_metadata": true}});
        socket.say(flags).await;
        socket
            .wait("the greetings", |frames| frames.iter().any(|frame| frame.kind() == "feature_flags"))
            .await;
        socket
    }

    pub(crate) async fn open(&self, url: &str) -> Socket {
        let (stream, _) = connect_async(format!("ws://{}{url}", self.address)).await.unwrap();
        let (mut sink, mut source) = stream.split();
        let (said, mut to_say) = tokio::sync::mpsc::channel::<Message>(8);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (tell, changes) = watch::channel(Seen::default());
        let frames = Arc::clone(&seen);
        self.tasks.spawn(async move {
            loop {
                tokio::select! {
                    message = to_say.recv() => match message {
                        Some(message) => sink.send(message).await.unwrap_or_default(),
                        None => break,
                    },
                    message = source.next() => {
                        match message {
                            Some(Ok(Message::Text(text))) => {
                                frames.lock().unwrap().push(Frame::Text(serde_json::from_str(&text).unwrap()));
                            }
                            Some(Ok(Message::Binary(bytes))) => {
                                frames.lock().unwrap().push(Frame::Binary(bytes.to_vec()));
                            }
                            Some(Ok(_)) => {}
                            Some(Err(_)) | None => break,
                        }
                        tell.send_modify(|seen| seen.frames += 1);
                    }
                }
            }
            tell.send_modify(|seen| seen.closed = true);
        });
        let client = url.split("clientId=").nth(1).unwrap_or_default().to_owned();
        Socket { client, said, seen, changes }
    }
}

#[derive(Debug, Default)]
struct Seen {
    frames: usize,
    closed: bool,
}

/// An open websocket.
pub(crate) struct Socket {
    pub(crate) client: String,
    said: tokio::sync::mpsc::Sender<Message>,
    seen: Arc<Mutex<Vec<Frame>>>,
    changes: watch::Receiver<Seen>,
}

impl Socket {
    pub(crate) async fn say(&self, json: Value) {
        self.said.send(Message::text(json.to_string())).await.unwrap();
    }

    pub(crate) fn frames(&self) -> Vec<Frame> {
        self.seen.lock().unwrap().clone()
    }

    /// Waits until what was received so far satisfies `enough`.
    pub(crate) async fn wait(&self, what: &str, enough: impl Fn(&[Frame]) -> bool) {
        let mut changes = self.changes.clone();
        let come = changes.wait_for(|_| enough(&self.seen.lock().unwrap()));
        patiently(what, come).await.unwrap_or_else(|_| panic!("the socket closed before {what}"));
    }

    pub(crate) async fn wait_for_end(&self, id: &str) {
        self.wait("the end of the job", |frames| {
            frames.iter().any(|frame| frame.ends_a_job() && frame.data()["prompt_id"] == id)
        })
        .await;
    }

    pub(crate) async fn wait_for_kind(&self, kind: &str) {
        self.wait(kind, |frames| frames.iter().any(|frame| frame.kind() == kind)).await;
    }

    pub(crate) async fn wait_for_close(&self) {
        let mut changes = self.changes.clone();
        let closed = patiently("the socket to close", changes.wait_for(|seen| seen.closed)).await;
        closed.expect("the reader tells before it goes");
    }

    /// The kinds of all text frames, status and the greeting left out.
    pub(crate) fn kinds(&self) -> Vec<String> {
        let kinds = self.frames().into_iter().map(|frame| frame.kind());
        kinds.filter(|kind| kind != "status" && kind != "feature_flags").collect()
    }
}
