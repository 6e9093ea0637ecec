//! The published frontend package, served as it is: its page, its hashed files; the plain page where it is missing.

use std::path::{Path, PathBuf};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use tower::ServiceExt;
use tower_http::services::ServeDir;

use crate::pages::Look;
use crate::problem::{SeatTrouble, Trouble};

/// ComfyUI's own policy for venues without internet, and `blob:` where its editor uses it: without it the page calls
/// hosts outside.
const POLICY: &str = "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; \
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

    async fn page(&self, look: Look) -> Response {
        let Ok(html) = tokio::fs::read_to_string(self.folder.join("index.html")).await else {
            return look.plain_seat();
        };
        let headers = [
            (header::CACHE_CONTROL, "no-store"),
            (header::CONTENT_SECURITY_POLICY, POLICY),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ];
        (headers, Html(html)).into_response()
    }

    async fn file(&self, request: Request) -> Response {
        let hashed = request.uri().path().starts_with("/assets/");
        let served = ServeDir::new(&self.folder).precompressed_gzip().oneshot(request).await;
        let Ok(mut response) = served.map(IntoResponse::into_response);
        if response.status() == StatusCode::NOT_FOUND {
            return SeatTrouble(Trouble::NotFound).into_response();
        }
        let caching = if hashed { "public, max-age=31536000, immutable" } else { "no-cache" };
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
        response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        response
    }
}

/// Whatever no route of the seat answers: the page itself, or a file of the package.
pub(super) async fn file(
    State(frontend): State<Frontend>,
    State(look): State<Look>,
    request: Request,
) -> Response {
    if matches!(request.uri().path(), "/" | "/index.html") {
        frontend.page(look).await
    } else {
        frontend.file(request).await
    }
}

/// `GET jobs` of a seat: the plain page, always.
pub(super) async fn plain_page(State(look): State<Look>) -> Response {
    look.plain_seat()
}

/// Files of the package that its pages name from the root. They are the same for everyone and nobody's secret.
pub(super) async fn shared_file(seats: Router, request: Request) -> Response {
    if !NAMED_FROM_THE_ROOT.iter().any(|folder| request.uri().path().starts_with(folder)) {
        return Trouble::NotFound.into_response();
    }
    let Ok(response) = seats.oneshot(request).await;
    response
}
