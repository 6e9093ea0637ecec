//! The receiving end of a webhook: notes what comes, and answers as it is told.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use testkit::waiting;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// One request.
#[derive(Debug, Clone)]
pub struct Came {
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

impl Came {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// Whether the signature is the one that the secret makes, as a receiver checks it.
    pub fn is_signed_with(&self, secret: &str) -> bool {
        let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
        let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
        let (id, at) = (self.header("webhook-id"), self.header("webhook-timestamp"));
        let signed = format!("{id}.{at}.{}", self.body);
        let tag = self.header("webhook-signature").strip_prefix("v1,").unwrap_or_default();
        hmac::verify(&key, signed.as_bytes(), &STANDARD.decode(tag).unwrap_or_default()).is_ok()
    }
}

/// What to answer; no status at all is no answer.
type Answers = Arc<Mutex<VecDeque<Option<u16>>>>;

pub struct HookServer {
    pub address: SocketAddr,
    came: Arc<Mutex<Vec<Came>>>,
    _over: DropGuard,
}

impl HookServer {
    /// Answers these in turn, and then 204 to everything.
    pub async fn start(answers: &[Option<u16>]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (came, over, tasks) =
            (Arc::<Mutex<Vec<Came>>>::default(), CancellationToken::new(), TaskTracker::new());
        let answers: Answers = Arc::new(Mutex::new(answers.iter().copied().collect()));
        let (log, spawner, serving) = (Arc::clone(&came), tasks.clone(), over.clone());
        tasks.spawn(over.clone().run_until_cancelled_owned(async move {
            while let Ok((near, _)) = listener.accept().await {
                let serve = serve(near, Arc::clone(&answers), Arc::clone(&log));
                spawner.spawn(serving.clone().run_until_cancelled_owned(serve));
            }
        }));
        Self { address, came, _over: over.drop_guard() }
    }

    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    pub fn all(&self) -> Vec<Came> {
        self.came.lock().unwrap().clone()
    }

    /// Waits until one came whose body contains a text.
    pub async fn wait_for(&self, text: &str, limit: Duration) -> Came {
        let found = waiting::until(text, limit, async || {
            Ok(self.all().into_iter().find(|came| came.body.contains(text)))
        });
        found.await.unwrap()
    }
}

async fn serve(near: TcpStream, answers: Answers, log: Arc<Mutex<Vec<Came>>>) {
    let mut near = BufReader::new(near);
    while let Some(came) = read(&mut near).await {
        log.lock().unwrap().push(came);
        let answer = answers.lock().unwrap().pop_front().unwrap_or(Some(204));
        let Some(status) = answer else { std::future::pending().await };
        let head = format!("HTTP/1.1 {status} As told\r\ncontent-length: 0\r\n\r\n");
        if near.write_all(head.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn read(near: &mut BufReader<TcpStream>) -> Option<Came> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        near.read_line(&mut head).await.ok().filter(|read| *read > 0)?;
    }
    assert!(head.starts_with("POST /hook HTTP/1.1\r\n"), "{head}");
    let fields = head.lines().filter_map(|line| line.split_once(": "));
    let headers: BTreeMap<_, _> =
        fields.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
    let mut body = vec![0; headers.get("content-length")?.parse().ok()?];
    near.read_exact(&mut body).await.ok()?;
    Some(Came { headers, body: String::from_utf8(body).ok()? })
}
