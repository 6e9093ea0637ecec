//! The dashboard put together: its routes, its headers, how it stops.

use std::sync::Arc;

use anyhow::Context;
use axum::Router;
use axum::extract::{FromRef, Request};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post};
use queue_client::api::Api;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::rooms::Rooms;
use crate::session::Cookies;
use crate::{actions, assets, live, look, overview, pages, sign_in};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
    form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// What handlers take their parts from.
#[derive(Clone, FromRef)]
pub(crate) struct App {
    pub(crate) api: Api,
    pub(crate) rooms: Rooms,
    pub(crate) seats: Seats,
    pub(crate) cookies: Cookies,
    pub(crate) notice: Notice,
    pub(crate) shutdown: CancellationToken,
}

/// The sentence every page shows when it travels without TLS; empty otherwise.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Notice(pub(crate) &'static str);

/// Where participants find their seats.
#[derive(Debug, Clone)]
pub(crate) struct Seats {
    pub(crate) url: Option<Arc<str>>,
    pub(crate) https: bool,
}

impl Seats {
    /// As set, or as the browser came here, on nginx's usual port.
    pub(crate) fn address(&self, headers: &HeaderMap) -> String {
        if let Some(url) = &self.url {
            return url.trim_end_matches('/').to_owned();
        }
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("127.0.0.1");
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        format!("{}://{name}:8080", if self.https { "https" } else { "http" })
    }
}

/// Serves until `shutdown`.
///
/// # Errors
/// When the address is taken.
pub async fn serve(config: Config, shutdown: CancellationToken) -> anyhow::Result<()> {
    let insecure = config.insecure_http && !config.https;
    let sentence =
        if insecure { "This page is not encrypted: anyone on this network can read it." } else { "" };
    let api = Api::new(&config.api)?;
    let app = App {
        rooms: Rooms::new(api.clone()),
        api,
        seats: Seats { url: config.seats_url.as_deref().map(Arc::from), https: config.https },
        cookies: Cookies { https: config.https },
        notice: Notice(sentence),
        shutdown: shutdown.clone(),
    };
    let listener =
        TcpListener::bind(config.bind).await.with_context(|| format!("cannot listen on {}", config.bind))?;
    tracing::info!(address = %listener.local_addr()?, "serving the dashboard");
    axum::serve(listener, router(app)).with_graceful_shutdown(shutdown.cancelled_owned()).await?;
    Ok(())
}

pub(crate) fn router(app: App) -> Router {
    Router::new()
        .route("/", get(overview::page))
        .route("/live", get(live::socket))
        .route("/find", get(overview::find))
        .route("/longest", get(overview::longest))
        .route("/look", post(look::change))
        .route("/do/{what}", post(actions::submit_for_room))
        .route("/{group}/{target}/{verb}", post(actions::submit))
        .route("/person/{name}", get(pages::person::page))
        .route("/people", get(pages::people::page).post(pages::people::add))
        .route("/people/{name}/password", post(pages::people::password))
        .route("/cards", post(pages::cards::print))
        .route("/job/{id}", get(pages::job::page))
        .route("/job/{id}/open", post(pages::job::open))
        .route("/job/{id}/picture/{n}", get(pages::job::picture))
        .route("/alerts", get(overview::alerts))
        .route("/workers", get(pages::workers::page))
        .route("/history", get(pages::history::page))
        .route("/export/{name}", get(pages::history::file))
        .route("/audit", get(pages::audit::page))
        .route("/report", get(pages::report::page))
        .route("/report.csv", get(pages::report::file))
        .route("/setup", get(pages::checklist::page))
        .fallback(pages::nothing)
        .route("/sign-in", get(sign_in::page).post(sign_in::submit))
        .route("/sign-out", post(sign_in::sign_out))
        .route("/healthz", get(async || "ok\n"))
        .route("/assets/{name}", get(assets::file))
        .layer(middleware::from_fn(headers))
        .with_state(app)
}

async fn headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}
