//! Memory of the queue-manager after a room has signed in, and with the room's tabs open while a job runs: prints,
//! asserts nothing.
//! `cargo build --release --bins && cargo bench -p testkit --bench memory`

use std::time::Duration;

use anyhow::Context;
use reqwest::Client;
use serde_json::json;
use testkit::{Tab, Workshop, WorkshopBuilder, graphs, process};

const PEOPLE: usize = 20;
const LATER: Duration = Duration::from_secs(60);

fn resident_kib(workshop: &Workshop) -> anyhow::Result<u64> {
    let id = workshop.queue_manager.id().context("the queue-manager runs")?;
    Ok(process::resident_kib(id).context("its memory")?.0)
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
    drop(feeds);
    tabs(&workshop).await
}

/// Everybody's tab open, each with what the frontend asks for at its start; then one job with previews.
async fn tabs(workshop: &Workshop) -> anyhow::Result<()> {
    let mut tabs = Vec::new();
    for n in 1..=PEOPLE {
        let person = workshop.person(&format!("user{n:03}"))?;
        let cookie = person.session().await?;
        tabs.push(person.tab_of_session(&cookie, None).await?);
        for path in ["object_info", "settings", "jobs", "jobs?status=completed", "experiment/models", "queue"]
        {
            person.get(&format!("/{}/api/{path}", person.name)).await?.error_for_status()?.bytes().await?;
        }
    }
    println!("{PEOPLE} tabs open: {} KiB", resident_kib(workshop)?);
    let ada = workshop.person("user001")?;
    let body = json!({"prompt": graphs::sampled_picture(1, 1_000), "client_id": tabs[0].sid});
    ada.post("/user001/api/prompt", &body).await?.error_for_status()?;
    let mut most = 0;
    let first = tabs.first_mut().context("a tab")?;
    while !heard_the_end(first) {
        first.next().await?;
        most = most.max(resident_kib(workshop)?);
    }
    println!(
        "{PEOPLE} tabs open and a job with {} previews running, at most: {most} KiB",
        first.previews.len()
    );
    Ok(())
}

fn heard_the_end(tab: &Tab) -> bool {
    tab.heard.last().is_some_and(|last| last["type"] == "executing" && last["data"]["node"].is_null())
}
