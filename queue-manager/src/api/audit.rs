//! The audit log: what was done to the queue, to workers and to other people's things. A log that cannot be written
//! stops nothing; the cause is in the process's own log.

use axum::Json;
use axum::extract::State;
use queue_broker::transitions::configure::Changed;
use queue_broker::transitions::record::Deed;
use queue_broker::{Broker, BrokerError};
use queue_protocol::JobId;
use queue_protocol::api::{AuditFilter, AuditLog, Role};

use super::input::{Asked, page};
use crate::identity::Caller;
use crate::problem::Trouble;

pub(crate) async fn list(
    State(broker): State<Broker>,
    Asked(filter): Asked<AuditFilter>,
) -> Result<Json<AuditLog>, Trouble> {
    let limit = page(filter.limit)?;
    let entries = broker.audit(filter.cursor, limit).await?;
    let cursor = entries.last().filter(|_| entries.len() == limit).map(|entry| entry.id);
    Ok(Json(AuditLog { entries, cursor }))
}

pub(super) async fn note(
    broker: &Broker,
    caller: &Caller,
    what: &'static str,
    target: &str,
    before: &str,
    after: &str,
) {
    written(caller, broker.record_deed(&caller.name, deed(what, target, before, after)).await);
}

/// What somebody did with their own account.
pub(super) async fn own(broker: &Broker, caller: &Caller, what: &'static str, before: &str, after: &str) {
    let deed = deed(what, caller.name.as_str(), before, after);
    written(caller, broker.record_own_deed(&caller.name, deed).await);
}

fn deed(what: &'static str, target: &str, before: &str, after: &str) -> Deed {
    let [target, before, after] = [target, before, after].map(str::to_owned);
    Deed { what: what.to_owned(), target, before, after }
}

fn written(caller: &Caller, outcome: Result<(), BrokerError>) {
    if let Err(error) = outcome {
        tracing::error!(%error, participant.id = %caller.name, "an entry of the audit log was not written");
    }
}

/// What the instructor did to a job. What people do with their own is theirs.
pub(super) async fn job(broker: &Broker, caller: &Caller, id: JobId, what: &'static str, after: &str) {
    if caller.role == Role::Instructor {
        note(broker, caller, what, &id.to_string(), "", after).await;
    }
}

/// Settings that are others now.
pub(super) async fn settings(
    broker: &Broker,
    caller: &Caller,
    what: &'static str,
    target: &str,
    changed: &[Changed],
    wanted: &[(&str, &str)],
) {
    for Changed { name, before } in changed {
        let after = wanted.iter().find(|(wanted, _)| wanted == name).map_or("", |(_, value)| value);
        let (before, after) = (format!("{name}={before}"), format!("{name}={after}"));
        note(broker, caller, what, target, &before, &after).await;
    }
}
