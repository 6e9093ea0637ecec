//! How this browser wants to see the pages: light or dark, and whether names are hidden for a projector. It is the
//! browser's own cookie; nothing is kept here.

use std::convert::Infallible;

use axum::extract::{Form, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use crate::actions::safe_path;
use crate::sign_in::ours;

const COOKIE: &str = "atelier-look";

/// The look of every page.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Look {
    /// `light` or `dark`; empty for what the device prefers.
    pub(crate) theme: &'static str,
    /// People go by their seats.
    pub(crate) hide_names: bool,
}

impl Look {
    fn read(headers: &HeaderMap) -> Self {
        let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs =
            cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let value = pairs.find(|(name, _)| *name == COOKIE).map_or("", |(_, value)| value);
        let mut look = Self::default();
        for word in value.split('.') {
            match word {
                "light" => look.theme = "light",
                "dark" => look.theme = "dark",
                "hidden" => look.hide_names = true,
                _ => {}
            }
        }
        look
    }

    /// The look in one word, by which a page knows whether it still has it.
    pub(crate) fn word(self) -> String {
        format!("{}.{}", self.theme, if self.hide_names { "hidden" } else { "open" })
    }

    /// What somebody is called in a sentence about them.
    pub(crate) fn called(self, name: &str) -> &str {
        if self.hide_names { "this person" } else { name }
    }

    fn cookie(self) -> HeaderValue {
        let text = format!("{COOKIE}={}; Path=/; HttpOnly; SameSite=Strict; Max-Age=31536000", self.word());
        HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Look {
    type Rejection = Infallible;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::read(&parts.headers))
    }
}

/// What is to be another way from now on.
#[derive(Deserialize)]
pub(crate) struct Wanted {
    look: String,
    back: Option<String>,
}

/// `POST /look`
pub(crate) async fn change(look: Look, headers: HeaderMap, Form(wanted): Form<Wanted>) -> Response {
    if !ours(&headers) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let look = match wanted.look.as_str() {
        "light" => Look { theme: "light", ..look },
        "dark" => Look { theme: "dark", ..look },
        "device" => Look { theme: "", ..look },
        "hide" => Look { hide_names: true, ..look },
        "show" => Look { hide_names: false, ..look },
        _ => look,
    };
    let back = safe_path(wanted.back.as_deref());
    ([(header::SET_COOKIE, look.cookie())], Redirect::to(back)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_is_read_as_it_was_written() {
        for look in [
            Look { theme: "dark", hide_names: true },
            Look { theme: "", hide_names: true },
            Look { theme: "light", hide_names: false },
        ] {
            let cookie = look.cookie().to_str().unwrap().split(';').next().unwrap().to_owned();
            let mut headers = HeaderMap::new();
            headers.insert(header::COOKIE, format!("other=hidden; {cookie}").parse().unwrap());
            assert_eq!(Look::read(&headers), look);
        }
    }
}
