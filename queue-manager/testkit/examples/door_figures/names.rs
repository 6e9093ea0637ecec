//! Whether the time of a refused sign-in tells which names exist.

use std::time::{Duration, Instant};

use reqwest::Client;
use serde_json::json;
use testkit::Workshop;

use crate::gauge::middle;

const TRIES: usize = 200;

async fn refused(client: &Client, base: &str, name: &str, n: usize) -> anyhow::Result<Duration> {
    let began = Instant::now();
    let body = json!({"name": name, "password": format!("guess {n}")});
    let answer = client.post(format!("{base}/api/v1/session")).json(&body).send().await?;
    let took = began.elapsed();
    anyhow::ensure!(answer.status() == 401, "{name} was answered {}", answer.status());
    Ok(took)
}

/// Known and unknown names in turn, each as often.
pub(crate) async fn known_and_unknown(workshop: &Workshop) -> anyhow::Result<()> {
    let client = Client::new();
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for n in 0..TRIES {
        known.push(refused(&client, &workshop.front, &format!("user{:03}", n % 20 + 1), n).await?);
        unknown.push(refused(&client, &workshop.front, &format!("stranger{n}"), n).await?);
    }
    let (known, unknown) = (middle(&mut known), middle(&mut unknown));
    let ratio = unknown.as_secs_f64() / known.as_secs_f64();
    println!(
        "{TRIES} wrong passwords each: known names p50 {known:?}, unknown {unknown:?}; ratio {ratio:.3}"
    );
    Ok(())
}
