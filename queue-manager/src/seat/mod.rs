//! Seats: ComfyUI's own protocol under `/<participant>/`, so that an unmodified frontend shows its own queue, progress,
//! previews, history and cancel. Everything here is about one participant, who is the session's and nobody else's.

mod account;
mod archive;
pub mod container;
mod descriptions;
pub(crate) mod ends;
mod extensions;
pub mod frontend;
mod history;
mod input;
mod job_filter;
mod jobs;
mod models;
mod nodes;
mod notices;
mod panel;
pub(crate) mod picture;
mod plain;
mod prompt;
mod queue;
pub(crate) mod quota;
mod range;
mod settings;
mod socket;
pub(crate) mod stored_body;
pub(crate) mod templates;
mod upload;
mod userdata;
mod view;
mod wire;

use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{Method, Uri};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{any, get, patch, post};
use axum::{Router, http::header};
use queue_protocol::{AccountName, limits};
use tower::ServiceExt;
use tower_http::compression::CompressionLayer;
use tracing::Instrument;

use self::container::Containers;
use crate::app::App;
use crate::identity::caller::Identity;
use crate::identity::guard::{Pace, scope_of};
use crate::path_rule;
use crate::problem::{SeatTrouble, Trouble};

/// The two kinds of seat.
#[derive(Clone)]
pub(crate) struct Seats {
    light: Router,
    container: Router,
    containers: Containers,
}

impl Seats {
    pub(crate) fn new(app: &App) -> Self {
        let containers = app.containers.clone();
        Self { light: light(app.clone()), container: in_container(app.clone()), containers }
    }

    fn of(&self, participant: &AccountName) -> Router {
        if self.containers.has(participant) { self.container.clone() } else { self.light.clone() }
    }
}

/// Every route of a light seat, without the participant.
fn light(app: App) -> Router {
    let with_and_without_api = of_the_pool().merge(of_the_page()).merge(personal());
    let only_api = jobs_api()
        .route("/assets", get(descriptions::no_assets))
        .route("/tags", get(descriptions::no_assets))
        .fallback(async || SeatTrouble(Trouble::NotFound));
    let bare = Router::new()
        .route("/internal/logs", get(descriptions::logs))
        .route("/internal/logs/raw", get(descriptions::raw_logs))
        .route("/internal/logs/subscribe", patch(descriptions::subscribed))
        .route("/templates/{file}", get(templates::package))
        .route("/", get(frontend::page))
        .route("/index.html", get(frontend::page));
    Router::new()
        .merge(with_and_without_api.clone())
        .nest("/api", with_and_without_api.merge(only_api))
        .merge(bare.merge(bare_of_the_pool()))
        .fallback(frontend::file)
        .method_not_allowed_fallback(async || SeatTrouble(Trouble::WrongMethod))
        .with_state(app)
}

/// The routes of a container seat that are ours, without the participant; all others are the container's.
fn in_container(app: App) -> Router {
    Router::new()
        .merge(of_the_pool())
        .nest("/api", of_the_pool().merge(jobs_api()))
        .merge(bare_of_the_pool())
        .route("/", get(container::page))
        .fallback(container::forward)
        .method_not_allowed_fallback(async || SeatTrouble(Trouble::WrongMethod))
        .with_state(app)
}

fn jobs_api() -> Router<App> {
    Router::new()
        .route("/jobs", get(jobs::list))
        .route("/jobs/cancel", post(jobs::cancel_many))
        .route("/jobs/{id}", get(jobs::one))
        .route("/jobs/{id}/cancel", post(jobs::cancel))
        .layer(DefaultBodyLimit::max(limits::FORM))
}

fn bare_of_the_pool() -> Router<App> {
    Router::new()
        .route("/internal/files/{kind}", get(descriptions::files))
        .route("/internal/folder_paths", get(models::folder_paths))
        .route("/extensions/atelier/{file}", get(panel::file))
        .route("/extensions/{*file}", get(extensions::file))
        .route("/jobs", get(plain::page).post(plain::run))
        .route("/jobs/archive.zip", get(archive::download))
        .route("/jobs/{id}/cancel", post(plain::cancel))
        .layer(DefaultBodyLimit::max(limits::BODY + 64 * 1024))
        .route("/account", get(account::page))
        .route("/account/sessions/end", post(account::end_others))
        .route("/account/sessions/{id}/end", post(account::end_session))
        .route("/account/tokens", post(account::make_token))
        .route("/account/tokens/{id}/revoke", post(account::revoke_token))
}

fn execution() -> Router<App> {
    Router::new()
        .route("/prompt", get(queue::remaining).post(prompt::submit))
        .route("/queue", get(queue::list).post(queue::change))
        .route("/interrupt", post(queue::interrupt))
        .route("/history", get(history::list).post(history::change))
        .route("/history/{id}", get(history::one))
        .layer(DefaultBodyLimit::max(limits::FORM))
        .route("/ws", get(socket::open))
        .route("/view", get(view::file))
        .merge(uploads())
        .route("/free", post(descriptions::refuse_free))
}

fn uploads() -> Router<App> {
    Router::new()
        .route("/upload/image", post(upload::image))
        .route("/upload/mask", post(upload::mask))
        .layer(DefaultBodyLimit::max(limits::UPLOAD + 64 * 1024))
}

/// Jobs, files, and what the workers can run: the queue-manager's in every seat.
fn of_the_pool() -> Router<App> {
    execution()
        .route("/object_info", get(nodes::all).layer(CompressionLayer::new()))
        .route("/object_info/{class}", get(nodes::one))
        .route("/models", get(models::all))
        .route("/models/{folder}", get(models::one))
        .route("/experiment/models", get(models::experiment_all))
        .route("/experiment/models/{folder}", get(models::experiment_one))
        .route("/embeddings", get(descriptions::embeddings))
        .route("/extensions", get(extensions::list))
        .route("/features", get(descriptions::features))
        .route("/system_stats", get(descriptions::system_stats))
        .route("/workflow_templates", get(templates::list))
        .route("/workflow_templates/{pack}/{file}", get(templates::file))
        .route("/view_metadata/{folder}", get(descriptions::absent))
        .route("/experiment/models/preview/{*file}", get(descriptions::absent))
}

/// What the page of a light seat asks for besides.
fn of_the_page() -> Router<App> {
    Router::new()
        .route("/i18n", get(descriptions::i18n))
        .route("/global_subgraphs", get(descriptions::nothing))
        .route("/global_subgraphs/{id}", get(descriptions::absent))
        .route("/node_replacements", get(descriptions::node_replacements))
}

fn personal() -> Router<App> {
    Router::new()
        .route("/users", get(descriptions::users))
        .route("/settings", get(settings::all).post(settings::merge))
        .route("/settings/{id}", get(settings::one).post(settings::set))
        .route("/userdata", get(userdata::list))
        .route("/v2/userdata", get(userdata::list_v2))
        .route("/userdata/{*file}", any(userdata::file))
}

/// Takes a request to the seat its path names, if the session is that participant's. A path that names another one
/// does not exist.
pub(crate) async fn dispatch(seats: Seats, identity: Identity, pace: Pace, mut request: Request) -> Response {
    let raw = request.uri().path().to_owned();
    let Some((participant, rest)) = path_rule::participant_of(&raw) else {
        return frontend::shared_file(seats.light, request).await;
    };
    let Some(rest) = rest else {
        // The frontend computes every address from the page's, which must end in a slash.
        return Redirect::permanent(&format!("/{participant}/")).into_response();
    };
    if frontend::is_shared(rest) {
        // A browser fetches the page's manifest without a session.
        let inner = rest.parse::<Uri>().map(|uri| *request.uri_mut() = uri);
        return match inner {
            Ok(()) => frontend::shared_file(seats.light, request).await,
            Err(_) => SeatTrouble(Trouble::BadPath).into_response(),
        };
    }
    let caller = match identity.caller(request.headers()).await {
        Ok(caller) => caller,
        Err(Trouble::NotSignedIn) if wants_a_page(&request, rest) => {
            return Redirect::to("/sign-in").into_response();
        }
        Err(trouble) => return SeatTrouble(trouble).into_response(),
    };
    if let Err(trouble) = pace.request(&caller.name) {
        return SeatTrouble(trouble).into_response();
    }
    if caller.name != participant {
        return SeatTrouble(Trouble::NotFound).into_response();
    }
    if !caller.may(scope_of(request.method())) {
        return SeatTrouble(Trouble::OutOfScope).into_response();
    }
    let inner = match request.uri().query() {
        Some(query) => format!("{rest}?{query}"),
        None => rest.to_owned(),
    };
    match inner.parse::<Uri>() {
        Ok(uri) => *request.uri_mut() = uri,
        Err(_) => return SeatTrouble(Trouble::BadPath).into_response(),
    }
    let asked = container::Asked::of(request.uri());
    request.extensions_mut().insert(asked);
    let span = tracing::info_span!("seat", participant.id = %caller.name);
    let seat = seats.of(&caller.name);
    request.extensions_mut().insert(caller);
    match seat.oneshot(request).instrument(span).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

fn wants_a_page(request: &Request, rest: &str) -> bool {
    let accepts = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok());
    request.method() == Method::GET
        && matches!(rest, "/" | "/jobs")
        && accepts.is_some_and(|accept| accept.contains("text/html"))
}
