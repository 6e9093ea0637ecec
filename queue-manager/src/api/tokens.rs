//! Workers' tokens: list, make, revoke. The token itself is shown once, when it is made.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use queue_broker::Broker;
use queue_broker::sessions::SecretHash;
use queue_protocol::TokenId;
use queue_protocol::api::{NewToken, TokenList, WantedToken};

use super::audit;
use super::input::{Body, Named};
use crate::identity::Caller;
use crate::identity::password::random_secret;
use crate::problem::Trouble;

pub(crate) async fn list(State(broker): State<Broker>) -> Result<Json<TokenList>, Trouble> {
    Ok(Json(TokenList { tokens: broker.worker_tokens().await? }))
}

pub(crate) async fn issue(
    State(broker): State<Broker>,
    caller: Caller,
    Body(wanted): Body<WantedToken>,
) -> Result<(StatusCode, Json<NewToken>), Trouble> {
    let token = random_secret();
    let lasts = wanted.days.map(days).transpose()?;
    let id = broker.put_worker_token(&SecretHash::of(&token), &wanted.worker, lasts).await?;
    audit::note(&broker, &caller, "token.issue", wanted.worker.as_str(), "", id.as_str()).await;
    Ok((StatusCode::CREATED, Json(NewToken { id, worker: wanted.worker, token })))
}

/// How long a token lasts.
pub(super) fn days(days: u16) -> Result<Duration, Trouble> {
    if !(1..=366).contains(&days) {
        return Err(Trouble::BadRequest("days must be 1 to 366.".to_owned()));
    }
    Ok(Duration::from_secs(u64::from(days) * 24 * 3_600))
}

pub(crate) async fn revoke(
    State(broker): State<Broker>,
    caller: Caller,
    Named(id): Named<TokenId>,
) -> Result<StatusCode, Trouble> {
    if !broker.revoke_worker_token(&id).await? {
        return Err(Trouble::NotFound);
    }
    audit::note(&broker, &caller, "token.revoke", id.as_str(), "", "").await;
    Ok(StatusCode::NO_CONTENT)
}
