//! What is too large for the link: bodies, inputs, outputs, `object_info`. Each only for the job this worker holds, under
//! the token it holds it by; inputs also of the job it was told comes next.

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use queue_broker::Broker;
use queue_broker::jobs::StoredJob;
use queue_protocol::link::{HeldLease, Part};
use queue_protocol::{FileHash, JobId, JobState, WorkerName, limits};
use tokio_util::io::ReaderStream;

use super::{Places, Worker};
use crate::capabilities::Capabilities;
use crate::files::{Files, inputs, outputs};
use crate::parts::Parts;
use crate::problem::Trouble;
use crate::seat::stored_body;
use crate::workflow::submit::Door;

async fn held(broker: &Broker, worker: &WorkerName, job: &str, token: &str) -> Result<StoredJob, Trouble> {
    let lease = HeldLease { job: job.parse()?, token: token.parse()? };
    broker.holds(worker, lease).await?.ok_or(Trouble::LeaseOver)
}

/// `PUT /link/object-info/{hash}`
pub(super) async fn put_object_info(
    State(capabilities): State<Capabilities>,
    Worker(worker): Worker,
    Path(hash): Path<String>,
    body: Body,
) -> Result<StatusCode, Trouble> {
    capabilities.receive(&hash.parse()?, body.into_data_stream()).await?;
    tracing::info!(worker.id = %worker, hash, "a worker described its nodes and models");
    Ok(StatusCode::NO_CONTENT)
}

/// `PUT /link/parts/{part}/{hash}`
pub(super) async fn put_part(
    State(parts): State<Parts>,
    Worker(worker): Worker,
    Path((part, hash)): Path<(String, String)>,
    body: Body,
) -> Result<StatusCode, Trouble> {
    let part = Part::ALL.into_iter().find(|known| known.word() == part).ok_or(Trouble::NotFound)?;
    let json = axum::body::to_bytes(body, limits::PART).await.map_err(|_| Trouble::TooLarge(limits::PART))?;
    parts.put(part, &hash.parse()?, json.to_vec()).await?;
    tracing::info!(worker.id = %worker, part = part.word(), hash, "a worker sent what its nodes have for tabs");
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /link/jobs/{job}/{token}/body`
pub(super) async fn get_body(
    State(door): State<Door>,
    Worker(worker): Worker,
    Path((job, token)): Path<(String, String)>,
) -> Result<Bytes, Trouble> {
    let job = held(&door.broker, &worker, &job, &token).await?;
    Ok(stored_body::bytes(&door, &job).await?.into())
}

/// `GET /link/jobs/{job}/{token}/inputs/{sha256}`
pub(super) async fn get_input(
    State(broker): State<Broker>,
    State(files): State<Files>,
    Worker(worker): Worker,
    Path((job, token, sha256)): Path<(String, String, String)>,
) -> Result<Response, Trouble> {
    let job = held(&broker, &worker, &job, &token).await?;
    input(&broker, &files, &job, &sha256).await
}

/// `GET /link/next/{job}/inputs/{sha256}`: only of the job that this worker was told comes next, while it waits.
pub(super) async fn get_next_input(
    State(broker): State<Broker>,
    State(files): State<Files>,
    State(places): State<Places>,
    Worker(worker): Worker,
    Path((job, sha256)): Path<(String, String)>,
) -> Result<Response, Trouble> {
    let job: JobId = job.parse()?;
    if !places.comes_next(&worker, job) {
        return Err(Trouble::NotFound);
    }
    let job = broker.job(job).await?.filter(|job| job.state == JobState::Pending).ok_or(Trouble::NotFound)?;
    input(&broker, &files, &job, &sha256).await
}

async fn input(broker: &Broker, files: &Files, job: &StoredJob, sha256: &str) -> Result<Response, Trouble> {
    let sha256: FileHash = sha256.parse()?;
    if !broker.inputs(job.id).await?.iter().any(|input| input.sha256 == sha256) {
        return Err(Trouble::NotFound);
    }
    let (file, _) = files.open_file(&inputs::content_path(&job.participant, &sha256)?)?;
    Ok(Body::from_stream(ReaderStream::new(file)).into_response())
}

/// `PUT /link/jobs/{job}/{token}/outputs/{kind}/{path}`
pub(super) async fn put_output(
    State(broker): State<Broker>,
    State(files): State<Files>,
    Worker(worker): Worker,
    Path((job, token, kind, path)): Path<(String, String, String, String)>,
    body: Body,
) -> Result<StatusCode, Trouble> {
    let job = held(&broker, &worker, &job, &token).await?;
    let at = outputs::path(&job.participant, job.id, job.token, &kind, &path)?;
    files.write_stream(&at, limits::FILE as u64, body.into_data_stream()).await?;
    Ok(StatusCode::NO_CONTENT)
}
