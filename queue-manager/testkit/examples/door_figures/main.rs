//! What hostile and very large requests cost, and whether anybody hears of somebody else's jobs. Prints, asserts nothing;
//! docs/measurements.md has the figures.
//! `cargo build --release --workspace --bins && cargo run --release -p testkit --example door_figures [-- JOBS]`

mod bodies;
mod gauge;
mod names;
mod rooms;

use std::time::{Duration, Instant};

use anyhow::Context;
use futures_util::future::join_all;
use reqwest::{Body, Method};
use serde_json::json;
use testkit::{Person, Workshop, WorkshopBuilder, graphs};

use crate::gauge::{Gauge, middle};

const PEOPLE: usize = 20;
const MIB: usize = 1024 * 1024;

/// Sends one workflow to a seat; the status, 0 when the line was cut, and how long that took.
async fn send(person: &Person, headers: &[(&str, &str)], body: impl Into<Body>) -> (u16, Duration) {
    let mut request = person.request(Method::POST, &format!("/{}/prompt", person.name));
    request = request.header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let began = Instant::now();
    let answer = request.body(body).send().await;
    (answer.map_or(0, |answer| answer.status().as_u16()), began.elapsed())
}

fn statuses(answers: &[(u16, Duration)]) -> String {
    let mut counted = std::collections::BTreeMap::new();
    for (status, _) in answers {
        *counted.entry(status).or_insert(0) += 1;
    }
    counted.iter().map(|(status, count)| format!("{count} × {status}")).collect::<Vec<_>>().join(", ")
}

async fn largest_at_once(workshop: &Workshop, gauge: &Gauge) -> anyhow::Result<()> {
    let ada = workshop.person("user001")?;
    let mut small = Vec::new();
    for _ in 0..20 {
        small.push(send(&ada, &[], json!({"prompt": graphs::white_picture()}).to_string()).await.1);
    }
    println!("a small workflow, alone: p50 {:?}", middle(&mut small));
    let seen = gauge.start();
    let bodies: Vec<_> = (0..PEOPLE).map(|_| bodies::large(10 * MIB)).collect();
    let people: Vec<_> =
        (1..=PEOPLE).map(|n| workshop.person(&format!("user{n:03}"))).collect::<Result<_, _>>()?;
    let sent = people.iter().zip(bodies).map(|(person, body)| async move { send(person, &[], body).await });
    let answers = join_all(sent).await;
    let mut times: Vec<_> = answers.iter().map(|(_, took)| *took).collect();
    let slowest = times.iter().max().copied().unwrap_or_default();
    println!(
        "{PEOPLE} of 10 MiB at once: {}; p50 {:?}, slowest {slowest:?}; {}",
        statuses(&answers),
        middle(&mut times),
        seen.stop().await?
    );
    Ok(())
}

async fn refused(workshop: &Workshop, gauge: &Gauge) -> anyhow::Result<()> {
    let ada = workshop.person("user001")?;
    let bomb = bodies::bomb(10 * 1024 * MIB).context("a bomb")?;
    let deep = format!("{{\"prompt\":{}1{}}}", "[".repeat(5 * MIB - 8), "]".repeat(5 * MIB - 8));
    for (door, base) in [("nginx", &workshop.front), ("directly", &workshop.direct)] {
        let ada = ada.at(base);
        for (what, headers, body) in [
            ("50 MiB with its length", &[][..], vec![b'['; 50 * MIB]),
            ("5,000,000 deep", &[], deep.clone().into_bytes()),
            ("6,000 nodes", &[], bodies::wide(6_000).into_bytes()),
            ("10 GiB in 10 MB of gzip", &[("content-encoding", "gzip")], bomb.clone()),
        ] {
            let seen = gauge.start();
            let answer = send(&ada, headers, body).await;
            println!("{what}, {door}: {} after {:?}; {}", answer.0, answer.1, seen.stop().await?);
        }
        let seen = gauge.start();
        let pieces = (0..800).map(|_| Ok::<_, std::io::Error>(vec![b'['; 64 * 1024]));
        let answer = send(&ada, &[], Body::wrap_stream(futures_util::stream::iter(pieces))).await;
        println!(
            "50 MiB without a length, {door}: {} after {:?}; {}",
            answer.0,
            answer.1,
            seen.stop().await?
        );
    }
    Ok(())
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let jobs = std::env::args().nth(1).map_or(Ok(5_000), |number| number.parse())?;
    let workshop = WorkshopBuilder::new().workers(0).with_nginx().people(PEOPLE).start().await?;
    let gauge = Gauge::of(&workshop)?;
    println!("nothing to do: {}", gauge.idle().await?);
    refused(&workshop, &gauge).await?;
    largest_at_once(&workshop, &gauge).await?;
    names::known_and_unknown(&workshop).await?;
    drop(workshop);
    rooms::who_hears_what(jobs).await
}
