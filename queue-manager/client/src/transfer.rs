//! What is too large for the link: bodies, inputs, outputs, `object_info`; streamed over HTTP under a lease.

use std::convert::Infallible;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use http::header::AUTHORIZATION;
use http::{Method, Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, BodyStream, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use queue_protocol::link::{HeldLease, Part};
use queue_protocol::{FileHash, JobId};
use reqwest::Body;
use tokio::io::AsyncWriteExt;
use tokio::time::Instant;

use crate::error::ClientError;
use crate::proxy::Proxy;
use crate::way::Way;

/// A transfer of which nothing moves for this long is dead.
const STALLED: Duration = Duration::from_secs(60);
/// What is sent in one piece: small enough that even a slow line moves one within that time.
const PIECE: usize = 16 * 1024;

type Outgoing = UnsyncBoxBody<Bytes, reqwest::Error>;

/// The file routes of the worker link.
#[derive(Clone)]
pub struct Transfer {
    http: Client<Way, Outgoing>,
    base: String,
    token: String,
}

/// When a transfer last moved.
#[derive(Clone)]
struct Movement(Arc<Mutex<Instant>>);

impl Movement {
    fn now() -> Self {
        Self(Arc::new(Mutex::new(Instant::now())))
    }

    fn note(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// Returns when nothing has moved for too long.
    async fn stalled(&self) -> ClientError {
        loop {
            let until = *self.0.lock().unwrap_or_else(PoisonError::into_inner) + STALLED;
            if until <= Instant::now() {
                return ClientError::Unreachable("a transfer does not move any more".to_owned());
            }
            tokio::time::sleep_until(until).await;
        }
    }
}

impl Transfer {
    /// At `base` (`http://host:3443`) as whoever `token` belongs to, through `proxy` if there is one.
    #[must_use]
    pub fn new(base: &str, token: &str, proxy: Option<&Proxy>) -> Self {
        let http = Client::builder(TokioExecutor::new()).build(Way::new(proxy));
        Self { http, base: base.trim_end_matches('/').to_owned(), token: token.to_owned() }
    }

    async fn send(&self, method: Method, url: &str, body: Body) -> Result<Response<Incoming>, ClientError> {
        let movement = Movement::now();
        let moved = movement.clone();
        let body = body.map_frame(move |frame: Frame<Bytes>| {
            moved.note();
            frame
        });
        let request = Request::builder()
            .method(method)
            .uri(url)
            .header(AUTHORIZATION, format!("Bearer {}", self.token))
            .body(body.boxed_unsync())
            .map_err(|error| ClientError::Unexpected(error.to_string()))?;
        let answer = tokio::select! {
            answer = self.http.request(request) => answer.map_err(ClientError::unreachable)?,
            stalled = movement.stalled() => return Err(stalled),
        };
        match answer.status().as_u16() {
            200..300 => Ok(answer),
            status => Err(ClientError::of_transfer(status, url)),
        }
    }

    async fn get(&self, url: &str) -> Result<BodyStream<Incoming>, ClientError> {
        let answer = self.send(Method::GET, url, Body::default()).await?;
        Ok(BodyStream::new(answer.into_body()))
    }

    fn lease(&self, lease: HeldLease, rest: &str) -> String {
        format!("{}/link/jobs/{}/{}/{rest}", self.base, lease.job, lease.token)
    }

    /// Describes this worker's nodes and models, once per hash.
    ///
    /// # Errors
    /// As every transfer: unreachable, refused, or not what its hash says.
    pub async fn put_object_info(&self, hash: &FileHash, json: Vec<u8>) -> Result<(), ClientError> {
        self.put_json(&format!("{}/link/object-info/{hash}", self.base), json).await
    }

    /// Sends a further part of this worker's description, once per hash.
    ///
    /// # Errors
    /// As every transfer: unreachable, refused, or not what its hash says.
    pub async fn put_part(&self, part: Part, hash: &FileHash, json: Vec<u8>) -> Result<(), ClientError> {
        self.put_json(&format!("{}/link/parts/{}/{hash}", self.base, part.word()), json).await
    }

    async fn put_json(&self, url: &str, json: Vec<u8>) -> Result<(), ClientError> {
        let json = Bytes::from(json);
        let pieces = (0..json.len()).step_by(PIECE).map(move |at| {
            let piece = json.slice(at..json.len().min(at + PIECE));
            Ok::<_, Infallible>(Frame::data(piece))
        });
        let body = Body::wrap(StreamBody::new(futures_util::stream::iter(pieces)));
        self.send(Method::PUT, url, body).await.map(drop)
    }

    /// The body of a job that was too large for the link.
    ///
    /// # Errors
    /// [`ClientError::LeaseOver`] when the lease is over.
    pub async fn body(&self, lease: HeldLease) -> Result<Vec<u8>, ClientError> {
        let mut frames = self.get(&self.lease(lease, "body")).await?;
        let mut body = Vec::new();
        while let Some(piece) = next(&mut frames).await? {
            body.extend_from_slice(&piece);
        }
        Ok(body)
    }

    /// Fetches an input into a file.
    ///
    /// # Errors
    /// [`ClientError::LeaseOver`] when the lease is over.
    pub async fn input(&self, lease: HeldLease, sha256: &FileHash, into: &Path) -> Result<(), ClientError> {
        self.fetch(&self.lease(lease, &format!("inputs/{sha256}")), into).await
    }

    /// Fetches an input of the job that was said to come next.
    ///
    /// # Errors
    /// [`ClientError::Unexpected`] when the hint is over.
    pub async fn next_input(&self, job: JobId, sha256: &FileHash, into: &Path) -> Result<(), ClientError> {
        self.fetch(&format!("{}/link/next/{job}/inputs/{sha256}", self.base), into).await
    }

    async fn fetch(&self, url: &str, into: &Path) -> Result<(), ClientError> {
        let mut frames = self.get(url).await?;
        let local = |error: std::io::Error| ClientError::Unexpected(format!("{}: {error}", into.display()));
        let mut file = tokio::fs::File::create(into).await.map_err(local)?;
        while let Some(piece) = next(&mut frames).await? {
            file.write_all(&piece).await.map_err(local)?;
        }
        file.flush().await.map_err(local)
    }

    /// Stores an output as it arrives; `kind` is `output` or `temp`, `path` already percent-encoded.
    ///
    /// # Errors
    /// [`ClientError::LeaseOver`] when the lease is over, [`ClientError::TooLarge`] when one file may not be so large.
    pub async fn output(
        &self,
        lease: HeldLease,
        kind: &str,
        path: &str,
        body: Body,
    ) -> Result<(), ClientError> {
        let url = self.lease(lease, &format!("outputs/{kind}/{path}"));
        self.send(Method::PUT, &url, body).await.map(drop)
    }
}

/// The next piece of an answer; `None` at its end.
async fn next(frames: &mut BodyStream<Incoming>) -> Result<Option<Bytes>, ClientError> {
    while let Some(frame) =
        tokio::time::timeout(STALLED, frames.next()).await.map_err(ClientError::unreachable)?
    {
        if let Ok(piece) = frame.map_err(ClientError::unreachable)?.into_data() {
            return Ok(Some(piece));
        }
    }
    Ok(None)
}
