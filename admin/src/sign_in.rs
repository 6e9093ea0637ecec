//! Signing in: the name and password go on to the queue-manager, its token comes back into our own cookie.

use askama::Template;
use axum::extract::{Form, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use queue_client::ClientError;
use queue_client::api::Api;
use queue_protocol::api::{Role, SignIn};
use serde::Deserialize;

use crate::actions::safe_path;
use crate::app::Notice;
use crate::look::Look;
use crate::pages::{encoded, render};
use crate::session::{Cookies, Token};

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage {
    notice: &'static str,
    look: Look,
    message: &'static str,
    back: String,
}

#[derive(Deserialize)]
pub(crate) struct Why {
    failed: Option<String>,
    back: Option<String>,
}

/// A name, a password, and the page to come back to.
#[derive(Deserialize)]
pub(crate) struct Credentials {
    name: String,
    password: String,
    back: Option<String>,
}

pub(crate) async fn page(State(notice): State<Notice>, look: Look, Query(why): Query<Why>) -> Response {
    let message = match why.failed.as_deref() {
        None => "",
        Some("away") => "The queue-manager is not answering. Try again in a moment.",
        Some("slow") => "Too many tries for this name. Wait a minute and try again.",
        Some("role") => "This account has no dashboard. Participants work in their own seat.",
        Some(_) => "That name and password do not go together.",
    };
    let back = safe_path(why.back.as_deref()).to_owned();
    render(&SignInPage { notice: notice.0, look, message, back })
}

/// Another site's page cannot sign anybody in or out here.
pub(crate) fn ours(headers: &HeaderMap) -> bool {
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
    Form(form): Form<Credentials>,
) -> Response {
    if !ours(&headers) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let back = safe_path(form.back.as_deref()).to_owned();
    let failed = |why: &str| {
        let back = if back == "/" { String::new() } else { format!("&back={}", encoded(&back)) };
        Redirect::to(&format!("/sign-in?failed={why}{back}")).into_response()
    };
    match api.sign_in(&SignIn { name: form.name, password: form.password }).await {
        Ok(signed_in) if signed_in.role == Role::Instructor => {
            ([(header::SET_COOKIE, cookies.header(&signed_in.token))], Redirect::to(&back)).into_response()
        }
        Ok(_) => failed("role"),
        Err(ClientError::Refused) => failed("name"),
        Err(ClientError::Unexpected(what)) if what.starts_with("429") => failed("slow"),
        Err(error) => {
            tracing::warn!(%error, "a sign-in could not be passed on");
            failed("away")
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
