//! The scripts that workers' custom nodes have for browsers: seats load a set only after the instructor accepted it.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use queue_broker::Broker;
use queue_protocol::FileHash;
use queue_protocol::api::BrowserFileSets;

use super::audit;
use super::input::Named;
use crate::identity::Caller;
use crate::parts::Parts;
use crate::problem::Trouble;

pub(crate) async fn list(State(parts): State<Parts>) -> Result<Json<BrowserFileSets>, Trouble> {
    Ok(Json(BrowserFileSets { sets: parts.sets().await? }))
}

pub(crate) async fn accept(
    State(parts): State<Parts>,
    State(broker): State<Broker>,
    caller: Caller,
    Named(hash): Named<FileHash>,
) -> Result<StatusCode, Trouble> {
    if parts.accept(&hash, true).await? {
        audit::note(&broker, &caller, "browser_files.accept", hash.as_str(), "", "").await;
    }
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn refuse(
    State(parts): State<Parts>,
    State(broker): State<Broker>,
    caller: Caller,
    Named(hash): Named<FileHash>,
) -> Result<StatusCode, Trouble> {
    parts.accept(&hash, false).await?;
    audit::note(&broker, &caller, "browser_files.refuse", hash.as_str(), "", "").await;
    Ok(StatusCode::NO_CONTENT)
}
