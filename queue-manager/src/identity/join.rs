//! `/join/…`: a link from a card or a QR code signs somebody in, once. Opening it shows a button; only the button uses
//! the link up, because programs that show previews of links open them as well.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Redirect, Response};
use queue_broker::Broker;
use queue_broker::sessions::SecretHash;
use queue_broker::transitions::enter::Entered;

use super::caller::Identity;
use super::password::random_secret;
use super::sign_in::about;
use crate::pages::Look;
use crate::problem::Trouble;

const OVER: &str = "This link was used already, was replaced or taken back, or is older than a day. Ask for a new one, or sign in with \
     your password.";
const AWAY: &str = "The queue store is not answering. Try again in a moment.";

/// `GET /join/{secret}`
pub(crate) async fn page(
    State(broker): State<Broker>,
    State(look): State<Look>,
    Path(secret): Path<String>,
) -> Response {
    match broker.join_link(&SecretHash::of(&secret)).await {
        Ok(Some(account)) => look.join(account.name.as_str()),
        Ok(None) => look.sign_in(OVER),
        Err(_) => look.sign_in(AWAY),
    }
}

/// `POST /join/{secret}`
pub(crate) async fn submit(
    State(identity): State<Identity>,
    State(broker): State<Broker>,
    State(look): State<Look>,
    Path(secret): Path<String>,
    headers: HeaderMap,
) -> Response {
    match begin(&broker, &secret, about(&headers)).await {
        Ok(Some((name, session))) => {
            let cookie = [(header::SET_COOKIE, identity.cookie().begin(&session))];
            (cookie, Redirect::to(&format!("/{name}/"))).into_response()
        }
        Ok(None) => look.sign_in(OVER),
        Err(_) => look.sign_in(AWAY),
    }
}

async fn begin(broker: &Broker, secret: &str, about: &str) -> Result<Option<(String, String)>, Trouble> {
    let Some(account) = broker.use_join_link(&SecretHash::of(secret)).await? else { return Ok(None) };
    let session = random_secret();
    if broker.enter(&SecretHash::of(&session), &account, about).await? == Entered::Over {
        return Ok(None);
    }
    tracing::info!(participant.id = %account.name, "signed in by a link");
    Ok(Some((account.name.to_string(), session)))
}
