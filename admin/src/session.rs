//! The dashboard's own cookie: it holds the queue-manager's token and has a name of its own, because cookies know no
//! ports.

use std::convert::Infallible;

use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};

/// How the cookie is called and sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cookies {
    pub(crate) https: bool,
}

impl Cookies {
    fn name(self) -> &'static str {
        if self.https { "__Host-atelier-admin" } else { "atelier-admin" }
    }

    pub(crate) fn header(self, token: &str) -> HeaderValue {
        let secure = if self.https { "; Secure" } else { "" };
        let ended = if token.is_empty() { "; Max-Age=0" } else { "" };
        let text = format!("{}={token}; Path=/; HttpOnly; SameSite=Strict{secure}{ended}", self.name());
        HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
    }

    fn read(self, headers: &HeaderMap) -> Option<String> {
        headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|line| line.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .find(|(name, value)| *name == self.name() && !value.is_empty())
            .map(|(_, value)| value.to_owned())
    }
}

/// The queue-manager's token, if the browser has one. Whether it is still valid is the queue-manager's to say.
pub(crate) struct Token(pub(crate) Option<String>);

impl<S> FromRequestParts<S> for Token
where
    S: Send + Sync,
    Cookies: FromRef<S>,
{
    type Rejection = Infallible;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        Ok(Self(Cookies::from_ref(state).read(&parts.headers)))
    }
}
