//! What a waiting job costs in Redis.

use std::collections::BTreeMap;

use redis::aio::ConnectionManager;

use crate::engine::info;
use crate::room::Room;
use crate::workflow::Style;
use crate::{Size, bodies};

#[expect(clippy::cast_precision_loss, reason = "bytes for a table")]
pub async fn print(size: Size) {
    println!("\nMemory per waiting job, {} jobs of 20 participants", size.sample);
    for (style, bytes) in [(Style::Plain, 10_000), (Style::Annotated, 10_000), (Style::Plain, 60_000)] {
        let bodies = bodies(style, bytes);
        let mut room = Room::empty(20, size.appendonly).await;
        let before = used(&mut room.bare).await;
        room.fill(size.sample, |n| Some(&bodies[n % bodies.len()])).await;
        let each = (used(&mut room.bare).await - before) as f64 / size.sample as f64;
        let sent = bodies.iter().map(Vec::len).sum::<usize>() as f64 / bodies.len() as f64;
        let (packed, parts) = parts(&mut room.bare, size.sample).await;
        println!(
            "{style:?}: {sent:.0} B as submitted, {packed:.0} B compressed ({:.1}:1), {each:.0} B in Redis, of which {:.0} B are not the body",
            sent / packed,
            each - packed
        );
        let parts: Vec<_> = parts.iter().map(|(name, bytes)| format!("{name} {bytes:.0}")).collect();
        println!("    by key: {}", parts.join(", "));
    }
}

async fn used(connection: &mut ConnectionManager) -> u64 {
    info(connection, "memory").await["used_memory"].parse().unwrap()
}

/// Mean bytes of a compressed body, and of what each kind of key takes per job. Looks at every key, so only here.
#[expect(clippy::cast_precision_loss, reason = "bytes for a table")]
async fn parts(connection: &mut ConnectionManager, jobs: usize) -> (f64, BTreeMap<String, f64>) {
    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query_async(connection).await.unwrap();
    let (mut packed, mut parts) = (0_u64, BTreeMap::<String, f64>::new());
    for key in keys {
        let kind = key.split(':').nth(1).unwrap_or_default().to_owned();
        if kind == "body" {
            packed += redis::cmd("STRLEN").arg(&key).query_async::<u64>(connection).await.unwrap();
        }
        let usage = redis::cmd("MEMORY").arg("USAGE").arg(&key).arg("SAMPLES").arg(0).clone();
        let usage: u64 = usage.query_async(connection).await.unwrap();
        *parts.entry(kind).or_default() += usage as f64 / jobs as f64;
    }
    parts.retain(|_, bytes| *bytes >= 1.0);
    (packed as f64 / jobs as f64, parts)
}
