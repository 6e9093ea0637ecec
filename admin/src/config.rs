//! Every setting of the dashboard, read once: flags first, then the environment.

use std::net::SocketAddr;

use anyhow::bail;
use clap::Args;
use clap::builder::FalseyValueParser;

/// Settings of the dashboard.
#[derive(Debug, Clone, Args)]
pub struct Config {
    /// Address of the dashboard. Plain HTTP, so loopback only, unless --insecure-http.
    #[arg(long, env = "ATELIER_ADMIN_BIND", default_value = "127.0.0.1:3001")]
    pub bind: SocketAddr,

    /// The queue-manager's API.
    #[arg(long, env = "ATELIER_API", default_value = "http://127.0.0.1:3000")]
    pub api: String,

    /// The outside is https (nginx ends TLS): the cookie becomes Secure and gets the __Host- prefix.
    #[arg(long, env = "ATELIER_HTTPS", value_parser = FalseyValueParser::new())]
    pub https: bool,

    /// Serve plain HTTP on other addresses than loopback. Every page says so.
    #[arg(long, env = "ATELIER_INSECURE_HTTP", value_parser = FalseyValueParser::new())]
    pub insecure_http: bool,

    /// What is logged, as tracing's filter.
    #[arg(long, env = "ATELIER_LOG", default_value = "info")]
    pub log: String,
}

impl Config {
    /// Stops an unsafe start with a sentence that says what to do.
    ///
    /// # Errors
    /// When the address is not loopback without TLS in front.
    pub fn check(&self) -> anyhow::Result<()> {
        if !self.bind.ip().is_loopback() && !self.https && !self.insecure_http {
            bail!(
                "ATELIER_ADMIN_BIND={} would serve sign-ins in plain HTTP to the network. Bind to 127.0.0.1 behind \
                 nginx and set ATELIER_HTTPS=true, or say --insecure-http if you mean it.",
                self.bind
            );
        }
        Ok(())
    }
}
