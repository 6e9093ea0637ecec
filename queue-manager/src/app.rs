//! The whole service put together: what it holds, its two listeners, its roles, and how it stops.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use axum::extract::{DefaultBodyLimit, FromRef};
use axum::middleware;
use axum::routing::{get, post};
use axum::{Router, extract::Request};
use queue_broker::Broker;
use queue_protocol::{limits, timings};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower_http::trace::TraceLayer;

use crate::alerts::webhook::Webhook;
use crate::api::causes::Causes;
use crate::capabilities::Capabilities;
use crate::config::Config;
use crate::connections::CountingListener;
use crate::files::Files;
use crate::hub::Hub;
use crate::identity::caller::Identity;
use crate::identity::cookie::CookieKind;
use crate::identity::guard::Pace;
use crate::identity::{Passwords, join, sign_in};
use crate::janitor::{Janitor, Settings};
use crate::link::listener::{self, AwaitedAddress};
use crate::metrics::Metrics;
use crate::pages::Look;
use crate::parts::Parts;
use crate::private_redis::{self, PrivateRedis};
use crate::sealed::Sealer;
use crate::turns::Costly;
use crate::workflow::submit::Door;
use crate::{alerts, api, gate, health, link, seat};

/// How long requests under way may take once we are told to stop: container runtimes kill after 10 s, and the store's
/// last write is still to come.
const PATIENCE: Duration = Duration::from_secs(7);

/// What handlers take their parts from.
#[derive(Clone, FromRef)]
pub(crate) struct App {
    pub(crate) config: Arc<Config>,
    pub(crate) broker: Broker,
    pub(crate) files: Files,
    pub(crate) capabilities: Capabilities,
    pub(crate) causes: Causes,
    pub(crate) parts: Parts,
    pub(crate) identity: Identity,
    pub(crate) hub: Hub,
    pub(crate) places: link::Places,
    pub(crate) awaited_address: AwaitedAddress,
    pub(crate) look: Look,
    pub(crate) frontend: seat::frontend::Frontend,
    pub(crate) templates: seat::templates::Templates,
    pub(crate) quota: seat::quota::Quota,
    pub(crate) containers: seat::container::Containers,
    pub(crate) door: Door,
    pub(crate) sealer: Sealer,
    pub(crate) pace: Pace,
    pub(crate) costly: Costly,
    pub(crate) metrics: Metrics,
    pub(crate) shutdown: CancellationToken,
}

/// Serves until `shutdown`, then finishes what is under way and stops the private redis-server.
///
/// # Errors
/// When an address is taken, the data folder cannot be used, or the private redis-server does not start.
pub async fn serve(config: Config, shutdown: CancellationToken) -> anyhow::Result<()> {
    let outside_store = config.outside_store()?;
    let hook = config.alerts.hook()?;
    let webhook = hook.map(|hook| Webhook::new(hook, config.workshop.clone())).transpose()?;
    // The addresses first: a start that cannot have them must leave nothing behind.
    let seats =
        TcpListener::bind(config.bind).await.with_context(|| format!("cannot listen on {}", config.bind))?;
    let worker_bind = config.worker_bind;
    let workers = listener::listen(worker_bind).await?;
    private_folder(&config.data, outside_store.is_none())?;
    let tasks = TaskTracker::new();
    let redis_stop = CancellationToken::new();
    let store = if let Some(store) = outside_store {
        store
    } else {
        let redis = PrivateRedis::start(&config.data, &config.workshop, config.store.redis_mb).await?;
        tasks.spawn(redis.keep(redis_stop.clone()));
        private_redis::store(&config.data)
    };
    let broker = Broker::new(&store, &config.workshop)?;
    if !config.store.evicting_redis {
        keeps_everything(&broker).await?;
    }
    let app = App::new(config, broker, shutdown.clone())?;
    app.start_roles(&tasks, webhook);

    tracing::info!(seats = %seats.local_addr()?, workers = %worker_bind, "serving");
    let open = TaskTracker::new();
    let counted = |listener| CountingListener { listener, open: open.clone() };
    let public = axum::serve(counted(seats), public_router(app.clone()))
        .with_graceful_shutdown(shutdown.clone().cancelled_owned());
    let private = async {
        let workers = tokio::select! {
            workers = listener::sooner_or_later(workers, worker_bind, &app.awaited_address) => workers?,
            () = shutdown.cancelled() => return Ok(()),
        };
        axum::serve(counted(workers), link::router(app.clone()))
            .with_graceful_shutdown(shutdown.clone().cancelled_owned())
            .await
    };
    let both = async {
        tokio::try_join!(public.into_future(), private)?;
        open.close();
        open.wait().await;
        anyhow::Ok(())
    };
    tokio::pin!(both);
    tokio::select! {
        ended = &mut both => ended?,
        () = patience(&shutdown) => tracing::warn!("some requests did not end in time and were cut"),
    }
    redis_stop.cancel();
    tasks.close();
    tasks.wait().await;
    Ok(())
}

/// Refuses a store that evicts. One that does not answer yet is looked at by the health checks.
async fn keeps_everything(broker: &Broker) -> anyhow::Result<()> {
    if let Ok(Ok(Some(policy))) = tokio::time::timeout(timings::REDIS_RESPONSE, broker.evicts()).await {
        bail!(
            "the queue store evicts what it holds when it is full (maxmemory-policy {policy}), so accepted jobs may vanish. \
             Set its maxmemory-policy to noeviction, or say --evicting-redis if you mean it."
        );
    }
    Ok(())
}

/// The data folder holds everyone's work and password hashes: nobody else on this machine reads it.
fn private_folder(data: &Path, with_redis: bool) -> anyhow::Result<()> {
    std::fs::create_dir_all(data).with_context(|| format!("cannot make {}", data.display()))?;
    for folder in ["files"].into_iter().chain(with_redis.then_some("redis")) {
        let path = data.join(folder);
        std::fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        let only_us = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        std::fs::set_permissions(&path, only_us).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

async fn patience(shutdown: &CancellationToken) {
    shutdown.cancelled().await;
    tokio::time::sleep(PATIENCE).await;
}

impl App {
    fn new(config: Config, broker: Broker, shutdown: CancellationToken) -> anyhow::Result<Self> {
        let files = Files::open(&config.data.join("files"))
            .with_context(|| format!("cannot use {}", config.data.join("files").display()))?;
        let capabilities = Capabilities::new(broker.clone(), files.clone());
        let metrics = Metrics::default();
        let sealer = Sealer::open(&config.data.join("secret.key"))?;
        let passwords = Passwords::new(metrics.password_checks())?;
        let identity = Identity::new(broker.clone(), passwords, CookieKind { https: config.https });
        Ok(Self {
            look: Look { insecure: config.insecure_http && !config.https },
            frontend: seat::frontend::Frontend::new(&config.frontend),
            templates: seat::templates::Templates::new(
                &config.seats.workflows,
                config.seats.default_template(),
            ),
            quota: seat::quota::Quota {
                megabytes: config.seats.saved_mb,
                files: config.seats.saved_files,
                uploads_mb: config.seats.uploads_mb,
            },
            containers: seat::container::Containers::new(&config.seats.container_seats),
            pace: Pace::default(),
            costly: Costly::default(),
            door: Door {
                policy: Arc::new(config.seats.policy()),
                reading: Arc::new(tokio::sync::Semaphore::new(2)),
                sealer: sealer.clone(),
                broker: broker.clone(),
                files: files.clone(),
                capabilities: capabilities.clone(),
                metrics: metrics.clone(),
            },
            sealer,
            metrics,
            config: Arc::new(config),
            hub: Hub::default(),
            places: link::Places::default(),
            awaited_address: AwaitedAddress::default(),
            causes: Causes::new(broker.clone(), capabilities.clone()),
            parts: Parts::new(broker.clone(), files.clone()),
            broker,
            files,
            capabilities,
            identity,
            shutdown,
        })
    }

    fn start_roles(&self, tasks: &TaskTracker, webhook: Option<Webhook>) {
        let (sender, heard) = mpsc::channel(1_024);
        let (broker, shutdown) = (self.broker.clone(), self.shutdown.clone());
        tasks.spawn(async move {
            tokio::select! {
                () = broker.listen(sender) => {}
                () = shutdown.cancelled() => {}
            }
        });
        let identity = self.identity.clone();
        tasks.spawn(self.hub.clone().run(heard, move || identity.forget_sessions()));
        tasks.spawn(seat::ends::run(self.broker.clone(), self.hub.clone(), self.shutdown.clone()));
        let queue = &self.config.queue;
        let settings = Settings { first: queue.first(), always: queue.always() };
        let janitor = Janitor {
            broker: self.broker.clone(),
            files: self.files.clone(),
            metrics: self.metrics.clone(),
            every: self.config.reap_every(),
            lease: self.config.lease(),
            settings,
            patience: alerts::patience(self.config.lease(), self.config.alerts.stuck_after()),
            disk_free_mb: self.config.alerts.disk_free_mb,
            sends: webhook.is_some(),
        };
        tasks.spawn(janitor.run(self.shutdown.clone()));
        if let Some(webhook) = webhook {
            tasks.spawn(webhook.run(self.broker.clone(), self.shutdown.clone()));
        }
    }
}

fn public_router(app: App) -> Router {
    let (seats, identity, pace) = (seat::Seats::new(&app), app.identity.clone(), app.pace.clone());
    Router::new()
        .route("/", get(sign_in::home))
        .route(
            "/sign-in",
            get(sign_in::page).post(sign_in::submit).layer(DefaultBodyLimit::max(limits::SIGN_IN)),
        )
        .route("/sign-out", post(sign_in::sign_out))
        .route("/join/{secret}", get(join::page).post(join::submit))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/health", get(health::ready))
        .route("/api/queue/status", get(health::queue_status))
        .nest("/api/v1", api::table::router(&app))
        .merge(crate::pages::router())
        .layer(DefaultBodyLimit::max(limits::FORM))
        .fallback(move |request| seat::dispatch(seats.clone(), identity.clone(), pace.clone(), request))
        .layer(middleware::from_fn(gate::check))
        .layer(TraceLayer::new_for_http().make_span_with(span))
        .with_state(app)
}

fn span(request: &Request) -> tracing::Span {
    // The path without its query: a query may carry names of files.
    tracing::debug_span!("request", method = %request.method(), path = request.uri().path())
}
