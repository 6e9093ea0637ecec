//! Memory of the queue-manager after a room has signed in: prints, asserts nothing.
//! `cargo build --release --bins && cargo bench -p testkit --bench memory`

use std::time::Duration;

use anyhow::Context;
use reqwest::Client;
use serde_json::json;
use testkit::{Workshop, WorkshopBuilder};

const PEOPLE: usize = 20;
const LATER: Duration = Duration::from_secs(60);

fn resident_kib(workshop: &Workshop) -> anyhow::Result<u64> {
    let id = workshop.queue_manager.id().context("the queue-manager runs")?;
    let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // `cargo test --benches` asks every bench to be quick; this one has nothing quick to say.
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let workshop = WorkshopBuilder::new().people(PEOPLE).start().await?;
    println!("before anyone signed in: {} KiB", resident_kib(&workshop)?);
    let client = Client::new();
    let url = format!("{}/api/v1/session", workshop.front);
    let mut sign_ins = Vec::new();
    for n in 1..=PEOPLE {
        let name = format!("user{n:03}");
        let body = json!({"name": name, "password": workshop.password(&name)?});
        sign_ins.push(client.post(&url).json(&body).send());
    }
    let mut feeds = Vec::new();
    for answer in futures_util::future::try_join_all(sign_ins).await? {
        let token = answer.error_for_status()?.json::<serde_json::Value>().await?["token"].clone();
        let feed = client.get(format!("{}/api/v1/events", workshop.front));
        feeds.push(feed.bearer_auth(token.as_str().unwrap_or_default()).send().await?.error_for_status()?);
    }
    println!(
        "right after {PEOPLE} sign-ins at once, {} feeds open: {} KiB",
        feeds.len(),
        resident_kib(&workshop)?
    );
    tokio::time::sleep(LATER).await;
    println!("{} s later, {} feeds open: {} KiB", LATER.as_secs(), feeds.len(), resident_kib(&workshop)?);
    Ok(())
}
