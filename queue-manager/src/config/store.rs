//! Where the queue is kept.

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use queue_broker::{Broker, Store};
use queue_protocol::{Secret, Workshop};

use super::secret;

/// The store's address, whole or in parts.
#[derive(Debug, Clone, Args)]
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
