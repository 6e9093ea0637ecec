//! The table of depths: the same calls in a short queue and in long ones, a few rounds here and a few there in turn, so
//! that what else the machine does falls on all of them alike.

use queue_protocol::Mode;

use crate::engine::info;
use crate::room::{Room, Watch};
use crate::timing::{Call, Timings};
use crate::workflow::Style;
use crate::{Size, bodies};

const CHUNK: usize = 20;

/// One table: a mode and a size of workflows.
struct Cell {
    mode: Mode,
    kilobytes: usize,
}

pub async fn print(people: usize, size: Size) {
    let (ten, sixty) = (bodies(Style::Plain, 10_000), bodies(Style::Plain, 60_000));
    let cells = std::iter::once(Cell { mode: Mode::Fifo, kilobytes: 60 })
        .chain(Mode::ALL.map(|mode| Cell { mode, kilobytes: 10 }));
    // Claims come by what waits longest, so that is what has bodies of the sizes that are measured.
    let of_a_cell = size.rounds + size.rounds / 5 + CHUNK;
    let mut rooms = Vec::new();
    for depth in size.depths {
        let mut room = Room::empty(people, size.appendonly).await;
        let started = std::time::Instant::now();
        let body = |n: usize| match n / of_a_cell {
            0 => Some(&sixty[n % sixty.len()][..]),
            1..=4 => Some(&ten[n % ten.len()][..]),
            _ => None,
        };
        room.fill(depth + 3, body).await;
        room.start_workers().await;
        let memory = info(&mut room.bare, "memory").await;
        println!(
            "{people} participants, {depth} jobs waiting after {:.0} s; used_memory {}, rss {}, fragmentation {}",
            started.elapsed().as_secs_f64(),
            memory["used_memory_human"],
            memory["used_memory_rss_human"],
            memory["mem_fragmentation_ratio"]
        );
        rooms.push(room);
    }
    for cell in cells {
        let bodies = if cell.kilobytes == 60 { &sixty } else { &ten };
        let timings = measure(&mut rooms, cell.mode, bodies, &ten[0], size.rounds).await;
        table(people, &cell, size.depths, &timings);
    }
}

async fn measure(
    rooms: &mut [Room],
    mode: Mode,
    bodies: &[Vec<u8>],
    ten: &[u8],
    rounds: usize,
) -> Vec<Timings> {
    let mut all: Vec<_> = rooms.iter().map(|_| Timings::default()).collect();
    for room in rooms.iter() {
        room.set_mode(mode).await;
    }
    let mut warm = Timings::default();
    for room in &mut *rooms {
        rounds_of(
            room,
            CHUNK,
            bodies,
            &mut Watch { timings: &mut warm, ask_redis: false, ten_kilobytes: ten },
        )
        .await;
    }
    for (ask_redis, rounds) in [(false, rounds), (true, rounds / 5)] {
        for _ in 0..rounds / CHUNK {
            for (room, timings) in rooms.iter_mut().zip(&mut all) {
                rounds_of(room, CHUNK, bodies, &mut Watch { timings, ask_redis, ten_kilobytes: ten }).await;
            }
        }
    }
    all
}

async fn rounds_of(room: &mut Room, rounds: usize, bodies: &[Vec<u8>], watch: &mut Watch<'_>) {
    for n in 0..rounds {
        room.round(&bodies[n % bodies.len()], watch).await;
    }
}

fn table(people: usize, cell: &Cell, depths: &[usize], all: &[Timings]) {
    println!("\n{people} participants, workflows of {} KB, {}", cell.kilobytes, cell.mode.word());
    print!("{:22}", "µs");
    for depth in depths {
        print!(" | {:>33}", format!("{depth} waiting"));
    }
    println!(" | deepest / {}", depths[0]);
    print!("{:22}", "");
    for _ in depths {
        print!(" | {:>8}{:>9}{:>7}{:>9}", "p50", "p99", "×PING", "in Redis");
    }
    println!(" | p50, in Redis");
    for call in Call::ALL {
        print!("{:22}", call.name());
        for timings in all {
            let (p50, p99) = (timings.percentile(call, 0.5), timings.percentile(call, 0.99));
            let times = p50 / timings.percentile(Call::Ping, 0.5);
            print!(" | {p50:8.0}{p99:9.0}{times:7.1}{:9.1}", timings.in_redis(call));
        }
        let (first, last) = (&all[0], &all[all.len() - 1]);
        print!(" | {:4.2}", last.percentile(call, 0.5) / first.percentile(call, 0.5));
        // Redis counts whole µs, of which a PING takes less than one.
        match first.in_redis(call) {
            shortest if shortest >= 1.0 => println!(", {:4.2}", last.in_redis(call) / shortest),
            _ => println!(),
        }
    }
    let fewest = all.iter().map(|timings| timings.count(Call::Claim)).min().unwrap_or_default();
    println!("claims of a workflow of this size: at least {fewest} in each column");
}
