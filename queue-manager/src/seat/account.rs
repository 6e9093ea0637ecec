//! The account page of a seat: where one is signed in and the tokens of one's programs, with forms that end them. It does
//! what the API's `account/…` does, and like it sees nobody who comes with a token.

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use queue_broker::Broker;
use queue_protocol::TokenId;
use queue_protocol::api::{Scope, WantedPersonToken};
use serde::Deserialize;

use super::input::{Filled, Named};
use crate::api::account;
use crate::identity::Caller;
use crate::identity::caller::Identity;
use crate::identity::guard::Pace;
use crate::pages::Look;
use crate::problem::{SeatTrouble, Trouble};

fn in_person(caller: Caller) -> Result<Caller, Trouble> {
    if caller.in_person() { Ok(caller) } else { Err(Trouble::Forbidden) }
}

fn back(caller: &Caller) -> Response {
    Redirect::to(&format!("/{}/account", caller.name)).into_response()
}

async fn shown(
    look: Look,
    broker: &Broker,
    caller: &Caller,
    made: Option<&str>,
    message: &str,
) -> Result<Response, Trouble> {
    let (sessions, tokens) =
        (account::listed_sessions(broker, caller).await?, broker.person_tokens(Some(&caller.name)).await?);
    Ok(look.account(broker.now_ms().await?, &sessions, &tokens, made, message))
}

pub(super) async fn page(
    State(look): State<Look>,
    State(broker): State<Broker>,
    caller: Caller,
) -> Result<Response, SeatTrouble> {
    Ok(shown(look, &broker, &in_person(caller)?, None, "").await?)
}

pub(super) async fn end_session(
    State(broker): State<Broker>,
    caller: Caller,
    Named(id): Named<TokenId>,
) -> Result<Response, SeatTrouble> {
    let caller = in_person(caller)?;
    match account::end(&broker, &caller, &id).await {
        Ok(()) | Err(Trouble::NotFound) => Ok(back(&caller)),
        Err(trouble) => Err(trouble.into()),
    }
}

/// Ends all sessions but the one that asks, and whatever else opens the account: tokens, and a link that waits for its use.
pub(super) async fn end_others(
    State(broker): State<Broker>,
    State(identity): State<Identity>,
    caller: Caller,
) -> Result<Response, SeatTrouble> {
    let caller = in_person(caller)?;
    broker.depart_elsewhere(&caller.name, caller.session()).await?;
    // What this browser asks next is asked as who it is since.
    identity.forget_sessions();
    Ok(back(&caller))
}

#[derive(Deserialize)]
pub(super) struct Wanted {
    label: String,
    may: String,
    days: String,
}

/// Makes a token and shows it; what is wrong with the form stands on the page.
pub(super) async fn make_token(
    State(look): State<Look>,
    State(broker): State<Broker>,
    State(pace): State<Pace>,
    caller: Caller,
    Filled(form): Filled<Wanted>,
) -> Result<Response, SeatTrouble> {
    let caller = in_person(caller)?;
    let scopes = if form.may == "work" { vec![Scope::Read, Scope::Work] } else { vec![Scope::Read] };
    let wanted = WantedPersonToken { label: form.label, scopes, days: Some(form.days.parse().unwrap_or(0)) };
    match account::make(&broker, &pace, &caller, wanted).await {
        Ok(made) => Ok(shown(look, &broker, &caller, Some(&made.token), "").await?),
        Err(trouble) => {
            let (status, _) = trouble.status_and_code();
            let mut answer = shown(look, &broker, &caller, None, &trouble.to_string()).await?;
            *answer.status_mut() = status;
            Ok(answer)
        }
    }
}

/// Revokes one's own token; one that is gone already stays gone.
pub(super) async fn revoke_token(
    State(broker): State<Broker>,
    State(identity): State<Identity>,
    caller: Caller,
    Named(id): Named<TokenId>,
) -> Result<Response, SeatTrouble> {
    let caller = in_person(caller)?;
    match account::revoke(&broker, &caller, &id).await {
        Ok(()) | Err(Trouble::NotFound) => {}
        Err(trouble) => return Err(trouble.into()),
    }
    identity.forget_sessions();
    Ok(back(&caller))
}
