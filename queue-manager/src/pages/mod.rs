//! The queue-manager's own few pages: sign-in, the plain page of a seat, and one's account. Files with a few places for words; what
//! anyone typed is escaped before it is put there.

mod account;
pub(crate) mod jobs;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use queue_protocol::api::{Job, PersonToken, QueueStatus, Session};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; \
    media-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// What every page shows besides its content.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    /// Served without TLS on a network: said on every page.
    pub(crate) insecure: bool,
}

impl Look {
    pub(crate) fn sign_in(self, message: &'static str) -> Response {
        self.page(include_str!("sign-in.html"), message)
    }

    /// The page behind a link that signs in; names of accounts need no escaping.
    pub(crate) fn join(self, name: &str) -> Response {
        self.page(&include_str!("join.html").replace("<!-- name -->", name), "")
    }

    /// The plain page of a seat, with its list as it is now. Scripts keep it up to date where there are any.
    pub(crate) fn plain_seat(
        self,
        list: &[Job],
        queue: &QueueStatus,
        simulated: bool,
        message: &str,
    ) -> Response {
        let html = include_str!("seat.html");
        let html = if simulated { html.replacen(" hidden", "", 1) } else { html.to_owned() };
        let html = if list.is_empty() { html } else { html.replace("id=\"empty\"", "id=\"empty\" hidden") };
        self.page(&html.replace("<!-- jobs -->", &jobs::rows(list, queue)), &jobs::escaped(message))
    }

    /// Where somebody is signed in, their tokens, and the one that was just made.
    pub(crate) fn account(
        self,
        now: u64,
        sessions: &[Session],
        tokens: &[PersonToken],
        made: Option<&str>,
        message: &str,
    ) -> Response {
        let html = include_str!("account.html")
            .replace("<!-- made -->", &made.map(account::made).unwrap_or_default())
            .replace("<!-- sessions -->", &account::sessions(now, sessions))
            .replace("<!-- tokens -->", &account::tokens(now, tokens));
        self.page(&html, &jobs::escaped(message))
    }

    fn page(self, html: &str, message: &str) -> Response {
        let notice = if self.insecure {
            "This page is not encrypted: anyone on this network can read what you type."
        } else {
            ""
        };
        let html = html.replace("<!-- notice -->", notice).replace("<!-- message -->", message);
        let headers = [
            (header::CONTENT_SECURITY_POLICY, POLICY),
            (header::CACHE_CONTROL, "no-store"),
            // Without any, browsers send `Origin: null` with a form, which is refused where they send no Sec-Fetch-Site.
            (header::REFERRER_POLICY, "same-origin"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ];
        (headers, Html(html)).into_response()
    }
}

/// The pages' own files, at a place that no participant can be called like.
pub(crate) fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let file = |kind: &'static str, text: &'static str| {
        get(
            move || async move { ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache")], text) },
        )
    };
    Router::new()
        // Browsers ask for it on every page that names none.
        .route("/favicon.ico", get(async || StatusCode::NO_CONTENT))
        .route("/static/page.css", file("text/css; charset=utf-8", include_str!("page.css")))
        .route("/static/seat.js", file("text/javascript; charset=utf-8", include_str!("seat.js")))
}
