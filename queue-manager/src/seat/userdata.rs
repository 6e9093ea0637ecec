//! `userdata`: workflows and other files a person saves in their tab. The frontend puts a path into one segment
//! (`workflows%2Fa.json`); the plain spelling is understood as well.

use std::io::{self, ErrorKind};

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use percent_encoding::percent_decode_str;
use queue_protocol::AccountName;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::input::Asked;
use super::quota::Quota;
use crate::api::submit::within_limit;
use crate::files::{Entry, Files, StorePath};
use crate::identity::Caller;
use crate::problem::{SeatTrouble, Trouble};

/// Two tabs that save at once must not both find a name free, nor pass the quota together.
static SAVING: Mutex<()> = Mutex::const_new(());

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

pub(super) async fn list(
    State(files): State<Files>,
    caller: Caller,
    Asked(listing): Asked<Listing>,
) -> Result<Response, SeatTrouble> {
    let Some(dir) = listing.dir.filter(|dir| !dir.is_empty()) else {
        return Ok((StatusCode::BAD_REQUEST, "Directory not provided").into_response());
    };
    let Ok(entries) = files.list(&path(&caller.name, dir.trim_matches('/'))?, listing.recurse.0) else {
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
    let entries = files.list(&path(&caller.name, folder)?, true).unwrap_or_default();
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
    State(files): State<Files>,
    State(quota): State<Quota>,
    caller: Caller,
    method: Method,
    uri: Uri,
    Asked(saving): Asked<Saving>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, SeatTrouble> {
    let raw = uri.path().split_once("/userdata/").map_or("", |(_, rest)| rest);
    match method {
        Method::GET | Method::HEAD => read(&files, &path(&caller.name, &decoded(raw)?)?).await,
        Method::DELETE => {
            let at = path(&caller.name, &decoded(raw)?)?;
            if files.entry(&at).is_err() {
                return Ok(StatusCode::NOT_FOUND.into_response());
            }
            files.remove(&at)?;
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        // A folder may be called `move` as well, so only a POST moves.
        Method::POST => match raw.split_once("/move/") {
            Some((from, to)) => rename(&files, &caller.name, [decoded(from)?, decoded(to)?], &saving).await,
            None => save(&files, quota, &caller.name, &decoded(raw)?, &saving, within_limit(body)?).await,
        },
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
    body: Bytes,
) -> Result<Response, SeatTrouble> {
    let at = path(participant, name)?;
    let _one_at_a_time = SAVING.lock().await;
    let old = files.entry(&at).ok();
    if old.is_some() && !saving.may_overwrite() {
        return Ok(exists());
    }
    let all = files.list(&path(participant, "")?, true).unwrap_or_default();
    if let Some(full) = quota.refuses(&all, old.as_ref(), body.len() as u64) {
        return Ok((StatusCode::INSUFFICIENT_STORAGE, full).into_response());
    }
    files.write(&at, body.to_vec()).await.map_err(misplaced)?;
    saved(files, &at, name, saving)
}

async fn rename(
    files: &Files,
    participant: &AccountName,
    [from, name]: [String; 2],
    saving: &Saving,
) -> Result<Response, SeatTrouble> {
    let (from, to) = (path(participant, &from)?, path(participant, &name)?);
    let _one_at_a_time = SAVING.lock().await;
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
