//! Every setting of the queue-manager, read once: flags first, then the environment.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::bail;
use clap::Args;
use clap::builder::FalseyValueParser;
use queue_broker::Store;
use queue_protocol::{Timings, Workshop, timings};

/// Settings of the queue-manager.
#[derive(Debug, Clone, Args)]
pub struct Config {
    /// Address of seats and API. Plain HTTP, so loopback only, unless --insecure-http.
    #[arg(long, env = "ATELIER_BIND", default_value = "127.0.0.1:3000", global = true)]
    pub bind: SocketAddr,

    /// Address of the worker link: loopback or the Tailscale address, never the public side.
    #[arg(long, env = "ATELIER_WORKER_BIND", default_value = "127.0.0.1:3443", global = true)]
    pub worker_bind: SocketAddr,

    /// `redis://…` of a Redis-compatible store; a private redis-server under the data folder when not set.
    #[arg(long, env = "ATELIER_REDIS_URL", hide_env_values = true, global = true)]
    pub redis_url: Option<String>,

    /// The short name for the same setting.
    #[arg(long = "redis-url-alias", env = "REDIS_URL", hide = true, hide_env_values = true, global = true)]
    pub redis_url_alias: Option<String>,

    /// Name of the workshop: the keys of each stand apart in the store.
    #[arg(long, env = "ATELIER_WORKSHOP", default_value = "workshop", global = true)]
    pub workshop: Workshop,

    /// Folder of files, of the private redis-server and of secrets.
    #[arg(long, env = "ATELIER_DATA", default_value = "data", global = true)]
    pub data: PathBuf,

    /// Folder of the unpacked ComfyUI frontend; seats are the plain page when it is missing.
    #[arg(long, env = "ATELIER_FRONTEND", default_value = "data/frontend/current", global = true)]
    pub frontend: PathBuf,

    /// How long a claim lends a job, in ms; renewed six times as often.
    #[arg(long, env = "ATELIER_LEASE_MS", default_value_t = 30_000, global = true)]
    pub lease_ms: u64,

    /// Running jobs of one participant at a time; 1 in a new workshop, as it was otherwise.
    #[arg(long, env = "ATELIER_RUNNING_PER_PARTICIPANT", global = true)]
    pub running_per_participant: Option<u32>,

    /// The outside is https (nginx ends TLS): cookies become Secure and get the __Host- prefix.
    #[arg(long, env = "ATELIER_HTTPS", value_parser = FalseyValueParser::new(), global = true)]
    pub https: bool,

    /// Serve plain HTTP on other addresses than loopback. Every page says so.
    #[arg(long, env = "ATELIER_INSECURE_HTTP", value_parser = FalseyValueParser::new(), global = true)]
    pub insecure_http: bool,

    /// What is logged, as tracing's filter.
    #[arg(long, env = "ATELIER_LOG", default_value = "info", global = true)]
    pub log: String,
}

impl Config {
    /// Stops an unsafe start with a sentence that says what to do.
    ///
    /// # Errors
    /// When the public address is not loopback without TLS in front, or the lease is too short to renew.
    pub fn check(&self) -> anyhow::Result<()> {
        if !self.bind.ip().is_loopback() && !self.https && !self.insecure_http {
            bail!(
                "ATELIER_BIND={} would serve sign-ins in plain HTTP to the network. Bind to 127.0.0.1 behind nginx \
                 and set ATELIER_HTTPS=true, or say --insecure-http if you mean it.",
                self.bind
            );
        }
        if self.lease_ms < 600 {
            bail!("ATELIER_LEASE_MS={} is too short to be renewed; the least is 600.", self.lease_ms);
        }
        Ok(())
    }

    /// The store named by the environment; `None` means the private redis-server.
    #[must_use]
    pub fn outside_store(&self) -> Option<Store> {
        let url = self.redis_url.as_ref().or(self.redis_url_alias.as_ref())?;
        url.parse().ok()
    }

    /// The lease.
    #[must_use]
    pub fn lease(&self) -> Duration {
        Duration::from_millis(self.lease_ms)
    }

    /// What workers are told.
    #[must_use]
    pub fn timings(&self) -> Timings {
        Timings::from_lease(self.lease())
    }

    /// How often leases are looked at: every second, and often enough for the short leases of tests.
    #[must_use]
    pub fn reap_every(&self) -> Duration {
        timings::REAP_EVERY.min(self.lease() / 3)
    }
}
