//! The pages beside the overview, and what all pages share.

pub(crate) mod audit;
pub(crate) mod cards;
pub(crate) mod charts;
pub(crate) mod checklist;
pub(crate) mod export;
pub(crate) mod history;
pub(crate) mod job;
pub(crate) mod people;
pub(crate) mod person;
pub(crate) mod report;
pub(crate) mod times;
pub(crate) mod workers;

use std::convert::Infallible;

use askama::Template;
use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use axum::http::uri::PathAndQuery;
use axum::http::{Method, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use queue_client::ClientError;

use crate::actions::{new_action, safe_path};
use crate::app::{Notice, Seats};
use crate::look::Look;
use crate::session::{Cookies, Token};

/// What every page's template needs.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    pub(crate) notice: &'static str,
    pub(crate) look: Look,
    /// Where the instructor's own seat is, as everybody's.
    pub(crate) seats: String,
    /// This page, to come back to.
    pub(crate) path: String,
    /// Makes the actions of this page's forms happen once.
    pub(crate) action: String,
}

impl Layout {
    /// Whether a link of the menu leads to this page.
    pub(crate) fn is(&self, path: &str) -> bool {
        self.path.split('?').next() == Some(path)
    }
}

impl<S> FromRequestParts<S> for Layout
where
    S: Send + Sync,
    Notice: FromRef<S>,
    Seats: FromRef<S>,
{
    type Rejection = Infallible;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        Ok(Self {
            notice: Notice::from_ref(state).0,
            seats: Seats::from_ref(state).address(&parts.headers),
            look: Look::from_request_parts(parts, state).await?,
            path: page_of(parts).to_owned(),
            action: new_action(),
        })
    }
}

/// The page to come back to: the one that is asked for, or the one whose form was sent, as a form's own address may be no
/// page.
fn page_of(parts: &Parts) -> &str {
    if matches!(parts.method, Method::GET | Method::HEAD) {
        return safe_path(parts.uri.path_and_query().map(PathAndQuery::as_str));
    }
    let from = parts.headers.get(header::REFERER).and_then(|from| from.to_str().ok()).unwrap_or_default();
    let (_, from) = from.split_once("://").unwrap_or_default();
    safe_path(from.find('/').map(|at| &from[at..]))
}

/// Whoever has a token; others are sent to sign in and come back.
pub(crate) struct Visitor(pub(crate) String);

impl<S> FromRequestParts<S> for Visitor
where
    S: Send + Sync,
    Cookies: FromRef<S>,
{
    type Rejection = Redirect;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Redirect> {
        match Token::from_request_parts(parts, state).await {
            Ok(Token(Some(token))) => Ok(Self(token)),
            Ok(Token(None)) => Err(Redirect::to(&sign_in(page_of(parts)))),
        }
    }
}

/// A text as a value in a query.
pub(crate) fn encoded(text: &str) -> String {
    use std::fmt::Write;
    let mut all = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'/' => all.push(byte.into()),
            // Writing into a text cannot fail.
            _ => drop(write!(all, "%{byte:02X}")),
        }
    }
    all
}

/// Where to sign in and come back from.
pub(crate) fn sign_in(back: &str) -> String {
    if back == "/" { "/sign-in".to_owned() } else { format!("/sign-in?back={}", encoded(back)) }
}

/// Why a page cannot be shown.
pub(crate) struct Failed(Box<Layout>, ClientError);

impl Layout {
    /// What the queue-manager said, or why the page cannot be shown.
    pub(crate) fn or<T>(&self, answer: Result<T, ClientError>) -> Result<T, Failed> {
        answer.map_err(|error| Failed(Box::new(self.clone()), error))
    }
}

#[derive(Template)]
#[template(path = "pages/away.html")]
struct Away {
    layout: Layout,
    why: String,
}

/// What could not be done, and the way back.
#[derive(Template)]
#[template(path = "pages/refused.html")]
pub(crate) struct Refused {
    pub(crate) layout: Layout,
    pub(crate) why: String,
    pub(crate) back: String,
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        let (layout, error) = (*self.0, self.1);
        match error {
            ClientError::Refused => Redirect::to(&sign_in(&layout.path)).into_response(),
            ClientError::Told { status, detail } if status < 500 => {
                let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
                (status, render(&Refused { layout, why: detail, back: "/".to_owned() })).into_response()
            }
            ClientError::Told { detail, .. } => away(layout, &detail),
            error => {
                tracing::warn!(%error, "the queue-manager did not answer");
                away(layout, "The queue-manager is not answering.")
            }
        }
    }
}

/// What there is not.
pub(crate) async fn nothing(layout: Layout, Visitor(_): Visitor) -> Response {
    let why = "There is nothing here by that name.".to_owned();
    (StatusCode::NOT_FOUND, render(&Refused { layout, why, back: "/".to_owned() })).into_response()
}

fn away(layout: Layout, why: &str) -> Response {
    let why = crate::wording::first_sentence(why).to_owned();
    (StatusCode::SERVICE_UNAVAILABLE, render(&Away { layout, why })).into_response()
}

/// A page, or 500 when its template is broken.
pub(crate) fn render(page: &impl Template) -> Response {
    match page.render() {
        Ok(html) => Html(html).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page could not be made");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
