//! `GET /metrics` on the worker's listener, in Prometheus' text format: what this process counted, and what the store
//! says at the moment of asking.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use prometheus_client::encoding::{EncodeLabelSet, text::encode};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use queue_broker::Broker;

use crate::app::App;

/// One word that tells the series of a counter apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Outcome {
    outcome: &'static str,
}

/// What this process counts. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Metrics {
    registry: Arc<Registry>,
    submits: Family<Outcome, Counter>,
    reports: Family<Outcome, Counter>,
    refusals: Family<Outcome, Counter>,
    taken_back: Counter,
    wait: Histogram,
    passwords: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("atelier");
        let (submits, reports, refusals) = (Family::default(), Family::default(), Family::default());
        let (taken_back, passwords) = (Counter::default(), Counter::default());
        let wait = Histogram::new([0.01, 0.1, 1.0, 5.0, 15.0, 60.0, 180.0, 600.0, 1_800.0, 3_600.0]);
        registry.register("submits", "Submits by how they ended", submits.clone());
        registry.register("reports", "Ends that workers reported, by how they were taken", reports.clone());
        registry.register(
            "worker_refusals",
            "What the worker listener refused: a token, a lease over HTTP, an end or a renewal of a lease that is lost",
            refusals.clone(),
        );
        registry.register("leases_taken_back", "Leases that ended without a word", taken_back.clone());
        registry.register("password_checks", "Passwords that were verified at full cost", passwords.clone());
        registry.register("wait_seconds", "From a job's submit to its claim", wait.clone());
        Self { registry: Arc::new(registry), submits, reports, refusals, taken_back, wait, passwords }
    }
}

impl Metrics {
    pub(crate) fn submitted(&self, outcome: &'static str) {
        self.submits.get_or_create(&Outcome { outcome }).inc();
    }

    pub(crate) fn reported(&self, outcome: &'static str) {
        self.reports.get_or_create(&Outcome { outcome }).inc();
    }

    /// A worker, or somebody with a worker's token, that wanted what is not theirs.
    pub(crate) fn refused(&self, outcome: &'static str) {
        self.refusals.get_or_create(&Outcome { outcome }).inc();
    }

    pub(crate) fn took_back(&self, leases: usize) {
        self.taken_back.inc_by(leases as u64);
    }

    /// Counts what [`crate::identity::Passwords`] verifies.
    pub(crate) fn password_checks(&self) -> Counter {
        self.passwords.clone()
    }

    pub(crate) fn lent_after(&self, wait: Duration) {
        self.wait.observe(wait.as_secs_f64());
    }
}

/// `GET /metrics`
pub(crate) async fn page(State(app): State<App>) -> impl IntoResponse {
    let mut text = String::new();
    // Writing into a text cannot fail.
    let _ = store(&app.broker, &mut text).await;
    let _ = encode(&mut text, &app.metrics.registry);
    ([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text)
}

/// Gauges from the store; `atelier_store_up 0` when it does not answer.
async fn store(broker: &Broker, text: &mut String) -> std::fmt::Result {
    let gauge = |text: &mut String, name: &str, help: &str| -> std::fmt::Result {
        writeln!(text, "# HELP atelier_{name} {help}.\n# TYPE atelier_{name} gauge")
    };
    let status = broker.status().await.ok();
    gauge(text, "store_up", "Whether the queue store answers")?;
    writeln!(text, "atelier_store_up {}", u8::from(status.is_some()))?;
    let Some(status) = status else { return Ok(()) };
    gauge(text, "jobs", "Jobs by state; ended ones since the workshop began")?;
    let numbers = [
        ("pending", status.pending_jobs),
        ("running", status.running_jobs),
        ("completed", status.completed_jobs),
        ("failed", status.failed_jobs),
    ];
    for (state, number) in numbers {
        writeln!(text, "atelier_jobs{{state=\"{state}\"}} {number}")?;
    }
    gauge(text, "paused", "Whether claims stop, but for the instructor's lane")?;
    writeln!(text, "atelier_paused {}", u8::from(status.paused))?;
    let workers = broker.worker_list().await.unwrap_or_default();
    gauge(text, "worker_up", "Whether a worker was heard of within one lease")?;
    for worker in &workers {
        writeln!(text, "atelier_worker_up{{worker=\"{}\"}} {}", worker.name, u8::from(worker.active))?;
    }
    gauge(text, "worker_busy", "Whether a worker holds a job")?;
    for worker in &workers {
        writeln!(
            text,
            "atelier_worker_busy{{worker=\"{}\"}} {}",
            worker.name,
            u8::from(worker.job.is_some())
        )?;
    }
    Ok(())
}
