//! What concerns everybody at once, or grows with something else than depth: a change of mode, a worker that comes, a
//! position, and how many kinds of needs are first in line.

use std::time::Instant;

use queue_broker::transitions::attend::Arrival;
use queue_protocol::{LinkId, Mode};

use crate::Size;
use crate::room::{Room, insist, kind};

pub async fn print(size: Size) {
    println!("\nWhat concerns everybody, {} jobs waiting", size.sample);
    for people in [20, size.sample] {
        let mut room = Room::empty(people, size.appendonly).await;
        room.fill(size.sample, |_| None).await;
        let mut said = Vec::new();
        for mode in [Mode::RoundRobin, Mode::Fair, Mode::Priority, Mode::Fifo] {
            let started = Instant::now();
            room.set_mode(mode).await;
            said.push(format!("to {} {:.1} ms", mode.word(), started.elapsed().as_secs_f64() * 1e3));
        }
        let started = Instant::now();
        let cap = [("running_per_participant", "2")];
        insist(async || room.broker.configure(None, &cap).await.map(drop)).await;
        said.push(format!("another cap {:.1} ms", started.elapsed().as_secs_f64() * 1e3));
        let started = Instant::now();
        let fields = [("object_info", kind().to_string())];
        let (another, link) = ("another".parse().unwrap(), LinkId::random());
        room.broker.attend(&another, link, Arrival::Open, &fields).await.unwrap();
        said.push(format!("a worker comes {:.1} ms", started.elapsed().as_secs_f64() * 1e3));
        let id = room.one_more().await;
        let started = Instant::now();
        insist(async || room.broker.positions(&[id]).await.map(drop)).await;
        said.push(format!("position of the last job {:.1} ms", started.elapsed().as_secs_f64() * 1e3));
        println!("{people} participants: {}", said.join(", "));
    }
    for classes in [1, 10, 100, 1_000] {
        let mut room = Room::with_classes(1_000, classes, size.appendonly).await;
        room.fill(2_000, |_| None).await;
        room.start_worker().await;
        let started = Instant::now();
        room.start_workers().await;
        println!(
            "{classes} kinds of needs first in line, 1000 participants: a claim takes {:.2} ms",
            started.elapsed().as_secs_f64() * 1e3 / 2.0
        );
    }
}
