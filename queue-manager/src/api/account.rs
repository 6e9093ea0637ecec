//! One's own sessions and tokens: where one is signed in, and what one's programs come with. Whoever has only a token
//! sees and changes none of this.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use queue_broker::Broker;
use queue_broker::sessions::{ListedSession, SecretHash};
use queue_broker::transitions::grant::{Grant, Granted, TOKENS};
use queue_protocol::TokenId;
use queue_protocol::api::{
    NewPersonToken, PersonTokenList, Role, Scope, Session, SessionList, WantedPersonToken,
};

use super::audit;
use super::input::{Body, Named};
use super::tokens::days;
use crate::identity::Caller;
use crate::identity::caller::TOKEN_PREFIX;
use crate::identity::guard::Pace;
use crate::identity::password::random_secret;
use crate::problem::Trouble;

/// Characters of what a token is called.
const LABEL: usize = 60;
/// Days that a token lasts when nobody says how many.
const USUAL_DAYS: u16 = 30;

async fn own_sessions(broker: &Broker, caller: &Caller) -> Result<Vec<ListedSession>, Trouble> {
    let account = broker.account(&caller.name).await?.ok_or(Trouble::NotSignedIn)?;
    Ok(broker.sessions_of(&account).await?)
}

pub(crate) async fn listed_sessions(broker: &Broker, caller: &Caller) -> Result<Vec<Session>, Trouble> {
    let sessions = own_sessions(broker, caller).await?.into_iter().map(|session| Session {
        current: caller.session() == Some(&session.secret),
        id: session.id,
        about: session.about,
        made_at: session.made_at,
        used_at: session.used_at,
        ends_at: session.ends_at,
    });
    Ok(sessions.collect())
}

pub(crate) async fn sessions(
    State(broker): State<Broker>,
    caller: Caller,
) -> Result<Json<SessionList>, Trouble> {
    Ok(Json(SessionList { sessions: listed_sessions(&broker, &caller).await? }))
}

/// Ends one session of the caller's.
pub(crate) async fn end(broker: &Broker, caller: &Caller, id: &TokenId) -> Result<(), Trouble> {
    let sessions = own_sessions(broker, caller).await?;
    let session = sessions.iter().find(|session| session.id == *id).ok_or(Trouble::NotFound)?;
    Ok(broker.end_session(&session.secret).await?)
}

pub(crate) async fn end_session(
    State(broker): State<Broker>,
    caller: Caller,
    Named(id): Named<TokenId>,
) -> Result<StatusCode, Trouble> {
    end(&broker, &caller, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn tokens(
    State(broker): State<Broker>,
    caller: Caller,
) -> Result<Json<PersonTokenList>, Trouble> {
    Ok(Json(PersonTokenList { tokens: broker.person_tokens(Some(&caller.name)).await? }))
}

pub(crate) async fn make_token(
    State(broker): State<Broker>,
    State(pace): State<Pace>,
    caller: Caller,
    Body(wanted): Body<WantedPersonToken>,
) -> Result<(StatusCode, Json<NewPersonToken>), Trouble> {
    Ok((StatusCode::CREATED, Json(make(&broker, &pace, &caller, wanted).await?)))
}

/// Makes a token of the caller's.
pub(crate) async fn make(
    broker: &Broker,
    pace: &Pace,
    caller: &Caller,
    mut wanted: WantedPersonToken,
) -> Result<NewPersonToken, Trouble> {
    wanted.scopes.sort_unstable();
    wanted.scopes.dedup();
    let label = wanted.label.trim();
    if wanted.scopes.is_empty() {
        return Err(Trouble::BadRequest("scopes must name at least one of read, work, steer.".to_owned()));
    }
    if label.chars().count() > LABEL || label.contains(char::is_control) {
        return Err(Trouble::BadRequest(format!(
            "label must have at most {LABEL} characters, all in one line."
        )));
    }
    if wanted.scopes.contains(&Scope::Steer) && caller.role != Role::Instructor {
        return Err(Trouble::Forbidden);
    }
    let lasts = days(wanted.days.unwrap_or(USUAL_DAYS))?;
    pace.sign_in(&caller.name)?;
    let token = format!("{TOKEN_PREFIX}{}", random_secret());
    let grant = Grant {
        account: &caller.name,
        generation: caller.generation,
        session: caller.session(),
        scopes: &wanted.scopes,
        label,
        lasts,
    };
    let id = match broker.grant(&SecretHash::of(&token), grant).await? {
        Granted::Made(id) => id,
        Granted::TooMany => {
            let why = format!("You have {TOKENS} tokens, which is the limit. Revoke one first.");
            return Err(Trouble::WrongState(why));
        }
        Granted::Over => return Err(Trouble::NotSignedIn),
    };
    let words: Vec<_> = wanted.scopes.iter().copied().map(Scope::word).collect();
    audit::own(broker, caller, "account.token", "", &words.join(" ")).await;
    Ok(NewPersonToken { id, token })
}

pub(crate) async fn revoke_token(
    State(broker): State<Broker>,
    caller: Caller,
    Named(id): Named<TokenId>,
) -> Result<StatusCode, Trouble> {
    revoke(&broker, &caller, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Revokes a token of the caller's.
pub(crate) async fn revoke(broker: &Broker, caller: &Caller, id: &TokenId) -> Result<(), Trouble> {
    if !broker.revoke_person_token(id, Some(&caller.name)).await? {
        return Err(Trouble::NotFound);
    }
    audit::own(broker, caller, "account.token_revoked", id.as_str(), "").await;
    Ok(())
}
