//! The one layer around every route of the public side: spellings of a path that could be read as another, requests that
//! another site's page made, what is still sent when the answer is known, and the headers that every answer has.

use axum::extract::Request;
use axum::http::header::{self, HeaderName};
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::bodies::Lent;
use crate::problem::Trouble;
use crate::{cross_site, path_rule};

/// On every answer that says nothing else: browsers guess no types, tell other sites nothing, keep our windows and files
/// from them, and store nothing that is somebody's.
const HEADERS: [(HeaderName, &str); 6] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "same-origin"),
    (header::CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), microphone=(), geolocation=()"),
];

pub(crate) async fn check(request: Request, next: Next) -> Response {
    let browser = is_browser(request.headers());
    let (parts, body) = request.into_parts();
    let (rest, body) = Lent::of(body);
    let mut response = allowed(Request::from_parts(parts, body), next).await;
    rest.take_back().await;
    if browser {
        // A browser would ask for a name and a password in a window of its own, and the page's request would hang so long.
        response.headers_mut().remove(header::WWW_AUTHENTICATE);
    }
    for (name, value) in HEADERS {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

/// Browsers say how a request came about, but over plain HTTP only to loopback; they all have one name in common.
fn is_browser(headers: &HeaderMap) -> bool {
    let name = headers.get(header::USER_AGENT).is_some_and(|name| name.as_bytes().starts_with(b"Mozilla/"));
    name || headers.contains_key("sec-fetch-mode")
}

async fn allowed(request: Request, next: Next) -> Response {
    if !path_rule::is_allowed(request.uri().path()) {
        return Trouble::BadPath.into_response();
    }
    if !cross_site::is_allowed(&request) {
        return Trouble::CrossSite.into_response();
    }
    next.run(request).await
}
