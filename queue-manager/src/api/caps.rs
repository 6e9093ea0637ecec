//! Caps: how much may wait and run, for everybody and for one.

use axum::Json;
use axum::extract::State;
use queue_broker::Broker;
use queue_protocol::AccountName;
use queue_protocol::api::Caps;

use super::audit;
use super::input::{Body, Named};
use crate::identity::Caller;
use crate::problem::Trouble;

pub(crate) async fn own(State(broker): State<Broker>, caller: Caller) -> Result<Json<Caps>, Trouble> {
    Ok(Json(broker.caps(Some(&caller.name)).await?))
}

pub(crate) async fn of(
    State(broker): State<Broker>,
    Named(name): Named<AccountName>,
) -> Result<Json<Caps>, Trouble> {
    broker.account(&name).await?.ok_or(Trouble::NotFound)?;
    Ok(Json(broker.caps(Some(&name)).await?))
}

pub(crate) async fn change(
    State(broker): State<Broker>,
    caller: Caller,
    Body(wanted): Body<Caps>,
) -> Result<Json<Caps>, Trouble> {
    write(&broker, &caller, None, &wanted).await
}

pub(crate) async fn change_of(
    State(broker): State<Broker>,
    caller: Caller,
    Named(name): Named<AccountName>,
    Body(wanted): Body<Caps>,
) -> Result<Json<Caps>, Trouble> {
    broker.account(&name).await?.ok_or(Trouble::NotFound)?;
    if wanted.waiting.is_some() || wanted.bytes.is_some() {
        let why = "waiting and bytes are caps of the whole workshop; one person has waiting_per_participant.";
        return Err(Trouble::BadRequest(why.to_owned()));
    }
    write(&broker, &caller, Some(&name), &wanted).await
}

/// As the shape says: far above any workshop, and far below where numbers in the store lose digits.
const BYTES: u64 = 1_000_000_000_000;

async fn write(
    broker: &Broker,
    caller: &Caller,
    whose: Option<&AccountName>,
    wanted: &Caps,
) -> Result<Json<Caps>, Trouble> {
    let all = [
        ("waiting_per_participant", wanted.waiting_per_participant.map(u64::from), 1_000_000),
        ("bytes_per_participant", wanted.bytes_per_participant, BYTES),
        ("running_per_participant", wanted.running_per_participant.map(u64::from), 1_000),
        ("waiting", wanted.waiting.map(u64::from), 10_000_000),
        ("bytes", wanted.bytes, BYTES),
    ];
    if let Some((name, _, most)) =
        all.iter().find(|(_, value, most)| value.is_some_and(|value| value > *most))
    {
        return Err(Trouble::BadRequest(format!("{name} may be at most {most}.")));
    }
    let given = all.iter().filter_map(|(name, value, _)| value.map(|value| (*name, value)));
    let texts: Vec<_> = given.map(|(name, value)| (name, value.to_string())).collect();
    let settings: Vec<_> = texts.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let changed = broker.configure(whose, &settings).await?;
    let target = whose.map(AccountName::as_str).unwrap_or_default();
    audit::settings(broker, caller, "caps.change", target, &changed, &settings).await;
    Ok(Json(broker.caps(whose).await?))
}
