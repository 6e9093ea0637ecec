//! What is too large for the link: bodies, inputs, outputs, `object_info`; streamed over HTTP under a lease.

use std::path::Path;
use std::time::Duration;

use futures_util::StreamExt;
use queue_protocol::FileHash;
use queue_protocol::link::HeldLease;
use reqwest::{Body, Client, RequestBuilder, Response};
use tokio::io::AsyncWriteExt;

use crate::error::ClientError;

const CONNECT: Duration = Duration::from_secs(10);
/// A connection on which nothing moves for this long is dead.
const STALLED: Duration = Duration::from_secs(60);

/// The file routes of the worker link.
#[derive(Clone)]
pub struct Transfer {
    http: Client,
    /// For bodies that we send: reqwest's read timeout would run while a long film is still on its way.
    sending: Client,
    base: String,
    token: String,
}

impl Transfer {
    /// At `base` (`http://host:3443`) as whoever `token` belongs to.
    ///
    /// # Errors
    /// When the HTTP client cannot be made.
    pub fn new(base: &str, token: &str) -> Result<Self, ClientError> {
        let builder = || Client::builder().connect_timeout(CONNECT).tcp_user_timeout(STALLED);
        let http = builder().read_timeout(STALLED).build()?;
        let sending = builder().build()?;
        Ok(Self { http, sending, base: base.trim_end_matches('/').to_owned(), token: token.to_owned() })
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, ClientError> {
        Ok(request.bearer_auth(&self.token).send().await?.error_for_status()?)
    }

    fn lease(&self, lease: HeldLease, rest: &str) -> String {
        format!("{}/link/jobs/{}/{}/{rest}", self.base, lease.job, lease.token)
    }

    /// Describes this worker's nodes and models, once per hash.
    ///
    /// # Errors
    /// As every transfer: unreachable, refused, or not what its hash says.
    pub async fn put_object_info(&self, hash: &FileHash, json: Vec<u8>) -> Result<(), ClientError> {
        let url = format!("{}/link/object-info/{hash}", self.base);
        self.send(self.sending.put(url).body(json)).await.map(drop)
    }

    /// The body of a job that was too large for the link.
    ///
    /// # Errors
    /// [`ClientError::LeaseOver`] when the lease is over.
    pub async fn body(&self, lease: HeldLease) -> Result<Vec<u8>, ClientError> {
        Ok(self.send(self.http.get(self.lease(lease, "body"))).await?.bytes().await?.to_vec())
    }

    /// Fetches an input into a file.
    ///
    /// # Errors
    /// [`ClientError::LeaseOver`] when the lease is over.
    pub async fn input(&self, lease: HeldLease, sha256: &FileHash, into: &Path) -> Result<(), ClientError> {
        let answer = self.send(self.http.get(self.lease(lease, &format!("inputs/{sha256}")))).await?;
        let local = |error: std::io::Error| ClientError::Unexpected(format!("{}: {error}", into.display()));
        let mut file = tokio::fs::File::create(into).await.map_err(local)?;
        let mut chunks = answer.bytes_stream();
        while let Some(chunk) = chunks.next().await {
            file.write_all(&chunk?).await.map_err(local)?;
        }
        file.flush().await.map_err(local)
    }

    /// Stores an output as it arrives; `kind` is `output` or `temp`, `path` already percent-encoded.
    ///
    /// # Errors
    /// [`ClientError::LeaseOver`] when the lease is over.
    pub async fn output(
        &self,
        lease: HeldLease,
        kind: &str,
        path: &str,
        body: Body,
    ) -> Result<(), ClientError> {
        let url = self.lease(lease, &format!("outputs/{kind}/{path}"));
        self.send(self.sending.put(url).body(body)).await.map(drop)
    }
}
