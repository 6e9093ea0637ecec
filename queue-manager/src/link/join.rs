//! How a GPU box joins with nothing but curl: the script, a join token for a token of its own, and the worker's program
//! as it was built with this queue-manager.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use queue_broker::Broker;
use queue_broker::sessions::SecretHash;
use sha2::{Digest, Sha256};
use tokio::fs::File;
use tokio_util::io::ReaderStream;

use super::Worker;
use crate::config::Config;
use crate::identity::caller::authorization;
use crate::identity::password::random_secret;
use crate::problem::Trouble;

const PLAIN: (header::HeaderName, &str) = (header::CONTENT_TYPE, "text/plain; charset=utf-8");

/// `GET /join.sh`: holds no secret, so it asks for none.
pub(super) async fn script() -> impl IntoResponse {
    ([PLAIN], include_str!("../../../scripts/join-worker.sh"))
}

/// `POST /join`, with a join token: answers the worker's name and its token in one line, which a shell can read.
pub(super) async fn exchange(
    State(broker): State<Broker>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Trouble> {
    let join_token = authorization(&headers, "Bearer ").ok_or(Trouble::NotSignedIn)?;
    let worker = broker.use_join_token(&SecretHash::of(join_token)).await?.ok_or(Trouble::NotSignedIn)?;
    let token = random_secret();
    broker.put_worker_token(&SecretHash::of(&token), &worker, None).await?;
    tracing::info!(worker.id = %worker, "a join token was exchanged for a token");
    Ok((StatusCode::CREATED, [PLAIN], format!("{worker} {token}\n")))
}

/// `GET /worker`
pub(super) async fn program(State(config): State<Arc<Config>>, _: Worker) -> Result<Response, Trouble> {
    let file = File::open(found(&config)?).await.map_err(|error| unreadable(&error))?;
    let length = file.metadata().await.map_err(|error| unreadable(&error))?.len();
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_LENGTH, length.to_string()),
    ];
    Ok((headers, Body::from_stream(ReaderStream::with_capacity(file, 64 * 1024))).into_response())
}

/// `GET /worker.sha256`, as `sha256sum --check` reads it.
pub(super) async fn hash(State(config): State<Arc<Config>>, _: Worker) -> Result<impl IntoResponse, Trouble> {
    let path = found(&config)?;
    let hashed = tokio::task::spawn_blocking(move || hash_of(&path)).await.map_err(|_| Trouble::Bug)?;
    let hash = hashed.map_err(|error| unreadable(&error))?;
    Ok(([PLAIN], format!("{hash}  worker\n")))
}

fn hash_of(path: &Path) -> io::Result<String> {
    let (mut file, mut hasher) = (std::fs::File::open(path)?, Sha256::new());
    let mut piece = vec![0; 64 * 1024];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(hex::encode(hasher.finalize())),
            bytes => hasher.update(piece.get(..bytes).unwrap_or_default()),
        }
    }
}

fn found(config: &Config) -> Result<PathBuf, Trouble> {
    config.worker_program().ok_or(Trouble::NotFound)
}

fn unreadable(error: &io::Error) -> Trouble {
    tracing::warn!(%error, "the worker's program cannot be read; ATELIER_WORKER_PROGRAM says where it is");
    Trouble::NotFound
}
