//! The sign-in page, and signing in and out.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Form, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use queue_broker::Broker;
use queue_broker::accounts::Account;
use queue_broker::sessions::SecretHash;
use queue_broker::transitions::enter::Entered;
use queue_protocol::api::{SignIn, SignedIn};
use queue_protocol::limits;
use serde::Deserialize;

use super::caller::{Caller, Identity};
use super::guard::Pace;
use super::password::random_secret;
use crate::pages;
use crate::problem::Trouble;

#[derive(Deserialize)]
pub(crate) struct Why {
    failed: Option<String>,
}

/// `GET /sign-in`
pub(crate) async fn page(State(look): State<pages::Look>, Query(why): Query<Why>) -> Response {
    let message = match why.failed.as_deref() {
        None => "",
        Some("often") => "You have just signed in many times. Try again in a few seconds.",
        Some("slow") => "Others are just signing in with this name. Try again in a few seconds.",
        Some("store") => "The queue store is not answering. Try again in a moment.",
        Some(_) => "That name and password do not go together.",
    };
    look.sign_in(message)
}

/// `POST /sign-in` from the page: on to the seat, or back to the page with the reason.
pub(crate) async fn submit(
    State(identity): State<Identity>,
    State(broker): State<Broker>,
    State(pace): State<Pace>,
    headers: HeaderMap,
    Form(form): Form<SignIn>,
) -> Response {
    match begin(&identity, &broker, &pace, form, about(&headers)).await {
        Ok((account, secret)) => {
            let cookie = [(header::SET_COOKIE, identity.cookie().begin(&secret))];
            (cookie, Redirect::to(&format!("/{}/", account.name))).into_response()
        }
        Err(Trouble::SlowDown) => Redirect::to("/sign-in?failed=slow").into_response(),
        Err(Trouble::TooFast) => Redirect::to("/sign-in?failed=often").into_response(),
        Err(Trouble::WrongPassword) => Redirect::to("/sign-in?failed=name").into_response(),
        Err(_) => Redirect::to("/sign-in?failed=store").into_response(),
    }
}

/// `POST /api/v1/session`: a bearer token for programs and for the dashboard.
pub(crate) async fn token(
    State(identity): State<Identity>,
    State(broker): State<Broker>,
    State(pace): State<Pace>,
    headers: HeaderMap,
    sign_in: Result<Json<SignIn>, JsonRejection>,
) -> Result<(StatusCode, Json<SignedIn>), Trouble> {
    let Json(sign_in) = sign_in.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Trouble::TooLarge(limits::SIGN_IN),
        _ => Trouble::BadRequest(rejection.body_text()),
    })?;
    let (account, token) = begin(&identity, &broker, &pace, sign_in, about(&headers)).await?;
    Ok((StatusCode::CREATED, Json(SignedIn { token, name: account.name, role: account.role })))
}

/// What a browser or a program calls itself.
pub(super) fn about(headers: &HeaderMap) -> &str {
    headers.get(header::USER_AGENT).and_then(|name| name.to_str().ok()).unwrap_or_default()
}

async fn begin(
    identity: &Identity,
    broker: &Broker,
    pace: &Pace,
    sign_in: SignIn,
    about: &str,
) -> Result<(Account, String), Trouble> {
    let account = identity.verify(sign_in.name.trim(), sign_in.password).await?;
    pace.sign_in(&account.name)?;
    // A new id at every sign-in: one that was set before means nothing.
    let secret = random_secret();
    // The password was verified some time ago: if it was changed meanwhile, no session begins.
    if broker.enter(&SecretHash::of(&secret), &account, about).await? == Entered::Over {
        return Err(Trouble::WrongPassword);
    }
    tracing::info!(participant.id = %account.name, "signed in");
    Ok((account, secret))
}

/// `GET /api/v1/session`
pub(crate) async fn who(caller: Caller) -> Json<queue_protocol::api::Account> {
    Json(queue_protocol::api::Account {
        name: caller.name,
        role: caller.role,
        disabled: false,
        label: String::new(),
        seat: None,
    })
}

/// `DELETE /api/v1/session`: the token, or the browser's session, is worth nothing from now on.
pub(crate) async fn end(State(identity): State<Identity>, headers: HeaderMap) -> Result<StatusCode, Trouble> {
    identity.sign_out(&headers).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /sign-out`
pub(crate) async fn sign_out(
    State(identity): State<Identity>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Trouble> {
    identity.sign_out(&headers).await?;
    Ok(([(header::SET_COOKIE, identity.cookie().end())], Redirect::to("/sign-in")))
}

/// `GET /`: to the own seat, or to the sign-in page.
pub(crate) async fn home(caller: Result<Caller, Trouble>) -> Redirect {
    match caller {
        Ok(caller) => Redirect::to(&format!("/{}/", caller.name)),
        Err(_) => Redirect::to("/sign-in"),
    }
}
