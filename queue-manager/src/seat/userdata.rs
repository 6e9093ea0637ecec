//! `userdata`: workflows and other files a person saves in their tab. The frontend puts a path into one segment
//! (`workflows%2Fa.json`); the plain spelling is understood as well.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use percent_encoding::percent_decode_str;
use queue_protocol::AccountName;
use serde::Deserialize;
use serde_json::{Value, json};

use super::input::Asked;
use crate::api::submit::within_limit;
use crate::files::{Entry, Files, StorePath};
use crate::identity::Caller;
use crate::problem::{SeatTrouble, Trouble};

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
    caller: Caller,
    method: Method,
    uri: Uri,
    Asked(saving): Asked<Saving>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, SeatTrouble> {
    let raw = uri.path().split_once("/userdata/").map_or("", |(_, rest)| rest);
    let (source, target) = match raw.split_once("/move/") {
        Some((source, target)) => (decoded(source)?, Some(decoded(target)?)),
        None => (decoded(raw)?, None),
    };
    let at = path(&caller.name, &source)?;
    match (method, target) {
        (Method::GET | Method::HEAD, None) => Ok(files.read(&at).await?.into_response()),
        (Method::DELETE, None) => {
            files.remove(&at)?;
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        (Method::POST, None) => {
            free(&files, &at, &saving)?;
            files.write(&at, within_limit(body)?.to_vec()).await?;
            saved(&files, &at, &source, &saving)
        }
        (Method::POST, Some(target)) => {
            let to = path(&caller.name, &target)?;
            files.entry(&at)?;
            free(&files, &to, &saving)?;
            files.rename(&at, &to)?;
            saved(&files, &to, &target, &saving)
        }
        _ => Ok(StatusCode::METHOD_NOT_ALLOWED.into_response()),
    }
}

fn free(files: &Files, at: &StorePath, saving: &Saving) -> Result<(), Trouble> {
    if !saving.may_overwrite() && files.entry(at).is_ok() { Err(Trouble::Exists) } else { Ok(()) }
}

fn saved(files: &Files, at: &StorePath, name: &str, saving: &Saving) -> Result<Response, SeatTrouble> {
    let answer = if saving.full_info.0 { about(name, &files.entry(at)?) } else { json!(name) };
    Ok(Json(answer).into_response())
}
