//! Accounts: list, add, change, new password.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use queue_broker::Broker;
use queue_broker::accounts::Account as Stored;
use queue_broker::sessions::SecretHash;
use queue_broker::transitions::change::AccountChange;
use queue_broker::transitions::depart::{Departed, Stayed};
use queue_protocol::AccountName;
use queue_protocol::api::{
    Account, AccountList, AccountPatch, JoinLink, NewAccount, NewPassword, Role, SignOut,
};

use super::audit;
use super::input::{Body, Named};
use crate::identity::Caller;
use crate::identity::password::{hash, random_password, random_secret};
use crate::problem::Trouble;

/// Characters of what the instructor calls somebody.
const LABEL: usize = 200;

async fn shown(broker: &Broker, accounts: Vec<Stored>) -> Result<Vec<Account>, Trouble> {
    let names: Vec<_> = accounts.iter().map(|account| account.name.clone()).collect();
    let facts = broker.people_facts(&names).await?;
    let shown = accounts.into_iter().zip(facts).map(|(account, facts)| Account {
        name: account.name,
        role: account.role,
        disabled: account.disabled,
        label: facts.label,
        seat: facts.seat,
    });
    Ok(shown.collect())
}

pub(crate) async fn list(State(broker): State<Broker>) -> Result<Json<AccountList>, Trouble> {
    let accounts = broker.accounts().await?;
    Ok(Json(AccountList { accounts: shown(&broker, accounts).await? }))
}

/// Hashing takes a core for a while, so never on a thread that serves others.
async fn new_password() -> Result<(String, String), Trouble> {
    let made = tokio::task::spawn_blocking(|| {
        let password = random_password();
        hash(&password).map(|hash| (password, hash))
    });
    made.await.map_err(|_| Trouble::Bug)?.map_err(|_| Trouble::Bug)
}

pub(crate) async fn add(
    State(broker): State<Broker>,
    caller: Caller,
    Body(wanted): Body<NewAccount>,
) -> Result<(StatusCode, Json<NewPassword>), Trouble> {
    if broker.account(&wanted.name).await?.is_some() {
        return Err(Trouble::WrongState(format!("{} is there already.", wanted.name)));
    }
    let (password, password_hash) = new_password().await?;
    let role = wanted.role.unwrap_or(Role::Participant);
    let account = Stored { name: wanted.name, role, password_hash, disabled: false, generation: 0 };
    broker.put_account(&account).await?;
    audit::note(&broker, &caller, "account.add", account.name.as_str(), "", role.word()).await;
    Ok((StatusCode::CREATED, Json(NewPassword { name: account.name, password })))
}

pub(crate) async fn change(
    State(broker): State<Broker>,
    caller: Caller,
    Named(name): Named<AccountName>,
    Body(wanted): Body<AccountPatch>,
) -> Result<Json<Account>, Trouble> {
    if caller.name == name && (wanted.disabled == Some(true) || wanted.role == Some(Role::Participant)) {
        let why =
            "You cannot lock yourself out. Ask another instructor, or use the command line on the server.";
        return Err(Trouble::BadRequest(why.to_owned()));
    }
    let before = broker.account(&name).await?.ok_or(Trouble::NotFound)?;
    if let Some(disabled) = wanted.disabled.filter(|disabled| *disabled != before.disabled) {
        broker.change_account(&name, &AccountChange::Disabled(disabled)).await?;
        let word = |disabled| if disabled { "disabled" } else { "enabled" };
        audit::note(&broker, &caller, "account.change", name.as_str(), word(before.disabled), word(disabled))
            .await;
    }
    if let Some(role) = wanted.role.filter(|role| *role != before.role) {
        broker.change_account(&name, &AccountChange::Role(role)).await?;
        audit::note(&broker, &caller, "account.change", name.as_str(), before.role.word(), role.word()).await;
    }
    if wanted.label.is_some() || wanted.seat.is_some() {
        place(&broker, &caller, &name, &wanted).await?;
    }
    let account = broker.account(&name).await?.ok_or(Trouble::NotFound)?;
    shown(&broker, vec![account]).await?.pop().map(Json).ok_or(Trouble::NotFound)
}

/// What somebody is called and where they sit: nothing that a session depends on.
async fn place(
    broker: &Broker,
    caller: &Caller,
    name: &AccountName,
    wanted: &AccountPatch,
) -> Result<(), Trouble> {
    let label = wanted.label.as_deref().map(str::trim);
    if label.is_some_and(|label| label.chars().count() > LABEL || label.contains(char::is_control)) {
        return Err(Trouble::BadRequest(format!(
            "label must have at most {LABEL} characters, all in one line."
        )));
    }
    if wanted.seat.is_some_and(|seat| seat > 10_000) {
        return Err(Trouble::BadRequest("seat must be at most 10000.".to_owned()));
    }
    let words = |label: &str, seat: Option<u32>| {
        format!("label={label} seat={}", seat.map(|seat| seat.to_string()).unwrap_or_default())
    };
    let before = broker.people_facts(std::slice::from_ref(name)).await?.pop().ok_or(Trouble::NotFound)?;
    broker.place_person(name, label, wanted.seat).await?;
    let after = words(label.unwrap_or(&before.label), wanted.seat.or(before.seat).filter(|seat| *seat > 0));
    let before = words(&before.label, before.seat);
    if before != after {
        audit::note(broker, caller, "account.place", name.as_str(), &before, &after).await;
    }
    Ok(())
}

pub(crate) async fn sign_out(
    State(broker): State<Broker>,
    caller: Caller,
    Named(name): Named<AccountName>,
    Body(wanted): Body<SignOut>,
) -> Result<StatusCode, Trouble> {
    let after_ms = wanted.after_ms.unwrap_or_default();
    if after_ms > 60_000 {
        return Err(Trouble::BadRequest("after_ms must be at most 60000.".to_owned()));
    }
    let after = match broker.depart(&name, Duration::from_millis(after_ms.into())).await? {
        Departed::Done => "",
        Departed::Later => "delayed",
        Departed::Unknown => return Err(Trouble::NotFound),
    };
    audit::note(&broker, &caller, "account.sign_out", name.as_str(), "", after).await;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn stay(
    State(broker): State<Broker>,
    caller: Caller,
    Named(name): Named<AccountName>,
) -> Result<StatusCode, Trouble> {
    match broker.let_stay(&name).await? {
        Stayed::Stays => {}
        Stayed::Over => {
            let why = "This person is not about to be signed out: it happened, or nobody said so.".to_owned();
            return Err(Trouble::WrongState(why));
        }
        Stayed::Unknown => return Err(Trouble::NotFound),
    }
    audit::note(&broker, &caller, "account.stay", name.as_str(), "", "").await;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn link(
    State(broker): State<Broker>,
    caller: Caller,
    Named(name): Named<AccountName>,
) -> Result<(StatusCode, Json<JoinLink>), Trouble> {
    let account = broker.account(&name).await?.ok_or(Trouble::NotFound)?;
    if account.disabled {
        return Err(Trouble::BadRequest("This account is disabled. Enable it first.".to_owned()));
    }
    let secret = random_secret();
    let until = broker.put_join_link(&SecretHash::of(&secret), &account).await?;
    audit::note(&broker, &caller, "account.link", name.as_str(), "", "").await;
    Ok((StatusCode::CREATED, Json(JoinLink { name, path: format!("/join/{secret}"), until })))
}

pub(crate) async fn password(
    State(broker): State<Broker>,
    caller: Caller,
    Named(name): Named<AccountName>,
) -> Result<Json<NewPassword>, Trouble> {
    broker.account(&name).await?.ok_or(Trouble::NotFound)?;
    let (password, hash) = new_password().await?;
    broker.change_account(&name, &AccountChange::PasswordHash(hash)).await?;
    audit::note(&broker, &caller, "account.password", name.as_str(), "", "").await;
    Ok(Json(NewPassword { name, password }))
}
