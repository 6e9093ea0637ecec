//! `view`: one's own inputs and outputs, and no other byte; whole, in part, or in another form.

use std::convert::Infallible;
use std::time::{Duration, UNIX_EPOCH};

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use queue_broker::Broker;
use queue_protocol::JobId;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;

use super::input::Asked;
use super::picture::{self, Form};
use super::range::{self, Part};
use crate::files::{Entry, Files, StorePath, inputs, outputs};
use crate::identity::Caller;
use crate::problem::{SeatTrouble, Trouble};
use crate::turns::Costly;

/// Bytes of a made picture that are handed out together.
const PIECE: usize = 64 * 1024;

/// Which file, in ComfyUI's words.
#[derive(Deserialize)]
pub(super) struct Which {
    filename: Option<String>,
    #[serde(default)]
    subfolder: String,
    #[serde(rename = "type")]
    kind: Option<String>,
    preview: Option<String>,
    #[serde(default)]
    channel: String,
}

/// One's own file.
pub(super) struct Found {
    filename: String,
    path: StorePath,
}

pub(super) async fn file(
    State(broker): State<Broker>,
    State(files): State<Files>,
    State(costly): State<Costly>,
    caller: Caller,
    headers: HeaderMap,
    Asked(which): Asked<Which>,
) -> Result<Response, SeatTrouble> {
    let found = which.find(&broker, &files, &caller).await?;
    let entry = files.entry(&found.path)?;
    let form = Form::asked(which.preview.as_deref(), &which.channel)
        .filter(|_| is_picture(&found.filename) && entry.size <= picture::FILE);
    let tag = tag(&found, &entry, form);
    let mut response = if range::matches(&headers, &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        match made(&files, &costly, &caller, &found, form).await? {
            Some(response) => response,
            None => as_it_is(&files, &found, &entry, &headers, &tag).await?,
        }
    };
    let answer = response.headers_mut();
    answer.insert(header::CONTENT_DISPOSITION, disposition(&found.filename));
    answer.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    answer.insert(header::ETAG, tag);
    Ok(response)
}

impl Which {
    /// The named file, if it is the caller's. Two people's files may have one name, so nothing is ever looked up
    /// without whose it is.
    pub(super) async fn find(
        &self,
        broker: &Broker,
        files: &Files,
        caller: &Caller,
    ) -> Result<Found, Trouble> {
        let filename = self.filename.as_deref().ok_or(Trouble::NotFound)?;
        // ComfyUI lets a name say where it lies: `x.png [input]`.
        let said = ["input", "output", "temp"]
            .into_iter()
            .find_map(|kind| Some((filename.strip_suffix(&format!(" [{kind}]"))?, Some(kind))));
        let (filename, annotated) = said.unwrap_or((filename, None));
        if filename.is_empty() {
            return Err(Trouble::BadPath);
        }
        if self.subfolder.split(['/', '\\']).any(|part| part == "..") {
            return Err(Trouble::Outside);
        }
        let kind = annotated.or(self.kind.as_deref()).unwrap_or("output");
        let path = match kind {
            "input" => input(files, caller, &self.subfolder, filename, kind).await?,
            "output" | "temp" => match output(broker, caller, kind, &self.subfolder, filename).await {
                // No job's: then it is what the browser itself put there.
                Err(Trouble::NotFound) => input(files, caller, &self.subfolder, filename, kind).await?,
                found => found?,
            },
            _ => return Err(Trouble::BadRequest("Invalid type".to_owned())),
        };
        Ok(Found { filename: filename.rsplit('/').next().unwrap_or(filename).to_owned(), path })
    }
}

impl Found {
    /// The whole of a picture.
    pub(super) async fn picture(&self, files: &Files) -> Result<Vec<u8>, Trouble> {
        if files.entry(&self.path)?.size > picture::FILE {
            return Err(Trouble::TooLarge(usize::try_from(picture::FILE).unwrap_or(usize::MAX)));
        }
        Ok(files.read(&self.path).await?)
    }
}

async fn input(
    files: &Files,
    caller: &Caller,
    subfolder: &str,
    filename: &str,
    folder: &str,
) -> Result<StorePath, Trouble> {
    let name = if subfolder.is_empty() { filename.to_owned() } else { format!("{subfolder}/{filename}") };
    let name = inputs::kept_name(&name, folder)?;
    let input = files.input(&caller.name, &name).await?.ok_or(Trouble::NotFound)?;
    inputs::content_path(&caller.name, &input.sha256)
}

/// The first folder of an output's reference is its job.
async fn output(
    broker: &Broker,
    caller: &Caller,
    kind: &str,
    subfolder: &str,
    filename: &str,
) -> Result<StorePath, Trouble> {
    let (job, inner) = subfolder.split_once('/').unwrap_or((subfolder, ""));
    let id: JobId = job.parse()?;
    let job = broker.job(id).await?.filter(|job| job.participant == caller.name).ok_or(Trouble::NotFound)?;
    let rest = if inner.is_empty() { filename.to_owned() } else { format!("{inner}/{filename}") };
    outputs::visible(&job, kind, &rest)
}

/// The other form that was asked for; `None` when the file itself is the answer. The file is read when it is the
/// caller's turn, and the next one of theirs when this answer has gone out.
async fn made(
    files: &Files,
    costly: &Costly,
    caller: &Caller,
    found: &Found,
    form: Option<Form>,
) -> Result<Option<Response>, Trouble> {
    let Some(form) = form else { return Ok(None) };
    let mut turn = costly.pictures.take(&caller.name).await?;
    let Some(bytes) = picture::render(files.read(&found.path).await?, form).await else { return Ok(None) };
    turn.let_others();
    let length = bytes.len();
    let pieces = futures_util::stream::unfold((Bytes::from(bytes), turn), async |(mut rest, turn)| {
        let piece = rest.split_to(rest.len().min(PIECE));
        (!piece.is_empty()).then_some((Ok::<_, Infallible>(piece), (rest, turn)))
    });
    let headers = [
        (header::CONTENT_TYPE, form.content_type().to_owned()),
        (header::CONTENT_LENGTH, length.to_string()),
    ];
    Ok(Some((headers, Body::from_stream(pieces)).into_response()))
}

async fn as_it_is(
    files: &Files,
    found: &Found,
    entry: &Entry,
    headers: &HeaderMap,
    tag: &HeaderValue,
) -> Result<Response, Trouble> {
    let (mut file, size) = files.open_file(&found.path)?;
    let modified = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_millis(entry.modified_ms));
    let mut response = match range::asked(headers, tag, &modified, size) {
        Part::Whole => {
            let mut response = Body::from_stream(ReaderStream::new(file)).into_response();
            response.headers_mut().insert(header::CONTENT_LENGTH, size.into());
            response
        }
        Part::Bytes { first, length } => {
            file.seek(std::io::SeekFrom::Start(first)).await?;
            let mut response = Body::from_stream(ReaderStream::new(file.take(length))).into_response();
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
            let range = HeaderValue::try_from(format!("bytes {first}-{}/{size}", first + length - 1));
            response.headers_mut().insert(header::CONTENT_RANGE, range.map_err(|_| Trouble::Bug)?);
            response
        }
        Part::None => {
            let range = [(header::CONTENT_RANGE, format!("bytes */{size}"))];
            (StatusCode::RANGE_NOT_SATISFIABLE, range).into_response()
        }
    };
    let answer = response.headers_mut();
    answer.insert(header::CONTENT_TYPE, safe_type(&found.filename));
    answer.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    answer.extend(HeaderValue::try_from(modified).ok().map(|modified| (header::LAST_MODIFIED, modified)));
    Ok(response)
}

/// Changes with the file's place, its time, its size and the form it is asked in.
fn tag(found: &Found, entry: &Entry, form: Option<Form>) -> HeaderValue {
    let of = format!("{} {} {} {form:?}", found.path.as_str(), entry.modified_ms, entry.size);
    let digest = hex::encode(Sha256::digest(of.as_bytes()));
    HeaderValue::try_from(format!("\"{}\"", &digest[..32])).unwrap_or(HeaderValue::from_static("\"\""))
}

fn is_picture(filename: &str) -> bool {
    let guess = mime_guess::from_path(filename).first_or_octet_stream();
    matches!(guess.essence_str(), "image/png" | "image/jpeg" | "image/webp")
}

/// Pictures, sound, film and plain text as what they are; everything a browser could run as bytes.
fn safe_type(filename: &str) -> HeaderValue {
    let guess = mime_guess::from_path(filename).first_or_octet_stream();
    let seen = matches!(guess.type_().as_str(), "image" | "video" | "audio") && guess.subtype() != "svg";
    let read = matches!(guess.essence_str(), "text/plain" | "application/json");
    let text = if seen || read { guess.essence_str() } else { "application/octet-stream" };
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("application/octet-stream"))
}

/// A name, and for everything that is not shown as what it is, that it is to be saved.
fn disposition(filename: &str) -> HeaderValue {
    let plain: String =
        filename.chars().map(|c| if matches!(c, '"' | '\\') || c.is_control() { '_' } else { c }).collect();
    let kind = if safe_type(filename) == "application/octet-stream" { "attachment; " } else { "" };
    HeaderValue::from_bytes(format!("{kind}filename=\"{plain}\"").as_bytes())
        .unwrap_or(HeaderValue::from_static("attachment"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_browser_could_run_is_a_download() {
        for name in ["x.html", "x.js", "x.svg", "x.xml", "x.css", "x"] {
            assert_eq!(safe_type(name), "application/octet-stream", "{name}");
            assert_eq!(disposition(name), format!("attachment; filename=\"{name}\""));
        }
        assert_eq!(safe_type("x.png"), "image/png");
        assert_eq!(disposition("x.png"), "filename=\"x.png\"");
        assert_eq!(safe_type("x.mp4"), "video/mp4");
    }
}
