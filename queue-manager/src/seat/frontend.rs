//! The published frontend package, served as it is: its page, its hashed files; the plain page where it is missing.

use std::path::{Path, PathBuf};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use tower::ServiceExt;
use tower_http::services::ServeDir;

use super::templates::Templates;
use super::{plain, settings};
use crate::files::Files;
use crate::identity::Caller;
use crate::pages::Look;
use crate::problem::{SeatTrouble, Trouble};
use crate::workflow::submit::Door;

/// ComfyUI's own policy for venues without internet, and `blob:` where its editor uses it: without it the page calls
/// hosts outside.
pub(super) const POLICY: &str = "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; \
    style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self'; connect-src 'self' data: blob:; \
    worker-src 'self' blob:; media-src 'self' data: blob:; frame-src 'self'; object-src 'self'; frame-ancestors 'none'";

/// Folders of the package that its pages name from the root, whatever the page's own address is.
const NAMED_FROM_THE_ROOT: [&str; 3] = ["/assets/", "/cursor/", "/fonts/"];

/// The unpacked package.
#[derive(Debug, Clone)]
pub struct Frontend {
    folder: PathBuf,
}

impl Frontend {
    /// Over the folder that holds `index.html`; it may be missing.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    async fn page(&self) -> Option<Response> {
        let html = tokio::fs::read_to_string(self.folder.join("index.html")).await.ok()?;
        let headers = [
            (header::CACHE_CONTROL, "no-store"),
            (header::CONTENT_SECURITY_POLICY, POLICY),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ];
        Some((headers, Html(html)).into_response())
    }

    /// A file as it was compressed when the package was unpacked, where the browser takes it so.
    async fn file(&self, mut request: Request) -> Response {
        let caching =
            if is_hashed(request.uri().path()) { "public, max-age=31536000, immutable" } else { "no-cache" };
        let seen = request.headers_mut().remove(header::IF_NONE_MATCH);
        if seen.is_some() {
            // The more exact question is answered, and the other one is not asked.
            request.headers_mut().remove(header::IF_MODIFIED_SINCE);
        }
        let served = ServeDir::new(&self.folder).precompressed_gzip().oneshot(request).await;
        let Ok(mut response) = served.map(IntoResponse::into_response);
        if response.status() == StatusCode::NOT_FOUND {
            return SeatTrouble(Trouble::NotFound).into_response();
        }
        // A part of a file has the tag of no whole one.
        let tag = tag(response.headers()).filter(|_| response.status() == StatusCode::OK);
        if tag.is_some() && seen == tag {
            response = StatusCode::NOT_MODIFIED.into_response();
        }
        let headers = response.headers_mut();
        headers.extend(tag.map(|tag| (header::ETAG, tag)));
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        response
    }
}

/// Whether a file's name changes with its content: `assets/index-MTJctah1.js`, and not `assets/images/logo.svg`.
fn is_hashed(path: &str) -> bool {
    let stem = path.strip_prefix("/assets/").filter(|name| !name.contains('/')).map(|name| {
        let end = name.find('.').unwrap_or(name.len());
        &name[..end]
    });
    let hash = stem.and_then(|stem| stem.len().checked_sub(9).and_then(|at| stem.get(at..)));
    hash.is_some_and(|hash| {
        hash.starts_with('-')
            && hash.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    })
}

/// One tag for each file and encoding: what is sent differs.
fn tag(headers: &HeaderMap) -> Option<HeaderValue> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let (changed, length) = (text(header::LAST_MODIFIED)?, text(header::CONTENT_LENGTH)?);
    let encoding = text(header::CONTENT_ENCODING).unwrap_or("plain");
    let changed: String = changed.chars().filter(char::is_ascii_alphanumeric).collect();
    HeaderValue::from_str(&format!("\"{changed}-{length}-{encoding}\"")).ok()
}

/// Whatever no route of the seat answers: a file of the package.
pub(super) async fn file(State(frontend): State<Frontend>, request: Request) -> Response {
    frontend.file(request).await
}

/// The page itself. A participant's first visit opens the workshop's default workflow, in the way the frontend opens a
/// template that an address names.
pub(super) async fn page(
    State(frontend): State<Frontend>,
    State(templates): State<Templates>,
    State(files): State<Files>,
    State(look): State<Look>,
    State(door): State<Door>,
    caller: Caller,
    uri: Uri,
) -> Result<Response, SeatTrouble> {
    let Some(page) = frontend.page().await else { return plain::shown(look, &door, &caller, "").await };
    if let Some(query) = templates.first_visit().filter(|_| uri.query().is_none())
        && settings::is_first_visit(&files, &caller.name).await?
    {
        return Ok(Redirect::to(&format!("/{}/?{query}", caller.name)).into_response());
    }
    Ok(page)
}

/// Whether a path names a file of the package that is the same for everyone, with or without a participant before it.
pub(super) fn is_shared(path: &str) -> bool {
    NAMED_FROM_THE_ROOT.iter().any(|folder| path.starts_with(folder))
}

/// Files of the package that its pages name from the root. They are the same for everyone and nobody's secret.
pub(super) async fn shared_file(seats: Router, request: Request) -> Response {
    if !is_shared(request.uri().path()) {
        return Trouble::NotFound.into_response();
    }
    let Ok(response) = seats.oneshot(request).await;
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_has_its_hash_in_its_name_may_be_kept_for_ever() {
        for hashed in
            ["/assets/index-MTJctah1.js", "/assets/vendor-sentry-DDIxZ--H.js", "/assets/a-B4yA_l3x.css.map"]
        {
            assert!(is_hashed(hashed), "{hashed}");
        }
        for plain in
            ["/index-MTJctah1.js", "/assets/images/logo-MTJctah1.svg", "/assets/favicon.ico", "/assets/a.js"]
        {
            assert!(!is_hashed(plain), "{plain}");
        }
    }

    #[test]
    fn the_plain_and_the_compressed_file_have_two_tags() {
        let mut headers = HeaderMap::new();
        assert_eq!(tag(&headers), None);
        headers.insert(header::LAST_MODIFIED, HeaderValue::from_static("Fri, 20 Nov 2026 15:53:31 GMT"));
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("271"));
        let plain = tag(&headers).unwrap();
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        assert_eq!(plain, "\"Fri20Nov2026155331GMT-271-plain\"");
        assert_ne!(tag(&headers).unwrap(), plain);
    }
}
