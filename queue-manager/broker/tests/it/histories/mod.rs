//! Random histories of every transition, answer by answer against the model: who is next in every mode, where each job
//! is, what ends how. After each history everything is counted from scratch.

mod steps;
mod world;

use std::cell::Cell;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use proptest::prelude::*;
use queue_protocol::Mode;

use crate::redis_server::RedisServer;
use crate::redis_server::engine;
use steps::{Step, steps};
use world::World;

/// Each mode is where a quarter of the histories begin; most of them switch on the way.
fn histories(mode: Mode) {
    let server = RedisServer::start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let cases =
        ProptestConfig { cases: engine::histories(), failure_persistence: None, ..ProptestConfig::default() };
    proptest!(cases, |(history in steps(), attempts_run in 1..3_u32)| {
        runtime.block_on(async {
            for _ in 0..3 {
                let stalled = Stalled::default();
                let told = AssertUnwindSafe(tell(&server, mode, attempts_run, &history, &stalled)).catch_unwind();
                match told.await {
                    Ok(()) => return,
                    Err(why) if !stalled.look() => std::panic::resume_unwind(why),
                    Err(_) => {}
                }
            }
            panic!("a machine that stands still all the time");
        });
    });
}

async fn tell(server: &RedisServer, mode: Mode, attempts_run: u32, history: &[Step], stalled: &Stalled) {
    server.forget_everything().await;
    let mut world = World::new(server.workshop().await, mode, attempts_run).await;
    for step in history {
        stalled.look();
        world.take(step.clone()).await;
    }
    world.check().await;
}

/// Whether a step took so long that the machine must have stood still in it. A lease that ends meanwhile ends in another order
/// than the model thinks, so such a history is told again when it fails.
struct Stalled(Cell<Instant>, Cell<bool>);

impl Default for Stalled {
    fn default() -> Self {
        Self(Cell::new(Instant::now()), Cell::new(false))
    }
}

impl Stalled {
    fn look(&self) -> bool {
        let step = self.0.replace(Instant::now()).elapsed();
        self.1.set(self.1.get() || step > Duration::from_millis(500));
        self.1.get()
    }
}

#[test]
fn histories_that_begin_in_fifo() {
    histories(Mode::Fifo);
}

#[test]
fn histories_that_begin_in_round_robin() {
    histories(Mode::RoundRobin);
}

#[test]
fn histories_that_begin_in_fair() {
    histories(Mode::Fair);
}

#[test]
fn histories_that_begin_in_priority() {
    histories(Mode::Priority);
}
