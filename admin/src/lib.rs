//! The instructor's dashboard: no state and no store of its own; everything it shows is the queue-manager's word.

pub mod app;
pub mod config;
pub mod logging;

mod assets;
mod feed;
mod overview;
mod session;
mod sign_in;
mod wording;

pub use app::serve;
pub use config::Config;
