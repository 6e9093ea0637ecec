//! `extensions`: scripts that the page loads besides its own, and the scripts themselves. In a container seat its own come
//! besides; where both have one, the workers' is served, as their node is the one that runs.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use percent_encoding::percent_decode_str;
use sha2::{Digest, Sha256};

use super::container::{self, Containers};
use super::frontend::{self, Frontend};
use super::{panel, range};
use crate::identity::Caller;
use crate::parts::{Parts, Shown};
use crate::problem::{SeatTrouble, Trouble};

/// Every script that a seat's page is to load: the workshop's panel, and those of the workers' custom nodes that the
/// instructor accepted.
fn listed(shown: &Shown) -> Vec<&str> {
    std::iter::once(panel::SCRIPT).chain(shown.scripts.keys().map(String::as_str)).collect()
}

pub(super) async fn list(
    State(parts): State<Parts>,
    State(containers): State<Containers>,
    caller: Caller,
) -> Result<Response, SeatTrouble> {
    let own = container::scripts(&containers, &caller.name).await;
    let shown = parts.shown().await?;
    let mut all = listed(&shown);
    for script in &own {
        if !all.contains(&script.as_str()) {
            all.push(script);
        }
    }
    Ok(Json(all).into_response())
}

/// A script of a custom node, or else a file of the frontend's package or of the container.
pub(super) async fn file(
    State(parts): State<Parts>,
    frontend: State<Frontend>,
    containers: State<Containers>,
    caller: Caller,
    request: Request,
) -> Result<Response, SeatTrouble> {
    let path = percent_decode_str(request.uri().path()).decode_utf8().map_err(|_| Trouble::BadPath)?;
    let shown = parts.shown().await?;
    let Some(text) = shown.scripts.get(path.as_ref()) else {
        if containers.has(&caller.name) {
            return container::forward(containers, caller, request).await;
        }
        return Ok(frontend::file(frontend, request).await);
    };
    let digest = hex::encode(Sha256::digest(text.as_bytes()));
    let tag = HeaderValue::try_from(format!("\"{digest}\"")).map_err(|_| Trouble::Bug)?;
    let mut response = if range::matches(request.headers(), &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], text.clone()).into_response()
    };
    let headers = response.headers_mut();
    headers.insert(header::ETAG, tag);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Ok(response)
}
