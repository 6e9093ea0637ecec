//! A whole workshop out of real processes: Redis, queue-manager, workers, simulated ComfyUI, nginx, dashboard, browser.
//! Every part gets a folder and ports of its own, so tests run beside each other and beside a running demo.

pub mod any_bytes;
mod behind;
pub mod browser;
pub mod builder;
pub mod configuration;
pub mod frontend;
pub mod graphs;
pub mod network;
pub mod person;
pub mod process;
pub mod rehearse;
pub mod relay;
pub mod tab;
pub mod waiting;
pub mod wire;
pub mod workshop;

pub use builder::WorkshopBuilder;
pub use person::Person;
pub use process::Process;
pub use relay::{Line, Relay};
pub use tab::Tab;
pub use workshop::Workshop;
