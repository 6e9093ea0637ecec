//! The broker against a real Redis, each test in a workshop of its own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    unreachable_pub,
    reason = "tests say what they expect, and nobody imports them"
)]

mod model;
mod redis_server;
mod workshop;

mod alerting;
mod attending;
mod cancelling;
mod claiming;
mod classroom;
mod clusters;
mod ending;
mod expecting;
mod histories;
mod housekeeping;
mod identity;
mod leases;
mod lining_up;
mod listening;
mod outages;
mod signing_in;
mod steering;
mod stores;
mod submitting;
mod torn_log;
mod turns;
