//! `view`: one's own inputs and outputs, and no other byte.

use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use queue_broker::Broker;
use queue_protocol::JobId;
use serde::Deserialize;
use tokio_util::io::ReaderStream;

use crate::files::{Files, StorePath, inputs, outputs};
use crate::identity::Caller;
use crate::problem::{SeatTrouble, Trouble};

#[derive(Deserialize)]
pub(super) struct Which {
    filename: Option<String>,
    #[serde(default)]
    subfolder: String,
    #[serde(rename = "type")]
    kind: Option<String>,
}

pub(super) async fn file(
    State(broker): State<Broker>,
    State(files): State<Files>,
    caller: Caller,
    Query(which): Query<Which>,
) -> Result<Response, SeatTrouble> {
    let filename = which.filename.filter(|name| !name.is_empty()).ok_or(Trouble::NotFound)?;
    // ComfyUI lets a name say where it lies: `x.png [input]`.
    let said = ["input", "output", "temp"].into_iter().find_map(|kind| {
        Some((filename.strip_suffix(&format!(" [{kind}]"))?.to_owned(), Some(kind.to_owned())))
    });
    let (filename, annotated) = said.unwrap_or((filename, None));
    let kind = annotated.or(which.kind).unwrap_or_else(|| "output".to_owned());
    let path = match kind.as_str() {
        "input" => input(&files, &caller, &which.subfolder, &filename).await?,
        "output" | "temp" => output(&broker, &caller, &kind, &which.subfolder, &filename).await?,
        _ => return Err(SeatTrouble(Trouble::BadRequest("Invalid type".to_owned()))),
    };
    let (file, size) = files.open_file(&path)?;
    let mut response = Body::from_stream(ReaderStream::new(file)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, size.into());
    headers.insert(header::CONTENT_TYPE, safe_type(&filename));
    headers.insert(header::CONTENT_DISPOSITION, disposition(&filename));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    Ok(response)
}

async fn input(
    files: &Files,
    caller: &Caller,
    subfolder: &str,
    filename: &str,
) -> Result<StorePath, Trouble> {
    let name = if subfolder.is_empty() { filename.to_owned() } else { format!("{subfolder}/{filename}") };
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

/// Pictures, sound and film as what they are; everything a browser could run as a download.
fn safe_type(filename: &str) -> HeaderValue {
    let guess = mime_guess::from_path(filename).first_or_octet_stream();
    let harmless = matches!(guess.type_().as_str(), "image" | "video" | "audio") && guess.subtype() != "svg";
    let text = if harmless { guess.essence_str() } else { "application/octet-stream" };
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("application/octet-stream"))
}

fn disposition(filename: &str) -> HeaderValue {
    let plain: String = filename.chars().map(|c| if c == '"' || c.is_control() { '_' } else { c }).collect();
    HeaderValue::from_bytes(format!("filename=\"{plain}\"").as_bytes())
        .unwrap_or(HeaderValue::from_static("attachment"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_browser_could_run_is_a_download() {
        for name in ["x.html", "x.js", "x.svg", "x.xml", "x"] {
            assert_eq!(safe_type(name), "application/octet-stream", "{name}");
        }
        assert_eq!(safe_type("x.png"), "image/png");
        assert_eq!(safe_type("x.mp4"), "video/mp4");
    }
}
