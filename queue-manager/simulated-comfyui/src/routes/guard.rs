//! The real server's guard against other web pages: 403 for requests that a browser makes on their behalf.

use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::Response;

use crate::reply;

/// Lets a request through unless it comes from another site, or from another origin to a loopback name.
pub(crate) async fn same_origin(request: Request, next: Next) -> Response {
    if is_foreign(request.headers()) {
        return reply::empty(StatusCode::FORBIDDEN);
    }
    next.run(request).await
}

fn is_foreign(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if text("sec-fetch-site") == Some("cross-site") {
        return true;
    }
    let (Some(host), Some(origin)) = (text("host"), text("origin")) else {
        return false;
    };
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let is_loopback = matches!(name, "localhost" | "127.0.0.1" | "[::1]");
    let origin: Option<Uri> = origin.parse().ok();
    let origin = origin.as_ref().and_then(Uri::authority).map(|authority| authority.as_str().to_owned());
    is_loopback && origin.is_some_and(|origin| origin != host)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderMap;

    use super::is_foreign;

    fn foreign(pairs: &[(&'static str, &'static str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, value.parse().unwrap());
        }
        is_foreign(&headers)
    }

    #[test]
    fn only_pages_of_other_sites_are_turned_away() {
        assert!(foreign(&[("host", "127.0.0.1:8188"), ("origin", "http://evil.example")]));
        assert!(foreign(&[("sec-fetch-site", "cross-site")]));
        assert!(!foreign(&[("host", "127.0.0.1:8188"), ("origin", "http://127.0.0.1:8188")]));
        assert!(!foreign(&[("host", "gpu.example"), ("origin", "http://other.example")]));
        assert!(!foreign(&[("host", "127.0.0.1:8188")]));
    }
}
