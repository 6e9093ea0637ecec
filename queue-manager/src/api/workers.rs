//! Workers: list, drain, resume, forget.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use queue_broker::Broker;
use queue_broker::transitions::drain::{Ordered, WorkerOrder};
use queue_protocol::WorkerName;
use queue_protocol::api::WorkerList;

use super::audit;
use super::input::Named;
use crate::identity::Caller;
use crate::problem::Trouble;

pub(crate) async fn list(State(broker): State<Broker>) -> Result<Json<WorkerList>, Trouble> {
    Ok(Json(WorkerList { workers: broker.worker_list().await? }))
}

pub(crate) async fn drain(
    State(broker): State<Broker>,
    caller: Caller,
    Named(worker): Named<WorkerName>,
) -> Result<StatusCode, Trouble> {
    order(&broker, &caller, &worker, WorkerOrder::Drain, "worker.drain").await
}

pub(crate) async fn resume(
    State(broker): State<Broker>,
    caller: Caller,
    Named(worker): Named<WorkerName>,
) -> Result<StatusCode, Trouble> {
    order(&broker, &caller, &worker, WorkerOrder::Resume, "worker.resume").await
}

pub(crate) async fn forget(
    State(broker): State<Broker>,
    caller: Caller,
    Named(worker): Named<WorkerName>,
) -> Result<StatusCode, Trouble> {
    order(&broker, &caller, &worker, WorkerOrder::Forget, "worker.forget").await
}

async fn order(
    broker: &Broker,
    caller: &Caller,
    worker: &WorkerName,
    order: WorkerOrder,
    what: &'static str,
) -> Result<StatusCode, Trouble> {
    match broker.order_worker(worker, order).await? {
        Ordered::Done => {
            audit::note(broker, caller, what, worker.as_str(), "", "").await;
            Ok(StatusCode::NO_CONTENT)
        }
        Ordered::Busy(job) => {
            Err(Trouble::WrongState(format!("It holds job {job}. Drain it and wait, or cancel the job.")))
        }
        Ordered::Here => Err(Trouble::WrongState(
            "It is connected. Stop it first, and forget it half a minute later.".to_owned(),
        )),
        Ordered::Unknown => Err(Trouble::NotFound),
    }
}
