//! What a page asked over the network, from Chromium's own log.

use std::collections::BTreeMap;

use anyhow::Context;
use reqwest::Client;
use serde_json::{Value, json};

use crate::browser::Browser;

/// One request of a page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// Where.
    pub url: String,
    /// `GET`, `POST` …
    pub method: String,
    /// The answer; 0 when there was none.
    pub status: u64,
    /// Bytes that came, headers and all.
    pub bytes: u64,
    /// Why it never left: `csp` where the page's own policy forbids it.
    pub blocked: String,
}

impl Browser {
    /// Every request since the last time this was asked, in no order.
    ///
    /// # Errors
    /// When the driver keeps no such log.
    pub async fn asked(&self) -> anyhow::Result<Vec<Asked>> {
        let mut requests = BTreeMap::<String, Asked>::new();
        for event in self.events().await? {
            let (method, params) = (&event["method"], &event["params"]);
            let request =
                requests.entry(params["requestId"].as_str().unwrap_or_default().to_owned()).or_default();
            note(request, method.as_str().unwrap_or_default(), params);
        }
        Ok(requests.into_values().filter(|request| request.url.starts_with("http")).collect())
    }

    /// From now on no address that ends so is loaded. The driver itself needs scripts, so a page is only kept from its own.
    ///
    /// # Errors
    /// When the driver does not take it.
    pub async fn never_load(&self, ending: &str) -> anyhow::Result<()> {
        self.devtools("Network.enable", json!({})).await?;
        self.devtools("Network.setBlockedURLs", json!({"urls": [format!("*{ending}")]})).await
    }

    /// From now on servers are asked not to compress anything, so that what they send can be read on the way.
    ///
    /// # Errors
    /// When the driver does not take it.
    pub async fn take_nothing_compressed(&self) -> anyhow::Result<()> {
        self.devtools("Network.enable", json!({})).await?;
        self.devtools("Network.setExtraHTTPHeaders", json!({"headers": {"Accept-Encoding": "identity"}}))
            .await
    }

    /// What Chromium's `DevTools` told of its network and its page since the last time this was asked.
    pub(crate) async fn events(&self) -> anyhow::Result<Vec<Value>> {
        let log = self.tell("se/log", json!({"type": "performance"})).await?;
        let entries = log["value"].as_array().context("no log")?;
        let event = |entry: &Value| {
            let text = entry["message"].as_str().context("no message")?;
            Ok(serde_json::from_str::<Value>(text)?["message"].take())
        };
        entries.iter().map(event).collect()
    }

    /// Gives `DevTools` a command.
    ///
    /// # Errors
    /// When the browser does not take it.
    pub async fn devtools(&self, command: &str, params: Value) -> anyhow::Result<()> {
        self.tell("goog/cdp/execute", json!({"cmd": command, "params": params})).await.map(drop)
    }

    async fn tell(&self, command: &str, what: Value) -> anyhow::Result<Value> {
        let session = self.page.session_id().await?.context("no session")?;
        let url = format!("{}/session/{session}/{command}", self.driver);
        Ok(Client::new().post(url).json(&what).send().await?.error_for_status()?.json().await?)
    }
}

fn note(request: &mut Asked, event: &str, params: &Value) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    match event {
        "Network.requestWillBeSent" => {
            request.url = text(&params["request"]["url"]);
            request.method = text(&params["request"]["method"]);
        }
        "Network.responseReceived" => {
            request.status = params["response"]["status"].as_u64().unwrap_or_default();
        }
        "Network.loadingFinished" => {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole bytes")]
            let bytes = params["encodedDataLength"].as_f64().unwrap_or_default() as u64;
            request.bytes = bytes;
        }
        "Network.loadingFailed" => request.blocked = text(&params["blockedReason"]),
        _ => {}
    }
}
