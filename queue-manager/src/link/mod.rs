//! The worker link: a listener of its own, where every caller is a worker with a token.

mod events;
mod files;
mod join;
mod lending;
pub(crate) mod listener;
mod places;
mod progress;
mod session;

pub(crate) use places::Places;

use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRef, FromRequestParts, Request, State, WebSocketUpgrade};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{get, post, put};
use queue_broker::Broker;
use queue_broker::sessions::SecretHash;
use queue_protocol::{WorkerName, limits};
use tracing::Instrument;

use crate::app::App;
use crate::identity::caller::authorization;
use crate::metrics::Metrics;
use crate::problem::Trouble;

/// The worker behind a bearer token.
pub(crate) struct Worker(WorkerName);

impl<S> FromRequestParts<S> for Worker
where
    S: Send + Sync,
    Broker: FromRef<S>,
{
    type Rejection = Trouble;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Trouble> {
        let secret = authorization(&parts.headers, "Bearer ").ok_or(Trouble::NotSignedIn)?;
        let worker = Broker::from_ref(state).worker_of_token(&SecretHash::of(secret)).await?;
        worker.map(Self).ok_or(Trouble::NotSignedIn)
    }
}

pub(crate) fn router(app: App) -> Router {
    let lease = "/link/jobs/{job}/{token}";
    Router::new()
        .route("/metrics", get(crate::metrics::page))
        .route("/join.sh", get(join::script))
        .route("/join", post(join::exchange))
        .route("/worker", get(join::program))
        .route("/worker.sha256", get(join::hash))
        .route("/link", get(open))
        .route("/link/object-info/{hash}", put(files::put_object_info))
        .route("/link/parts/{part}/{hash}", put(files::put_part))
        .route("/link/next/{job}/inputs/{sha256}", get(files::get_next_input))
        .route(&format!("{lease}/body"), get(files::get_body))
        .route(&format!("{lease}/inputs/{{sha256}}"), get(files::get_input))
        .route(&format!("{lease}/outputs/{{kind}}/{{*path}}"), put(files::put_output))
        .layer(DefaultBodyLimit::disable())
        .fallback(async || Trouble::NotFound)
        .layer(from_fn_with_state(app.metrics.clone(), count_refusals))
        .with_state(app)
}

/// A token that opens nothing, or a lease that is somebody else's or over, may be stolen.
async fn count_refusals(State(metrics): State<Metrics>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let response = next.run(request).await;
    let refused = match response.status() {
        StatusCode::UNAUTHORIZED => "token",
        StatusCode::GONE => "lease",
        _ => return response,
    };
    metrics.refused(refused);
    tracing::warn!(path, refused, "a worker was refused");
    response
}

async fn open(
    State(app): State<App>,
    Worker(worker): Worker,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Trouble> {
    let token = SecretHash::of(authorization(&headers, "Bearer ").ok_or(Trouble::NotSignedIn)?);
    let span = tracing::info_span!("link", worker.id = %worker);
    Ok(upgrade
        .max_message_size(limits::LINK_FRAME)
        .max_frame_size(limits::LINK_FRAME)
        .on_upgrade(move |socket| session::serve(socket, app, worker, token).instrument(span)))
}
