//! When the instructor is told that something needs them, and where that is sent.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, value_parser};
use http::Uri;
use queue_protocol::Secret;

use super::secret;

/// Before the secret's base64, as the Standard Webhooks specification writes it.
const PREFIX: &str = "whsec_";
/// Bytes that a secret may have, by the same specification.
const LENGTHS: std::ops::RangeInclusive<usize> = 24..=64;

/// Settings of alerts.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Alerts")]
pub struct AlertSettings {
    /// Where alerts are sent: an `https://` address, or an `http://` one in a network of your own. Nowhere when not set.
    #[arg(long, env = "ATELIER_WEBHOOK_URL", value_name = "URL", hide_env_values = true, global = true)]
    pub webhook_url: Option<Secret>,

    /// What signs them: `whsec_` and the base64 of 24 to 64 random bytes. Needed with an address. Not as a flag: everybody on a
    /// machine can read those.
    #[arg(
        long,
        env = "ATELIER_WEBHOOK_SECRET",
        value_name = "SECRET",
        hide_env_values = true,
        global = true
    )]
    pub webhook_secret: Option<Secret>,

    /// A file that holds the secret.
    #[arg(long, env = "ATELIER_WEBHOOK_SECRET_FILE", value_name = "PATH", global = true)]
    pub webhook_secret_file: Option<PathBuf>,

    /// Minutes without a new start, while jobs wait and a worker could run them, after which the queue is called stuck.
    #[arg(long, env = "ATELIER_STUCK_MINUTES", value_name = "MINUTES", value_parser = value_parser!(u64).range(1..=1_440), default_value_t = 10, global = true)]
    pub stuck_minutes: u64,

    /// Megabytes that must be free on the disk of the data folder; below that it is called nearly full.
    #[arg(long, env = "ATELIER_DISK_FREE_MB", value_name = "MB", value_parser = value_parser!(u64).range(0..=1_000_000_000), default_value_t = 5_000, global = true)]
    pub disk_free_mb: u64,
}

/// Where alerts go, and what signs them.
#[derive(Clone)]
pub(crate) struct Hook {
    pub(crate) address: Uri,
    pub(crate) key: Vec<u8>,
}

impl AlertSettings {
    /// Where alerts go, if anywhere.
    ///
    /// # Errors
    /// When the address or the secret is unusable, one of them is missing, or the secret's file cannot be read. Neither is
    /// quoted: an address may hold a secret as well.
    pub(crate) fn hook(&self) -> anyhow::Result<Option<Hook>> {
        let secret = secret::read(self.webhook_secret.as_ref(), self.webhook_secret_file.as_deref())
            .context("ATELIER_WEBHOOK_SECRET_FILE")?;
        let (url, secret) = match (&self.webhook_url, secret) {
            (None, None) => return Ok(None),
            (Some(_), None) => bail!(
                "ATELIER_WEBHOOK_URL is set and ATELIER_WEBHOOK_SECRET is not: alerts are sent signed or not at all. Make one \
                 with: echo whsec_$(openssl rand -base64 32)"
            ),
            (None, Some(_)) => {
                bail!("ATELIER_WEBHOOK_SECRET is set and ATELIER_WEBHOOK_URL is not: set both or neither")
            }
            (Some(url), Some(secret)) => (url, secret),
        };
        let Some(address) = address(url.expose()) else {
            bail!(
                "ATELIER_WEBHOOK_URL is no address of a webhook: it looks like https://HOST/PATH, without a user or a password"
            );
        };
        let Some(key) = key(secret.expose()) else {
            bail!(
                "ATELIER_WEBHOOK_SECRET is no secret of a webhook: it is whsec_ and the base64 of 24 to 64 random bytes, as \
                 from: echo whsec_$(openssl rand -base64 32)"
            );
        };
        Ok(Some(Hook { address, key }))
    }

    pub(crate) fn stuck_after(&self) -> Duration {
        Duration::from_secs(self.stuck_minutes * 60)
    }
}

fn address(url: &str) -> Option<Uri> {
    let address: Uri = url.parse().ok()?;
    let scheme = matches!(address.scheme_str(), Some("http" | "https"));
    let authority = address.authority()?;
    (scheme && !authority.host().is_empty() && !authority.as_str().contains('@')).then_some(address)
}

fn key(secret: &str) -> Option<Vec<u8>> {
    let key = STANDARD.decode(secret.strip_prefix(PREFIX)?).ok()?;
    LENGTHS.contains(&key.len()).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(url: Option<&str>, secret: Option<&str>) -> AlertSettings {
        let secret_of = |text: &str| Secret::from(text.to_owned());
        AlertSettings {
            webhook_url: url.map(secret_of),
            webhook_secret: secret.map(secret_of),
            webhook_secret_file: None,
            stuck_minutes: 10,
            disk_free_mb: 5_000,
        }
    }

    const GOOD: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    #[test]
    fn a_webhook_has_an_address_and_a_secret_or_there_is_none() {
        assert!(settings(None, None).hook().unwrap().is_none());
        for url in ["https://hooks.example/a?b=c", "http://ntfy:80/room", "http://[::1]:9/"] {
            assert!(settings(Some(url), Some(GOOD)).hook().unwrap().is_some(), "{url}");
        }
        for (url, secret, named) in [
            (Some("https://canary.example"), None, "ATELIER_WEBHOOK_SECRET"),
            (None, Some(GOOD), "ATELIER_WEBHOOK_URL"),
            (Some("ftp://canary"), Some(GOOD), "ATELIER_WEBHOOK_URL"),
            (Some("canary"), Some(GOOD), "ATELIER_WEBHOOK_URL"),
            (Some("https://a:canary@host/"), Some(GOOD), "ATELIER_WEBHOOK_URL"),
            (Some("https://host"), Some("canary"), "ATELIER_WEBHOOK_SECRET"),
            (Some("https://host"), Some("whsec_Y2FuYXJ5"), "ATELIER_WEBHOOK_SECRET"),
            (Some("https://host"), Some("whsec_!canary"), "ATELIER_WEBHOOK_SECRET"),
        ] {
            let Err(refused) = settings(url, secret).hook() else { panic!("{url:?} {secret:?}") };
            let said = format!("{refused:#}");
            assert!(said.contains(named) && !said.contains("canary"), "{said}");
        }
    }
}
