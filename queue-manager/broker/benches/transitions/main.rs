//! Submit, claim and finish in queues of several depths, as ratios to bare Redis calls of the same run, with the commands
//! and the memory a job costs. Prints tables; starts redis-servers of its own, which go when it ends.
//! `cargo bench -p queue-broker --bench transitions [-- --quick] [-- --appendonly]`
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    unreachable_pub,
    reason = "a bench that cannot go on stops, and nobody imports it"
)]

mod commands;
mod depths;
mod engine;
mod memory;
mod room;
mod timing;
mod whole_room;
mod workflow;

use workflow::{Style, body};

/// How long a run may be.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Waiting jobs.
    depths: &'static [usize],
    /// Participants.
    people: &'static [usize],
    /// Rounds of each cell of a table.
    rounds: usize,
    /// Jobs of the measurement of memory, and of the one of the whole room.
    sample: usize,
    /// Whether Redis writes its log as the private server of the queue-manager does.
    appendonly: bool,
}

const FULL: Size = Size {
    depths: &[100, 10_000, 1_000_000],
    people: &[20, 10_000],
    rounds: 2_000,
    sample: 10_000,
    appendonly: false,
};
const QUICK: Size =
    Size { depths: &[100, 10_000], people: &[20], rounds: 100, sample: 500, appendonly: false };

const BODIES: u64 = 16;

/// Different bodies of one size.
pub fn bodies(style: Style, bytes: usize) -> Vec<Vec<u8>> {
    (0..BODIES).map(|seed| body(style, bytes, seed)).collect()
}

#[tokio::main]
async fn main() {
    let asked: Vec<_> = std::env::args().collect();
    let has = |word: &str| asked.iter().any(|argument| argument == word);
    // `cargo test --benches` asks every bench to be quick; without a word this one has nothing quick to say.
    if !has("--bench") && !has("--quick") {
        return;
    }
    let size = Size { appendonly: has("--appendonly"), ..if has("--quick") { QUICK } else { FULL } };
    commands::print(size).await;
    memory::print(size).await;
    whole_room::print(size).await;
    for people in size.people {
        depths::print(*people, size).await;
    }
}
