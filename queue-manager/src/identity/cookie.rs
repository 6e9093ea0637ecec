//! The session cookie: its own name per service, because cookies know no ports.

use axum::http::{HeaderMap, HeaderValue, header};

/// How the cookie is called and sent.
#[derive(Debug, Clone, Copy)]
pub struct CookieKind {
    /// Whether browsers reach us by https.
    pub https: bool,
}

impl CookieKind {
    fn name(self) -> &'static str {
        if self.https { "__Host-atelier" } else { "atelier" }
    }

    /// The header that begins a session.
    #[must_use]
    pub fn begin(self, secret: &str) -> HeaderValue {
        self.header(secret, "")
    }

    /// The header that ends one.
    #[must_use]
    pub fn end(self) -> HeaderValue {
        self.header("", "; Max-Age=0")
    }

    fn header(self, value: &str, more: &str) -> HeaderValue {
        let secure = if self.https { "; Secure" } else { "" };
        let text = format!("{}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{more}", self.name());
        HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
    }

    /// The session id among a request's cookies.
    #[must_use]
    pub fn read(self, headers: &HeaderMap) -> Option<&str> {
        headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|line| line.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .find(|(name, value)| *name == self.name() && !value.is_empty())
            .map(|(_, value)| value)
    }
}
