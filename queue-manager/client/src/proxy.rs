//! The proxy through which a worker reaches the queue-manager, for boxes without a network device of their own. Names are
//! resolved at the proxy, because some are known only there.

use std::fmt;
use std::str::FromStr;

use http::Uri;
use percent_encoding::percent_decode_str;
use reqwest::Url;
use thiserror::Error;

/// A text that names no proxy.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "a proxy is http://HOST:PORT or socks5://HOST:PORT, with USER:PASSWORD@ before the host if it wants them"
)]
pub struct InvalidProxy;

/// An HTTP proxy with CONNECT, or a SOCKS5 proxy.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    pub(crate) kind: Kind,
    /// `http://host:port`, whatever the kind.
    pub(crate) address: Uri,
    /// User and password, percent-decoded.
    pub(crate) credentials: Option<(String, String)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Http,
    Socks5,
}

/// Without its password.
impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.kind == Kind::Http { "http" } else { "socks5" };
        write!(f, "{kind}://{}", self.address.authority().map_or("", |authority| authority.as_str()))
    }
}

impl FromStr for Proxy {
    type Err = InvalidProxy;

    fn from_str(text: &str) -> Result<Self, InvalidProxy> {
        let url: Url = text.parse().map_err(|_| InvalidProxy)?;
        let (kind, usual_port) = match url.scheme() {
            "http" => (Kind::Http, 80),
            "socks5" | "socks5h" => (Kind::Socks5, 1080),
            _ => return Err(InvalidProxy),
        };
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(InvalidProxy)?;
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err(InvalidProxy);
        }
        let address = format!("http://{host}:{}", url.port().unwrap_or(usual_port));
        let decoded = |text: &str| {
            let text = percent_decode_str(text).decode_utf8().map_err(|_| InvalidProxy)?;
            // SOCKS5 counts them in one byte.
            if text.len() <= 255 { Ok(text.into_owned()) } else { Err(InvalidProxy) }
        };
        let credentials = match (url.username(), url.password()) {
            ("", None) => None,
            (user, password) => Some((decoded(user)?, decoded(password.unwrap_or_default())?)),
        };
        Ok(Self { kind, address: address.parse().map_err(|_| InvalidProxy)?, credentials })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_proxy_passes_for_one() {
        for good in
            ["http://127.0.0.1:1055", "socks5://localhost:1055/", "socks5h://[::1]:1055", "http://box"]
        {
            assert!(good.parse::<Proxy>().is_ok(), "{good}");
        }
        let long = format!("socks5://{}@box", "x".repeat(256));
        for bad in ["", "localhost:1055", "https://box:1", "ftp://box", "http://", "socks5://box/path", &long]
        {
            assert!(bad.parse::<Proxy>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_proxys_password_is_not_printed() {
        let proxy: Proxy = "socks5://ada:s%3Acret@box:1055".parse().unwrap();
        assert_eq!(format!("{proxy:?}"), "socks5://box:1055");
        assert_eq!(proxy.credentials, Some(("ada".to_owned(), "s:cret".to_owned())));
    }
}
