//! Random histories of every transition, answer by answer against the model: who is next in every mode, where each job
//! is, what ends how. After each history everything is counted from scratch.

mod steps;
mod world;

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
    proptest!(cases, |(history in steps(), attempts_run in 1..3_u32)| {
        runtime.block_on(async {
            server.forget_everything().await;
            let mut world = World::new(server.workshop().await, mode, attempts_run).await;
            for step in history {
                world.take(step).await;
            }
            world.check().await;
        });
    });
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
