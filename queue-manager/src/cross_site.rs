//! Which unsafe requests and websockets come from our own pages.

use axum::extract::Request;
use axum::http::{HeaderMap, Method, header};

/// Whether a request changes nothing, or comes from our own pages. One with neither header is no browser's: it passes
/// when it carries its own credentials, and a cookie alone is not enough.
pub(crate) fn is_allowed(request: &Request) -> bool {
    let safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let upgrade = request.headers().contains_key(header::UPGRADE);
    (safe && !upgrade) || is_ours(request.headers())
}

fn is_ours(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text(header::HeaderName::from_static("sec-fetch-site")) {
        // `none` is a person's own doing, such as an address typed in; scripts of a page cannot send it.
        return site == "same-origin" || site == "none";
    }
    if let Some(origin) = text(header::ORIGIN) {
        let host = origin.split_once("://").map(|(_, host)| host);
        return host.is_some() && host == text(header::HOST);
    }
    headers.contains_key(header::AUTHORIZATION) || !headers.contains_key(header::COOKIE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.parse::<header::HeaderName>().unwrap(), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn another_sites_page_changes_nothing_here() {
        assert!(!is_ours(&headers(&[("sec-fetch-site", "cross-site"), ("host", "a")])));
        assert!(!is_ours(&headers(&[("sec-fetch-site", "same-site"), ("host", "a")])));
        assert!(!is_ours(&headers(&[("origin", "http://evil"), ("host", "a:8080")])));
        assert!(!is_ours(&headers(&[("origin", "null"), ("host", "a:8080")])));
        assert!(!is_ours(&headers(&[("cookie", "atelier=x"), ("host", "a")])));
        assert!(!is_ours(&headers(&[("origin", "http://evil"), ("host", "a")])));
    }

    #[test]
    fn our_own_pages_and_scripts_with_credentials_pass() {
        assert!(is_ours(&headers(&[("sec-fetch-site", "same-origin")])));
        assert!(is_ours(&headers(&[("origin", "http://a:8080"), ("host", "a:8080")])));
        assert!(is_ours(&headers(&[("authorization", "Bearer x"), ("host", "a")])));
    }
}
