//! A job's pictures, for the instructor who opened it: made anew, so that nothing but the picture is in them.

use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use queue_broker::Broker;
use queue_protocol::JobId;

use super::view;
use crate::files::{Files, outputs};
use crate::identity::Caller;
use crate::problem::Trouble;
use crate::seat::picture::{self, Form};
use crate::turns::Costly;

/// A job that was opened shows its pictures for so long.
pub(super) const OPEN_FOR: Duration = Duration::from_secs(600);

/// As good as the eye sees, and small enough for a venue's network.
const SHOWN: Form = Form::Webp { quality: 85, opaque: false };

/// `GET /jobs/{id}/pictures/{n}`: the n-th of the job's `outputs`, from 0.
pub(crate) async fn show(
    State(broker): State<Broker>,
    State(files): State<Files>,
    State(costly): State<Costly>,
    caller: Caller,
    Path((id, n)): Path<(String, String)>,
) -> Result<Response, Trouble> {
    let id: JobId = id.parse().map_err(|_| Trouble::NotFound)?;
    let n: usize = n.parse().map_err(|_| Trouble::NotFound)?;
    let job = broker.job(id).await?.ok_or(Trouble::NotFound)?;
    if !broker.is_open_to(&caller.name, id).await? {
        return Err(Trouble::WrongState("Open the job first; that is noted in the audit log.".to_owned()));
    }
    let result = broker.result(id).await?.ok_or(Trouble::NotFound)?;
    let (.., file) = view::references(&result).into_iter().nth(n).ok_or(Trouble::NotFound)?;
    let path = outputs::visible(&job, &file.kind, &file.in_its_job())?;
    if files.entry(&path)?.size > picture::FILE {
        return Err(Trouble::NotFound);
    }
    let mut turn = costly.pictures.take(&caller.name).await?;
    let made = picture::render(files.read(&path).await?, SHOWN).await.ok_or(Trouble::NotFound)?;
    turn.let_others();
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(SHOWN.content_type())),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    Ok((headers, made).into_response())
}
