//! The instructor's dashboard: no state and no store of its own; everything it shows is the queue-manager's word.

pub mod app;
pub mod config;
pub mod healthcheck;
pub mod logging;

mod actions;
mod assets;
mod live;
mod look;
mod overview;
mod pages;
mod rooms;
mod session;
mod sign_in;
mod wording;
mod zones;

pub use app::serve;
pub use config::Config;
