//! Where the queue is kept.

use std::net::IpAddr;
use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::builder::BoolishValueParser;
use clap::{Args, value_parser};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use queue_broker::{Broker, Store};
use queue_protocol::{Secret, Workshop};

use super::secret;

/// The store's address, whole or in parts.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Store")]
pub struct StoreSettings {
    /// `redis://…`, `rediss://…` (TLS), `redis-cluster://HOST:PORT,HOST:PORT…` or `unix:PATH` of a Redis-compatible
    /// store; may hold a user and a password. When neither it nor a host is set, the queue-manager starts a
    /// redis-server of its own under the data folder.
    #[arg(long, env = "ATELIER_REDIS_URL", value_name = "URL", hide_env_values = true, global = true)]
    pub redis_url: Option<Secret>,

    /// A file that holds the store's URL.
    #[arg(long, env = "ATELIER_REDIS_URL_FILE", value_name = "PATH", global = true)]
    pub redis_url_file: Option<PathBuf>,

    /// The store's host, where no URL is set.
    #[arg(long, env = "ATELIER_REDIS_HOST", value_name = "HOST", global = true)]
    pub redis_host: Option<String>,

    /// The store's port, with the host.
    #[arg(long, env = "ATELIER_REDIS_PORT", value_name = "PORT", default_value_t = 6379, global = true)]
    pub redis_port: u16,

    /// The store's password, with the host. Not as a flag: everybody on a machine can read those.
    #[arg(
        long,
        env = "ATELIER_REDIS_PASSWORD",
        value_name = "PASSWORD",
        hide_env_values = true,
        global = true
    )]
    pub redis_password: Option<Secret>,

    /// A file that holds the store's password.
    #[arg(long, env = "ATELIER_REDIS_PASSWORD_FILE", value_name = "PATH", global = true)]
    pub redis_password_file: Option<PathBuf>,

    /// Use a store that everybody in its network may read: an address that is neither loopback nor a socket, without a
    /// password.
    #[arg(long, env = "ATELIER_OPEN_REDIS", value_parser = BoolishValueParser::new(), global = true)]
    pub open_redis: bool,

    /// Use a store that throws away what it holds when it is full: jobs that were accepted may vanish.
    #[arg(long, env = "ATELIER_EVICTING_REDIS", value_parser = BoolishValueParser::new(), global = true)]
    pub evicting_redis: bool,

    /// Megabytes of memory that the private redis-server may take. A full one refuses new jobs with 507, and what waits or
    /// runs goes on.
    #[arg(long, env = "ATELIER_REDIS_MB", value_name = "MB", value_parser = value_parser!(u64).range(64..=1_000_000), default_value_t = 2_000, global = true)]
    pub redis_mb: u64,
}

impl StoreSettings {
    /// The store that is set; `None` means the private redis-server.
    ///
    /// # Errors
    /// When a secret's file cannot be read, the address is not one, or a password has no host.
    pub fn store(&self) -> anyhow::Result<Option<Store>> {
        let Some(address) = self.address()? else {
            return Ok(None);
        };
        let Ok(store) = address.expose().parse::<Store>();
        // The reason may quote the address, and the address may hold a password.
        if Broker::new(&store, &"check".parse::<Workshop>()?).is_err() {
            bail!("ATELIER_REDIS_URL is no address of a store: it looks like redis://HOST:6379 or unix:PATH");
        }
        Ok(Some(store))
    }

    /// Stops a start with a store that everybody in its network may read.
    ///
    /// # Errors
    /// When it is one, and nobody said that it may be.
    pub fn check(&self) -> anyhow::Result<()> {
        let open = self.address()?.is_some_and(|address| is_open(address.expose()));
        if open && !self.open_redis {
            bail!(
                "the store of ATELIER_REDIS_URL or ATELIER_REDIS_HOST is used without a password: everybody who reaches it \
                 could read all workflows and be anybody. Set one (ATELIER_REDIS_PASSWORD_FILE), or say --open-redis if \
                 only the queue-manager reaches it."
            );
        }
        Ok(())
    }

    fn address(&self) -> anyhow::Result<Option<Secret>> {
        let url = secret::read(self.redis_url.as_ref(), self.redis_url_file.as_deref());
        if let Some(url) = url.context("ATELIER_REDIS_URL_FILE")? {
            return Ok(Some(url));
        }
        let password = secret::read(self.redis_password.as_ref(), self.redis_password_file.as_deref());
        let password = password.context("ATELIER_REDIS_PASSWORD_FILE")?;
        match (&self.redis_host, password) {
            (None, None) => Ok(None),
            (None, Some(_)) => bail!(
                "ATELIER_REDIS_PASSWORD is set and ATELIER_REDIS_HOST is not: set the host, or leave the password out \
                 for the private redis-server"
            ),
            (Some(host), password) => Ok(Some(url_of(host, self.redis_port, password.as_ref()))),
        }
    }
}

/// Whether an address has no password and may be another machine's.
fn is_open(address: &str) -> bool {
    let Some((scheme, rest)) = address.split_once("://") else { return false };
    if scheme.contains("unix") {
        return false;
    }
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let (user, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
    let password = user.split_once(':').is_some_and(|(_, password)| !password.is_empty());
    let is_here = |host: &str| {
        let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((six, _)) => six,
            None => host.rsplit_once(':').map_or(host, |(name, _)| name),
        };
        name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    };
    !password && !hosts.split(',').all(is_here)
}

fn url_of(host: &str, port: u16, password: Option<&Secret>) -> Secret {
    let password = password.map_or(String::new(), |password| {
        format!(":{}@", utf8_percent_encode(password.expose(), NON_ALPHANUMERIC))
    });
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    format!("redis://{password}{host}:{port}").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> StoreSettings {
        StoreSettings {
            redis_url: None,
            redis_url_file: None,
            redis_host: None,
            redis_port: 6379,
            redis_password: None,
            redis_password_file: None,
            open_redis: false,
            evicting_redis: false,
            redis_mb: 64,
        }
    }

    #[tokio::test]
    async fn host_port_and_password_make_an_address_that_the_client_understands() {
        let parts = StoreSettings {
            redis_host: Some("redis".to_owned()),
            redis_port: 6380,
            redis_password: Some("p@ss/w:rd%#".to_owned().into()),
            ..settings()
        };
        let Some(Store::Url(url)) = parts.store().unwrap() else { panic!("no address") };
        assert_eq!(url, "redis://:p%40ss%2Fw%3Ard%25%23@redis:6380");
        let six = StoreSettings { redis_host: Some("fd7a::1".to_owned()), ..settings() };
        assert_eq!(six.store().unwrap(), Some(Store::Url("redis://[fd7a::1]:6379".to_owned())));
    }

    #[tokio::test]
    async fn an_url_wins_over_the_parts_and_nothing_at_all_is_the_private_server() {
        let url = StoreSettings {
            redis_url: Some("redis://one:1".to_owned().into()),
            redis_host: Some("two".to_owned()),
            ..settings()
        };
        assert_eq!(url.store().unwrap(), Some(Store::Url("redis://one:1".to_owned())));
        assert_eq!(settings().store().unwrap(), None);
    }

    #[test]
    fn a_store_without_a_password_on_another_machine_needs_a_word() {
        let with = |url: &str| StoreSettings { redis_url: Some(url.to_owned().into()), ..settings() };
        for open in [
            "redis://redis:6379",
            "rediss://user@10.0.0.1/0",
            "redis-cluster://127.0.0.1:1,10.0.0.1:2",
            "redis://:@r",
        ] {
            let said = with(open).check().unwrap_err().to_string();
            assert!(said.contains("--open-redis") && !said.contains(open), "{said}");
            assert!(StoreSettings { open_redis: true, ..with(open) }.check().is_ok());
        }
        for closed in [
            "redis://:secret@redis:6379",
            "redis://127.0.0.1:6379/1",
            "redis://[::1]:1",
            "redis://localhost",
            "unix:/run/r.sock",
        ] {
            assert!(with(closed).check().is_ok(), "{closed}");
        }
        assert!(settings().check().is_ok());
    }

    #[tokio::test]
    async fn what_is_no_address_is_refused_without_quoting_it() {
        for text in ["http://:canary@host", "canary"] {
            let wrong = StoreSettings { redis_url: Some(text.to_owned().into()), ..settings() };
            let said = format!("{:#}", wrong.store().unwrap_err());
            assert!(said.contains("ATELIER_REDIS_URL") && !said.contains("canary"), "{said}");
        }
        let alone = StoreSettings { redis_password: Some("canary".to_owned().into()), ..settings() };
        let said = format!("{:#}", alone.store().unwrap_err());
        assert!(said.contains("ATELIER_REDIS_HOST") && !said.contains("canary"));
    }
}
