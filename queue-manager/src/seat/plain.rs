//! The plain page of a seat: own jobs, a form to run a workflow file, a form to cancel. All of it works without scripts.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request, State};
use axum::response::{IntoResponse, Redirect, Response};
use queue_protocol::{JobId, Lane, limits};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::task::block_in_place;

use super::input::{Form, Named};
use crate::api::view;
use crate::bodies;
use crate::identity::Caller;
use crate::identity::guard::Pace;
use crate::pages::Look;
use crate::problem::{SeatTrouble, Trouble};
use crate::turns::Costly;
use crate::workflow::depth;
use crate::workflow::submit::Door;

/// Ended jobs that the page lists, besides all that wait or run.
const SHOWN: usize = 100;

pub(super) async fn page(
    State(look): State<Look>,
    State(door): State<Door>,
    caller: Caller,
) -> Result<Response, SeatTrouble> {
    shown(look, &door, &caller, "").await
}

pub(super) async fn shown(
    look: Look,
    door: &Door,
    caller: &Caller,
    message: &str,
) -> Result<Response, SeatTrouble> {
    let stored = door.broker.jobs_of(&caller.name, SHOWN).await?;
    let jobs = view::jobs(&door.broker, &door.capabilities, stored).await?;
    let simulated = door.broker.has_simulated_worker().await?;
    let queue = door.broker.status().await?;
    Ok(look.plain_seat(&jobs, &queue, simulated, message))
}

/// Runs the workflow file of the form; what is wrong with it stands on the page.
pub(super) async fn run(
    State(look): State<Look>,
    State(door): State<Door>,
    State(pace): State<Pace>,
    State(costly): State<Costly>,
    caller: Caller,
    request: Request,
) -> Result<Response, SeatTrouble> {
    match submit(&door, &pace, &costly, &caller, request).await {
        Ok(()) => Ok(back(&caller)),
        Err(trouble) => {
            let (status, _) = trouble.status_and_code();
            let mut answer = shown(look, &door, &caller, &trouble.to_string()).await?;
            *answer.status_mut() = status;
            Ok(answer)
        }
    }
}

#[derive(Deserialize)]
struct Wrapped<'a> {
    #[serde(borrow)]
    prompt: Option<&'a RawValue>,
}

async fn submit(
    door: &Door,
    pace: &Pace,
    costly: &Costly,
    caller: &Caller,
    request: Request,
) -> Result<(), Trouble> {
    pace.submit(&caller.name)?;
    let size = bodies::size(request.body(), limits::BODY);
    let _room = bodies::room(costly, &caller.name, size).await?;
    let file = bodies::in_time(workflow_file(request)).await?;
    let body = block_in_place(|| request_of(&file))?;
    drop(file);
    door.submit(&caller.name, Lane::Normal, &body).await.map(drop)
}

/// What a tab would send for a file: a workflow, or one that is wrapped as a request already.
fn request_of(file: &[u8]) -> Result<Bytes, Trouble> {
    depth::check(file)?;
    let no_workflow = |_| bad("This file is not a workflow: it is no JSON.");
    let graph: &RawValue = serde_json::from_slice(file).map_err(no_workflow)?;
    let wrapped = serde_json::from_str::<Wrapped<'_>>(graph.get()).ok().and_then(|wrapped| wrapped.prompt);
    Ok(format!(r#"{{"prompt":{}}}"#, wrapped.unwrap_or(graph).get()).into())
}

async fn workflow_file(request: Request) -> Result<Bytes, Trouble> {
    let Form(mut form) = Form::from_request(request, &()).await.map_err(|SeatTrouble(trouble)| trouble)?;
    let broken = |_| Trouble::TooLarge(limits::BODY);
    let mut file = None;
    while let Some(field) = form.next_field().await.map_err(broken)? {
        if field.name() == Some("workflow") {
            file = Some(field.bytes().await.map_err(broken)?);
        }
    }
    file.filter(|file| !file.is_empty()).ok_or_else(|| bad("Choose a workflow file first."))
}

fn bad(why: &str) -> Trouble {
    Trouble::BadRequest(why.to_owned())
}

/// Cancels one's own job. One that ended meanwhile, or is somebody else's, stays as it is.
pub(super) async fn cancel(
    State(door): State<Door>,
    caller: Caller,
    Named(id): Named,
) -> Result<Response, SeatTrouble> {
    let id: JobId = id.parse()?;
    door.broker.cancel(id, Some(&caller.name), Duration::ZERO).await?;
    Ok(back(&caller))
}

fn back(caller: &Caller) -> Response {
    Redirect::to(&format!("/{}/jobs", caller.name)).into_response()
}
