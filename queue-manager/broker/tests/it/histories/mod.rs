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
use steps::steps;
use world::World;

/// Each mode is where a quarter of the histories begin; most of them switch on the way.
fn histories(mode: Mode) {
    let server = RedisServer::start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let cases =
        ProptestConfig { cases: engine::histories(), failure_persistence: None, ..ProptestConfig::default() };
    let (stalled, given_up) = (Stalled::default(), Cell::new(0));
    proptest!(cases, |(history in steps(), attempts_run in 1..3_u32)| {
        stalled.begin();
        let told = runtime.block_on(AssertUnwindSafe(async {
            server.forget_everything().await;
            stalled.look();
            let mut world = World::new(server.workshop().await, mode, attempts_run).await;
            for step in history {
                stalled.look();
                world.take(step).await;
            }
            world.check().await;
        }).catch_unwind());
        stalled.look();
        if let Err(why) = told {
            if !stalled.is_long() {
                std::panic::resume_unwind(why);
            }
            given_up.set(given_up.get() + 1);
        }
    });
    let given_up = given_up.get();
    assert!(
        given_up * 10 <= engine::histories(),
        "{given_up} histories say nothing: the machine stands still"
    );
}

/// The longest step of a history. A lease that ends while a machine stands still in the middle of a step ends in another order
/// than the model thinks: such a history says nothing, and the thousands of others do.
#[derive(Default)]
struct Stalled(Cell<Option<Instant>>, Cell<Duration>);

impl Stalled {
    fn begin(&self) {
        self.0.set(None);
        self.1.set(Duration::ZERO);
    }

    fn look(&self) {
        let before = self.0.replace(Some(Instant::now()));
        self.1.set(self.1.get().max(before.map_or(Duration::ZERO, |before| before.elapsed())));
    }

    fn is_long(&self) -> bool {
        self.1.get() > Duration::from_millis(500)
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
