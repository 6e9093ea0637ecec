//! `userdata`: workflows and other files a person saves in their tab. The frontend puts a path into one segment
//! (`workflows%2Fa.json`); the plain spelling is understood as well.

use std::io::{self, ErrorKind};

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use percent_encoding::percent_decode_str;
use queue_protocol::{AccountName, limits};
use serde::Deserialize;
use serde_json::{Value, json};

use super::input::Asked;
use super::quota::Quota;
use crate::app::App;
use crate::bodies::{self, Held};
use crate::files::{Entry, Files, StorePath};
use crate::identity::Caller;
use crate::problem::{SeatTrouble, Trouble};

/// Segments before a file's name.
const OWN: usize = 2;

fn path(participant: &AccountName, file: &str) -> Result<StorePath, Trouble> {
    StorePath::new(&["userdata", participant.as_str(), file])
}

fn decoded(raw: &str) -> Result<String, Trouble> {
    percent_decode_str(raw).decode_utf8().map(Into::into).map_err(|_| Trouble::BadPath)
}

#[derive(Deserialize)]
pub(super) struct Listing {
    dir: Option<String>,
    #[serde(default)]
    recurse: Word,
    #[serde(default)]
    full_info: Word,
    #[serde(default)]
    split: Word,
}

/// ComfyUI's way to say yes in a query.
#[derive(Deserialize, Default, PartialEq, Eq)]
#[serde(from = "String")]
struct Word(bool);

impl From<String> for Word {
    fn from(text: String) -> Self {
        Self(text.eq_ignore_ascii_case("true") || text == "1")
    }
}

fn about(path: &str, entry: &Entry) -> Value {
    json!({"path": path, "size": entry.size, "modified": entry.modified_ms, "created": entry.modified_ms})
}

/// What somebody names as a folder; `None` when there is none, when it is a file, or when it leads out of their own.
async fn listed(files: &Files, at: &StorePath, recurse: bool) -> io::Result<Option<Vec<Entry>>> {
    match files.list(at, recurse).await {
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::PermissionDenied
            ) =>
        {
            Ok(None)
        }
        listed => listed.map(Some),
    }
}

pub(super) async fn list(
    State(files): State<Files>,
    caller: Caller,
    Asked(listing): Asked<Listing>,
) -> Result<Response, SeatTrouble> {
    let Some(dir) = listing.dir.filter(|dir| !dir.is_empty()) else {
        return Ok((StatusCode::BAD_REQUEST, "Directory not provided").into_response());
    };
    let Some(entries) =
        listed(&files, &path(&caller.name, dir.trim_matches('/'))?, listing.recurse.0).await?
    else {
        return Ok((StatusCode::NOT_FOUND, "Directory not found").into_response());
    };
    let shown = |entry: &Entry| match (listing.full_info.0, listing.split.0) {
        (true, _) => about(&entry.name, entry),
        (false, true) => std::iter::once(entry.name.as_str()).chain(entry.name.split('/')).collect(),
        (false, false) => entry.name.as_str().into(),
    };
    Ok(Json(entries.iter().map(shown).collect::<Vec<_>>()).into_response())
}

#[derive(Deserialize)]
pub(super) struct ListingV2 {
    #[serde(default)]
    path: String,
}

pub(super) async fn list_v2(
    State(files): State<Files>,
    caller: Caller,
    Asked(listing): Asked<ListingV2>,
) -> Result<Json<Value>, SeatTrouble> {
    let folder = listing.path.trim_matches('/');
    let entries = listed(&files, &path(&caller.name, folder)?, true).await?.unwrap_or_default();
    let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
    #[expect(clippy::cast_precision_loss, reason = "ComfyUI answers seconds with a fraction")]
    let shown = |entry: &Entry| {
        json!({
            "name": entry.name.rsplit('/').next(), "path": format!("{prefix}{}", entry.name), "type": "file",
            "size": entry.size, "modified": entry.modified_ms as f64 / 1_000.0,
        })
    };
    Ok(Json(entries.iter().map(shown).collect()))
}

#[derive(Deserialize)]
pub(super) struct Saving {
    overwrite: Option<String>,
    #[serde(default)]
    full_info: Word,
}

impl Saving {
    /// ComfyUI overwrites unless it is told not to.
    fn may_overwrite(&self) -> bool {
        self.overwrite.as_deref() != Some("false")
    }
}

/// Every method on one file. The path is taken raw, because a name may hold an encoded slash.
pub(super) async fn file(
    State(App { files, quota, costly, .. }): State<App>,
    caller: Caller,
    method: Method,
    uri: Uri,
    Asked(saving): Asked<Saving>,
    request: Request,
) -> Result<Response, SeatTrouble> {
    let raw = uri.path().split_once("/userdata/").map_or("", |(_, rest)| rest);
    match method {
        Method::GET | Method::HEAD => read(&files, &path(&caller.name, &decoded(raw)?)?).await,
        Method::DELETE => {
            let at = path(&caller.name, &decoded(raw)?)?;
            let _turn = costly.saves.take(&caller.name).await?;
            if files.entry(&at).is_err() {
                return Ok(StatusCode::NOT_FOUND.into_response());
            }
            files.remove(&at)?;
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        // A folder may be called `move` as well, so only a POST moves.
        Method::POST => {
            if let Some((from, to)) = raw.split_once("/move/") {
                let _turn = costly.saves.take(&caller.name).await?;
                return rename(&files, &caller.name, [decoded(from)?, decoded(to)?], &saving).await;
            }
            let body = bodies::hold(&costly, &caller.name, request.into_body(), limits::BODY, 1).await?;
            let _turn = costly.saves.take(&caller.name).await?;
            save(&files, quota, &caller.name, &decoded(raw)?, &saving, body).await
        }
        _ => Ok(StatusCode::METHOD_NOT_ALLOWED.into_response()),
    }
}

/// What a person saved may be a page: it is never shown as one of ours.
async fn read(files: &Files, at: &StorePath) -> Result<Response, SeatTrouble> {
    if files.entry(at).is_err() {
        return Ok(StatusCode::NOT_FOUND.into_response());
    }
    let kind = mime_guess::from_path(at.name()).first_or_octet_stream();
    let headers = [
        (header::CONTENT_TYPE, kind.essence_str()),
        (header::CONTENT_DISPOSITION, "attachment"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, files.read(at).await?).into_response())
}

async fn save(
    files: &Files,
    quota: Quota,
    participant: &AccountName,
    name: &str,
    saving: &Saving,
    body: Held,
) -> Result<Response, SeatTrouble> {
    let at = path(participant, name)?.not_too_deep(OWN)?;
    let old = files.entry(&at).ok();
    if old.is_some() && !saving.may_overwrite() {
        return Ok(exists());
    }
    let all = files.list_all(&path(participant, "")?).await?;
    if let Some(full) = quota.refuses(&all, old.as_ref(), body.len() as u64) {
        return Ok((StatusCode::INSUFFICIENT_STORAGE, full).into_response());
    }
    files.write(&at, body.clone()).await.map_err(misplaced)?;
    saved(files, &at, name, saving)
}

async fn rename(
    files: &Files,
    participant: &AccountName,
    [from, name]: [String; 2],
    saving: &Saving,
) -> Result<Response, SeatTrouble> {
    let (from, to) = (path(participant, &from)?, path(participant, &name)?.not_too_deep(OWN)?);
    if files.entry(&from).is_err() {
        return Ok(StatusCode::NOT_FOUND.into_response());
    }
    if files.entry(&to).is_ok() && !saving.may_overwrite() {
        return Ok(exists());
    }
    files.rename(&from, &to).map_err(misplaced)?;
    saved(files, &to, &name, saving)
}

fn exists() -> Response {
    (StatusCode::CONFLICT, "File already exists").into_response()
}

/// A file where the name wants a folder, or the reverse.
fn misplaced(error: io::Error) -> Trouble {
    match error.kind() {
        ErrorKind::NotADirectory | ErrorKind::IsADirectory | ErrorKind::AlreadyExists => {
            Trouble::BadRequest("A file or a folder with this name is in the way.".to_owned())
        }
        _ => error.into(),
    }
}

fn saved(files: &Files, at: &StorePath, name: &str, saving: &Saving) -> Result<Response, SeatTrouble> {
    let answer = if saving.full_info.0 { about(name, &files.entry(at)?) } else { json!(name) };
    Ok(Json(answer).into_response())
}
