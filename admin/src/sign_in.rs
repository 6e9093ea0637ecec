//! Signing in: the name and password go on to the queue-manager, its token comes back into our own cookie.

use askama::Template;
use axum::extract::{Form, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use queue_client::ClientError;
use queue_client::api::Api;
use queue_protocol::api::{Role, SignIn};
use serde::Deserialize;

use crate::app::Notice;
use crate::session::{Cookies, Token};

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage {
    notice: &'static str,
    message: &'static str,
}

#[derive(Deserialize)]
pub(crate) struct Why {
    failed: Option<String>,
}

pub(crate) async fn page(State(notice): State<Notice>, Query(why): Query<Why>) -> Response {
    let message = match why.failed.as_deref() {
        None => "",
        Some("away") => "The queue-manager is not answering. Try again in a moment.",
        Some("role") => "This account has no dashboard. Participants work in their own seat.",
        Some(_) => "That name and password do not go together.",
    };
    render(&SignInPage { notice: notice.0, message })
}

/// Another site's page cannot sign anybody in or out here.
fn ours(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match (text("sec-fetch-site"), text("origin")) {
        (Some(site), _) => site == "same-origin",
        (None, Some(origin)) => origin.split_once("://").map(|(_, host)| host) == text("host"),
        (None, None) => true,
    }
}

pub(crate) async fn submit(
    State(api): State<Api>,
    State(cookies): State<Cookies>,
    headers: HeaderMap,
    Form(form): Form<SignIn>,
) -> Response {
    if !ours(&headers) {
        return StatusCode::FORBIDDEN.into_response();
    }
    match api.sign_in(&form).await {
        Ok(signed_in) if signed_in.role == Role::Instructor => {
            ([(header::SET_COOKIE, cookies.header(&signed_in.token))], Redirect::to("/")).into_response()
        }
        Ok(_) => Redirect::to("/sign-in?failed=role").into_response(),
        Err(ClientError::Refused) => Redirect::to("/sign-in?failed=name").into_response(),
        Err(error) => {
            tracing::warn!(%error, "a sign-in could not be passed on");
            Redirect::to("/sign-in?failed=away").into_response()
        }
    }
}

pub(crate) async fn sign_out(
    State(api): State<Api>,
    State(cookies): State<Cookies>,
    Token(token): Token,
    headers: HeaderMap,
) -> Response {
    if !ours(&headers) {
        return StatusCode::FORBIDDEN.into_response();
    }
    if let Some(token) = token
        && let Err(error) = api.sign_out(&token).await
    {
        // The browser forgets it all the same; it ends by itself when it is not used.
        tracing::warn!(%error, "a session could not be ended at the queue-manager");
    }
    ([(header::SET_COOKIE, cookies.header(""))], Redirect::to("/sign-in")).into_response()
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
