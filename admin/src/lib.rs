//! The instructor's dashboard: no state and no store of its own; everything it shows is the queue-manager's word.

pub mod config;
pub mod app;

mod session;
mod sign_in;
mod overview;
mod feed;
mod assets;
mod wording;

pub use app::serve;
pub use config::Config;
