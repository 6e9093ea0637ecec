//! Every setting of the queue-manager, read once: flags first, then the environment.

pub mod alerts;
pub mod environment;
pub mod queue;
pub mod seats;
pub mod store;

pub(crate) mod effective;
mod secret;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::bail;
use clap::builder::BoolishValueParser;
use clap::{Args, value_parser};
use queue_broker::Store;
use queue_protocol::{Timings, Workshop, timings};

use crate::logging::LogFormat;
use alerts::AlertSettings;
use queue::QueueSettings;
use seats::SeatSettings;
use store::StoreSettings;

/// Settings of the queue-manager.
#[derive(Debug, Clone, Args)]
pub struct Config {
    /// Address of seats and API, plain HTTP. Another address than loopback needs `ATELIER_HTTPS` or
    /// `ATELIER_INSECURE_HTTP`.
    #[arg(
        long,
        env = "ATELIER_BIND",
        value_name = "ADDRESS",
        default_value = "127.0.0.1:3000",
        global = true
    )]
    pub bind: SocketAddr,

    /// Address of the worker link, plain HTTP: loopback or an address in a private network, never the public side.
    #[arg(
        long,
        env = "ATELIER_WORKER_BIND",
        value_name = "ADDRESS",
        default_value = "127.0.0.1:3443",
        global = true
    )]
    pub worker_bind: SocketAddr,

    /// Name of the workshop, 1 to 32 of `a-z 0-9 - _`; the keys of each stand apart in the store.
    #[arg(long, env = "ATELIER_WORKSHOP", value_name = "NAME", default_value = "workshop", global = true)]
    pub workshop: Workshop,

    /// Folder of files and of the private redis-server. Its socket's path may have 107 bytes, so a relative one is safe.
    #[arg(long, env = "ATELIER_DATA", value_name = "PATH", default_value = "data", global = true)]
    pub data: PathBuf,

    /// The worker's program, which a GPU box that joins fetches from the workers' address; the one beside this program when
    /// not set.
    #[arg(long, env = "ATELIER_WORKER_PROGRAM", value_name = "PATH", global = true)]
    pub worker_program: Option<PathBuf>,

    /// Folder of the unpacked ComfyUI frontend; seats are the plain page when it is missing.
    #[arg(
        long,
        env = "ATELIER_FRONTEND",
        value_name = "PATH",
        default_value = "data/frontend/current",
        global = true
    )]
    pub frontend: PathBuf,

    /// How long a claim lends a job, in ms; workers renew six times as often.
    #[arg(long, env = "ATELIER_LEASE_MS", value_name = "MS", value_parser = value_parser!(u64).range(600..=3_600_000), default_value_t = 30_000, global = true)]
    pub lease_ms: u64,

    /// Browsers come by https, ended in front of us: cookies become `Secure` and are called `__Host-…`.
    #[arg(long, env = "ATELIER_HTTPS", value_parser = BoolishValueParser::new(), global = true)]
    pub https: bool,

    /// Serve plain HTTP on other addresses than loopback. Every page says so.
    #[arg(long, env = "ATELIER_INSECURE_HTTP", value_parser = BoolishValueParser::new(), global = true)]
    pub insecure_http: bool,

    /// Serve the worker link, which is plain HTTP, on an address that is neither loopback nor private.
    #[arg(long, env = "ATELIER_PUBLIC_WORKER_LINK", value_parser = BoolishValueParser::new(), global = true)]
    pub public_worker_link: bool,

    /// What is logged, as a filter of tracing: `info`, `debug`, `info,queue_manager=debug`.
    #[arg(long, env = "ATELIER_LOG", value_name = "FILTER", default_value = "info", global = true)]
    pub log: String,

    /// How it is logged, to standard error: lines for people, or one JSON object per line.
    #[arg(long, env = "ATELIER_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text, global = true)]
    pub log_format: LogFormat,

    /// What participants find in their seats.
    #[command(flatten)]
    pub seats: SeatSettings,

    /// Where the queue is kept.
    #[command(flatten)]
    pub store: StoreSettings,

    /// When the instructor is told that something needs them, and where.
    #[command(flatten)]
    pub alerts: AlertSettings,

    /// The queue's own settings.
    #[command(flatten)]
    pub queue: QueueSettings,
}

impl Config {
    /// Stops an unsafe start with a sentence that says what to do.
    ///
    /// # Errors
    /// When the public address is not loopback without TLS in front, the workers' address is not private, the store is open
    /// to its network, the webhook is unusable, or the default workflow is not there.
    pub fn check(&self) -> anyhow::Result<()> {
        if !self.bind.ip().is_loopback() && !self.https && !self.insecure_http {
            bail!(
                "ATELIER_BIND={} would serve sign-ins in plain HTTP to the network. Bind to 127.0.0.1 behind nginx \
                 and set ATELIER_HTTPS=true, or say --insecure-http if you mean it.",
                self.bind
            );
        }
        if !is_private(self.worker_bind.ip()) && !self.public_worker_link {
            bail!(
                "ATELIER_WORKER_BIND={} would send workers' tokens and everybody's pictures in plain HTTP. Bind to 127.0.0.1 \
                 or to an address in a private network such as Tailscale's, or say --public-worker-link if you mean it.",
                self.worker_bind
            );
        }
        self.store.check()?;
        self.alerts.hook()?;
        self.seats.check()
    }

    /// The store that is set; `None` means the private redis-server.
    ///
    /// # Errors
    /// When a secret's file cannot be read or the address is not one.
    pub fn outside_store(&self) -> anyhow::Result<Option<Store>> {
        self.store.store()
    }

    /// The worker's program, where it can be known.
    #[must_use]
    pub fn worker_program(&self) -> Option<PathBuf> {
        let beside = || Some(std::env::current_exe().ok()?.with_file_name("worker"));
        self.worker_program.clone().or_else(beside)
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

/// Loopback, an address of a private network, or one that carriers and Tailscale hand out (100.64.0.0/10). All addresses at
/// once (`0.0.0.0`, `::`) are not.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let [first, second, ..] = address.octets();
            let shared = first == 100 && (64..128).contains(&second);
            address.is_loopback() || address.is_private() || address.is_link_local() || shared
        }
        IpAddr::V6(address) => {
            address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_side_is_no_private_address() {
        for private in
            ["127.0.0.1", "10.1.2.3", "192.168.0.9", "172.16.5.5", "100.100.1.2", "fd7a:115c::1", "::1"]
        {
            assert!(is_private(private.parse().unwrap()), "{private}");
        }
        for public in ["0.0.0.0", "::", "203.0.113.7", "100.1.2.3", "172.32.0.1", "2001:db8::1"] {
            assert!(!is_private(public.parse().unwrap()), "{public}");
        }
    }
}
