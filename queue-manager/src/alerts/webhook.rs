//! Alerts on their way to a webhook, as the Standard Webhooks specification has it: named, dated, signed, tried again for a
//! while. On a task of its own, so a hook that is dead or slow keeps nobody waiting.

use std::time::Duration;

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Request, header};
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use queue_broker::transitions::watch::Outgoing;
use queue_broker::{Broker, BrokerError};
use queue_protocol::Workshop;
use queue_protocol::api::AlertKind;
use ring::hmac;
use rustls::crypto::ring::default_provider;
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio_util::sync::CancellationToken;

use super::in_words;
use crate::config::alerts::Hook;

/// A receiver that takes longer does not answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Whoever took an alert to send it has it for so long.
const LEASE: Duration = Duration::from_secs(20);
/// From one try to the next; after the last one it is given up.
const AGAIN: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_secs(120),
    Duration::from_secs(600),
];
/// How often it is looked for something to send.
const LOOK: Duration = Duration::from_secs(1);

/// Sends to one webhook.
pub(crate) struct Webhook {
    hook: Hook,
    key: hmac::Key,
    workshop: Workshop,
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

/// What the specification calls the type: words with points between.
const fn type_of(kind: AlertKind) -> &'static str {
    match kind {
        AlertKind::WorkerLost => "worker.lost",
        AlertKind::QueueStuck => "queue.stuck",
        AlertKind::DiskNearlyFull => "disk.nearly_full",
        AlertKind::MemoryNearlyFull => "memory.nearly_full",
        AlertKind::JobParked => "job.parked",
    }
}

fn rfc3339(ms: u64) -> String {
    let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000);
    at.ok().and_then(|at| at.format(&Rfc3339).ok()).unwrap_or_default()
}

impl Webhook {
    /// # Errors
    /// When the system has no certificates by which an `https` address could be trusted.
    pub(crate) fn new(hook: Hook, workshop: Workshop) -> anyhow::Result<Self> {
        let connector = HttpsConnectorBuilder::new();
        let connector = if hook.address.scheme_str() == Some("https") {
            connector.with_provider_and_native_roots(default_provider()).context(
                "ATELIER_WEBHOOK_URL is https, and this system trusts nobody (install ca-certificates)",
            )?
        } else {
            let tls = rustls::ClientConfig::builder_with_provider(default_provider().into())
                .with_safe_default_protocol_versions()?;
            connector.with_tls_config(
                tls.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth(),
            )
        };
        let client =
            Client::builder(TokioExecutor::new()).build(connector.https_or_http().enable_http1().build());
        let key = hmac::Key::new(hmac::HMAC_SHA256, &hook.key);
        Ok(Self { hook, key, workshop, client })
    }

    /// Sends what is due until `shutdown`.
    pub(crate) async fn run(self, broker: Broker, shutdown: CancellationToken) {
        let sending = async {
            loop {
                match self.next(&broker).await {
                    Ok(true) => {}
                    // The janitor says when the store is away.
                    Ok(false) | Err(_) => tokio::time::sleep(LOOK).await,
                }
            }
        };
        tokio::select! {
            () = sending => {}
            // What is under way is sent by another one, or after the next start.
            () = shutdown.cancelled() => {}
        }
    }

    /// Sends one alert, if one is due.
    async fn next(&self, broker: &Broker) -> Result<bool, BrokerError> {
        let Some(outgoing) = broker.take_alert(LEASE).await? else { return Ok(false) };
        let at = broker.now_ms().await? / 1_000;
        let sent = tokio::time::timeout(TIMEOUT, self.send(&outgoing, at)).await;
        let why = match sent {
            Ok(Ok(())) => {
                tracing::info!(alert.kind = outgoing.alert.kind.word(), "the webhook took an alert");
                broker.alert_sent(&outgoing.message).await?;
                return Ok(true);
            }
            Ok(Err(why)) => why,
            Err(_) => format!("no answer within {} s", TIMEOUT.as_secs()),
        };
        let kind = outgoing.alert.kind.word();
        if let Some(after) = AGAIN.get(outgoing.tries.saturating_sub(1) as usize) {
            let tries = outgoing.tries;
            tracing::warn!(
                alert.kind = kind,
                tries,
                why,
                "the webhook did not take an alert; it is sent again"
            );
            broker.send_alert_later(&outgoing.message, *after).await?;
        } else {
            tracing::error!(alert.kind = kind, why, "the webhook did not take an alert; it is given up");
            broker.alert_sent(&outgoing.message).await?;
        }
        Ok(true)
    }

    async fn send(&self, outgoing: &Outgoing, at: u64) -> Result<(), String> {
        let body = self.body(outgoing);
        let request = Request::post(self.hook.address.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::USER_AGENT, concat!("atelier/", env!("CARGO_PKG_VERSION")))
            .header("webhook-id", &outgoing.message)
            .header("webhook-timestamp", at)
            .header("webhook-signature", self.signature(&outgoing.message, at, &body))
            .body(Full::from(body))
            .map_err(|error| error.to_string())?;
        // No redirect is followed: what is signed goes where the operator said and nowhere else.
        let answer = self.client.request(request).await.map_err(|error| {
            if error.is_connect() {
                "it cannot be reached".to_owned()
            } else {
                "the connection broke".to_owned()
            }
        })?;
        let status = answer.status();
        if status.is_success() { Ok(()) } else { Err(format!("it answered {}", status.as_u16())) }
    }

    fn body(&self, outgoing: &Outgoing) -> String {
        let kind = outgoing.alert.kind;
        let alert = in_words(outgoing.alert.clone());
        let about = json!({
            "type": type_of(kind),
            "timestamp": rfc3339(alert.since),
            "data": {
                "workshop": self.workshop,
                "id": alert.id,
                "subject": alert.subject,
                "text": alert.text,
                "advice": alert.advice,
            },
        });
        about.to_string()
    }

    fn signature(&self, id: &str, at: u64, body: &str) -> String {
        let tag = hmac::sign(&self.key, format!("{id}.{at}.{body}").as_bytes());
        format!("v1,{}", STANDARD.encode(tag))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_signature_is_the_one_of_the_specifications_own_example() {
        let key = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let hook = Hook { address: "http://127.0.0.1/".parse().unwrap(), key };
        let webhook = Webhook::new(hook, "room".parse().unwrap()).unwrap();
        let signed =
            webhook.signature("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_time_is_written_as_rfc_3339_has_it() {
        assert_eq!(rfc3339(1_614_265_330_000), "2021-02-25T15:02:10Z");
    }
}
