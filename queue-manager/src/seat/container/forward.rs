//! A request on its way to a container, and its answer on the way back. Neither carries anything that could act for a
//! participant elsewhere: only headers about the content pass.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use http_body_util::Limited;
use queue_protocol::limits;

use super::{Asked, Containers};
use crate::identity::Caller;
use crate::problem::{SeatTrouble, Trouble};
use crate::seat::frontend::POLICY;

/// Installing a node may take a while before the first byte of an answer.
const FIRST_BYTE: Duration = Duration::from_secs(60);

/// What a container is told about a request. No cookie, no `Authorization`, and nothing about where it came from.
const ASKED: [HeaderName; 9] = [
    header::ACCEPT,
    header::ACCEPT_ENCODING,
    header::ACCEPT_LANGUAGE,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::IF_MODIFIED_SINCE,
    header::IF_NONE_MATCH,
    header::IF_RANGE,
    header::RANGE,
];

/// What a browser is told about an answer. A container sets no cookie here, and no policy.
const ANSWERED: [HeaderName; 11] = [
    header::ACCEPT_RANGES,
    header::CACHE_CONTROL,
    header::CONTENT_DISPOSITION,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::CONTENT_RANGE,
    header::CONTENT_TYPE,
    header::ETAG,
    header::EXPIRES,
    header::LAST_MODIFIED,
    header::VARY,
];

/// A person sees this in place of ComfyUI's page while the container is away.
const AWAY: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta http-equiv=\"refresh\" content=\"5\">\
    <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>One moment · Atelier</title>\
    <style>:root{color-scheme:light dark}body{font:18px/1.5 system-ui,sans-serif;max-width:30rem;margin:18vh auto;padding:0 1rem}\
    </style><h1>One moment</h1><p>Your own ComfyUI does not answer; it may be starting. This page tries again by itself.</p>\
    <p>Your jobs go on: <a href=\"jobs\">see them here</a>.</p></html>";

/// Whatever no route of the queue-manager answers in a container seat.
pub(in crate::seat) async fn forward(
    State(containers): State<Containers>,
    caller: Caller,
    request: Request,
) -> Result<Response, SeatTrouble> {
    let asked = request.extensions().get::<Asked>().and_then(|asked| asked.0.as_ref());
    let path = asked.ok_or(Trouble::BadPath)?;
    let address = containers.address(&caller.name, path).ok_or(Trouble::NotFound)?;
    let too_long = |length: usize| length > limits::BODY;
    if content_length(request.headers()).is_some_and(too_long) {
        return Err(Trouble::TooLarge(limits::BODY).into());
    }
    let is_page = request.method() == Method::GET && accepts_html(request.headers());
    let (asked, body) = request.into_parts();
    let mut outgoing = Request::new(Body::new(Limited::new(body, limits::BODY)));
    *outgoing.method_mut() = asked.method;
    *outgoing.uri_mut() = address;
    *outgoing.headers_mut() = chosen(&asked.headers, &ASKED);
    match tokio::time::timeout(FIRST_BYTE, containers.client.request(outgoing)).await {
        Ok(Ok(answer)) => Ok(cleaned(answer.map(Body::new))),
        away => {
            let error = match away {
                Ok(Err(error)) => error.to_string(),
                _ => "no answer in time".to_owned(),
            };
            tracing::warn!(error, "a participant's container does not answer");
            if is_page {
                return Ok((StatusCode::BAD_GATEWAY, [(header::CACHE_CONTROL, "no-store")], Html(AWAY))
                    .into_response());
            }
            Err(Trouble::ContainerAway.into())
        }
    }
}

fn content_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn accepts_html(headers: &HeaderMap) -> bool {
    let accepts = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accepts.is_some_and(|accept| accept.contains("text/html"))
}

fn chosen(headers: &HeaderMap, names: &[HeaderName]) -> HeaderMap {
    let of = |name: &HeaderName| {
        headers.get_all(name).iter().map(|value| (name.clone(), value.clone())).collect::<Vec<_>>()
    };
    names.iter().flat_map(of).collect()
}

/// The answer with our policy, which is that of every seat: a container's page may not call hosts outside either.
fn cleaned(mut answer: Response) -> Response {
    let mut headers = chosen(answer.headers(), &ANSWERED);
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-cache"));
    *answer.headers_mut() = headers;
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_could_act_for_a_participant_passes() {
        let mut headers = HeaderMap::new();
        for name in ["cookie", "authorization", "origin", "host", "x-forwarded-for", "accept", "upgrade"] {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static("x"));
        }
        assert_eq!(chosen(&headers, &ASKED).keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["accept"]);
        let mut answer = Response::new(Body::empty());
        for name in ["set-cookie", "clear-site-data", "location", "content-security-policy", "etag"] {
            answer.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static("x"));
        }
        let cleaned = cleaned(answer);
        assert_eq!(cleaned.headers()[header::CONTENT_SECURITY_POLICY], POLICY);
        assert_eq!(cleaned.headers()[header::ETAG], "x");
        assert_eq!(cleaned.headers().len(), 4, "{:?}", cleaned.headers());
    }
}
