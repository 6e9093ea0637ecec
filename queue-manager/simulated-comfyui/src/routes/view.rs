//! `/view`: the files themselves, with ranges and `HEAD`.

use std::path::PathBuf;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use tower::ServiceExt as _;
use tower_http::services::ServeFile;

use crate::folder::{Kind, annotated};
use crate::reply;
use crate::server::Simulator;

/// Which file. `preview`, `channel` and `rand` are taken and ignored: the file is always served as it is.
#[derive(Debug, Deserialize)]
pub(crate) struct Wanted {
    #[serde(default)]
    filename: String,
    #[serde(rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    subfolder: String,
}

/// `GET /view` and `HEAD /view`
pub(crate) async fn view(
    State(simulator): State<Arc<Simulator>>,
    Query(wanted): Query<Wanted>,
    request: Request,
) -> Response {
    let (name, path) = match find(&simulator, &wanted) {
        Ok(found) => found,
        Err(status) => return reply::empty(status),
    };
    let Ok(served) = ServeFile::new(&path).oneshot(request).await;
    let mut response = served.map(Body::new).into_response();
    let headers = response.headers_mut();
    let disguised = matches!(
        path.extension().and_then(|extension| extension.to_str()),
        Some("html" | "htm" | "js" | "svg" | "css" | "xml")
    );
    let disposition = if disguised {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        format!("attachment; filename=\"{name}\"")
    } else {
        format!("filename=\"{name}\"")
    };
    if let Ok(disposition) = HeaderValue::from_str(&disposition) {
        headers.insert(header::CONTENT_DISPOSITION, disposition);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn find(simulator: &Simulator, wanted: &Wanted) -> Result<(String, PathBuf), StatusCode> {
    let (name, annotated_kind) = annotated(&wanted.filename);
    if name.is_empty() {
        return Err(StatusCode::NOT_FOUND);
    }
    if name.starts_with('/') || name.contains("..") {
        return Err(StatusCode::BAD_REQUEST);
    }
    let kind = match (&wanted.kind, annotated_kind) {
        (_, Some(kind)) => kind,
        (Some(word), None) => Kind::parse(word).ok_or(StatusCode::BAD_REQUEST)?,
        (None, None) => Kind::Output,
    };
    let base = simulator.folder.inside(kind, &wanted.subfolder).ok_or(StatusCode::FORBIDDEN)?;
    let name = name.rsplit('/').next().unwrap_or(name);
    let path = base.join(name);
    if path.is_file() { Ok((name.to_owned(), path)) } else { Err(StatusCode::NOT_FOUND) }
}
