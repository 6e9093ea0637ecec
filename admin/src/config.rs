//! Every setting of the dashboard, read once: flags first, then the environment.

use std::net::SocketAddr;

use anyhow::bail;
use clap::builder::{BoolishValueParser, Resettable};
use clap::{Args, Command};

use crate::logging::LogFormat;

/// Settings of the dashboard.
#[derive(Debug, Clone, Args)]
pub struct Config {
    /// Address of the dashboard, plain HTTP. Another address than loopback needs `ATELIER_HTTPS` or
    /// `ATELIER_INSECURE_HTTP`.
    #[arg(long, env = "ATELIER_ADMIN_BIND", value_name = "ADDRESS", default_value = "127.0.0.1:3001")]
    pub bind: SocketAddr,

    /// The queue-manager's API.
    #[arg(long, env = "ATELIER_API", value_name = "URL", default_value = "http://127.0.0.1:3000")]
    pub api: String,

    /// Where participants find their seats, as it stands on their cards; the host of the dashboard on port 8080 when not
    /// set.
    #[arg(long, env = "ATELIER_SEATS_URL", value_name = "URL")]
    pub seats_url: Option<String>,

    /// Browsers come by https, ended in front of us: the cookie becomes `Secure` and is called `__Host-…`.
    #[arg(long, env = "ATELIER_HTTPS", value_parser = BoolishValueParser::new())]
    pub https: bool,

    /// Serve plain HTTP on other addresses than loopback. Every page says so.
    #[arg(long, env = "ATELIER_INSECURE_HTTP", value_parser = BoolishValueParser::new())]
    pub insecure_http: bool,

    /// What is logged, as a filter of tracing: `info`, `debug`, `info,admin=debug`.
    #[arg(long, env = "ATELIER_LOG", value_name = "FILTER", default_value = "info")]
    pub log: String,

    /// How it is logged, to standard error: lines for people, or one JSON object per line.
    #[arg(long, env = "ATELIER_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
}

/// An empty variable counts as not set: compose files and scripts pass those on.
#[must_use]
pub fn without_empty_variables(command: Command) -> Command {
    command.mut_args(|argument| {
        let empty = argument.get_env().and_then(std::env::var_os).is_some_and(|value| value.is_empty());
        if empty { argument.env(Resettable::Reset) } else { argument }
    })
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
