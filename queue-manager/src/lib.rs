//! The queue-manager: takes jobs, lends them to workers, moves files, and speaks ComfyUI's protocol to every seat.
//! Stateless but for its own private Redis, so any number of replicas may run.

pub mod api;
pub mod app;
pub mod capabilities;
pub mod command;
pub mod config;
pub mod files;
pub mod health;
pub mod identity;
pub mod link;
pub mod logging;
pub mod path_rule;
pub mod problem;
pub mod sealed;
pub mod seat;
pub mod workflow;

mod alerts;
mod bodies;
mod connections;
mod cross_site;
mod gate;
mod hub;
mod janitor;
mod metrics;
mod pages;
mod parts;
mod private_redis;
mod turns;
mod wording;

pub use app::serve;
pub use config::Config;
