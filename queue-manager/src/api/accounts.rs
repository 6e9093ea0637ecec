//! Accounts: list, add, change, new password.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use queue_broker::Broker;
use queue_broker::accounts::{Account as Stored, AccountChange};
use queue_protocol::AccountName;
use queue_protocol::api::{Account, AccountList, AccountPatch, NewAccount, NewPassword, Role};

use super::audit;
use super::input::{Body, Named};
use crate::identity::Caller;
use crate::identity::password::{hash, random_password};
use crate::problem::Trouble;

fn shown(account: Stored) -> Account {
    Account { name: account.name, role: account.role, disabled: account.disabled }
}

pub(crate) async fn list(State(broker): State<Broker>) -> Result<Json<AccountList>, Trouble> {
    let accounts = broker.accounts().await?.into_iter().map(shown).collect();
    Ok(Json(AccountList { accounts }))
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
    let account = Stored { name: wanted.name, role, password_hash, disabled: false };
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
    broker.account(&name).await?.map(shown).map(Json).ok_or(Trouble::NotFound)
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
