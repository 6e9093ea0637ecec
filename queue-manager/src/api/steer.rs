//! What owner and instructor do with a job: hold, release, keep, move, retry; and the instructor alone: its lane.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use queue_broker::Broker;
use queue_broker::transitions::retry::Retried;
use queue_broker::transitions::steer::Steered;
use queue_protocol::api::{Move, Prioritise, Retry, Submitted};
use queue_protocol::{JobId, JobState};

use super::audit;
use super::input::{Body, Named};
use super::jobs::owner;
use crate::identity::Caller;
use crate::identity::guard::Pace;
use crate::problem::Trouble;
use crate::workflow::submit::{Door, no_room};

fn wrong_state(state: JobState) -> Trouble {
    Trouble::WrongState(match state {
        JobState::Pending => {
            "The job is held, backing off or about to be cancelled; that cannot be done now.".to_owned()
        }
        state => format!("The job is {state}; that cannot be done now."),
    })
}

async fn answer(
    broker: &Broker,
    caller: &Caller,
    id: JobId,
    what: &'static str,
    after: &str,
    steered: Steered,
) -> Result<StatusCode, Trouble> {
    match steered {
        Steered::Done => {
            audit::job(broker, caller, id, what, after).await;
            Ok(StatusCode::NO_CONTENT)
        }
        Steered::Refused(state) => Err(wrong_state(state)),
        Steered::Unknown => Err(Trouble::NotFound),
    }
}

pub(crate) async fn keep(
    State(broker): State<Broker>,
    caller: Caller,
    Named(id): Named<JobId>,
) -> Result<StatusCode, Trouble> {
    let steered = broker.keep(id, owner(&caller)).await?;
    answer(&broker, &caller, id, "job.keep", "", steered).await
}

pub(crate) async fn hold(
    State(broker): State<Broker>,
    caller: Caller,
    Named(id): Named<JobId>,
) -> Result<StatusCode, Trouble> {
    let steered = broker.hold(id, owner(&caller), true).await?;
    answer(&broker, &caller, id, "job.hold", "", steered).await
}

pub(crate) async fn release(
    State(broker): State<Broker>,
    caller: Caller,
    Named(id): Named<JobId>,
) -> Result<StatusCode, Trouble> {
    let steered = broker.hold(id, owner(&caller), false).await?;
    answer(&broker, &caller, id, "job.release", "", steered).await
}

pub(crate) async fn move_to(
    State(broker): State<Broker>,
    caller: Caller,
    Named(id): Named<JobId>,
    Body(wanted): Body<Move>,
) -> Result<StatusCode, Trouble> {
    let steered = broker.move_to(id, owner(&caller), wanted.place).await?;
    answer(&broker, &caller, id, "job.move", &wanted.place.to_string(), steered).await
}

pub(crate) async fn prioritise(
    State(broker): State<Broker>,
    caller: Caller,
    Named(id): Named<JobId>,
    Body(wanted): Body<Prioritise>,
) -> Result<StatusCode, Trouble> {
    let steered = broker.prioritise(id, wanted.lane).await?;
    answer(&broker, &caller, id, "job.lane", wanted.lane.word(), steered).await
}

pub(crate) async fn retry(
    State(door): State<Door>,
    State(pace): State<Pace>,
    caller: Caller,
    Named(old): Named<JobId>,
    Body(wanted): Body<Retry>,
) -> Result<(StatusCode, Json<Submitted>), Trouble> {
    pace.submit(&caller.name)?;
    let new = wanted.id.unwrap_or_else(JobId::random);
    let repeated = match door.broker.retry(old, owner(&caller), new).await? {
        Retried::Accepted { .. } => false,
        Retried::Repeated(_) => true,
        Retried::Conflict => return Err(Trouble::IdTaken),
        Retried::Full(full) => return Err(no_room(full)),
        Retried::NotEnded(state) => {
            return Err(Trouble::WrongState(format!(
                "The job is {state}; only what is over can be tried again."
            )));
        }
        Retried::NeedsKeys => {
            return Err(Trouble::WrongState(
                "The job needs keys of paid nodes, which are not kept. Press Run in the tab it came from."
                    .to_owned(),
            ));
        }
        Retried::Unknown => return Err(Trouble::NotFound),
    };
    door.metrics.submitted(if repeated { "repeated" } else { "accepted" });
    audit::job(&door.broker, &caller, old, "job.retry", &new.to_string()).await;
    let position = door.broker.positions(&[new]).await.unwrap_or_default().first().copied().flatten();
    let status = if repeated { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, Json(Submitted { id: new, position, repeated })))
}
