//! A stand-in for `ComfyUI`: it speaks the protocol of `ComfyUI` 0.28 over HTTP and websocket, makes real PNG files
//! without a GPU, and misbehaves when told to.
//!
//! The demo runs it as a program; the tests run it inside their own process with [`serve`].
//!
//! # Telling it to misbehave
//!
//! Three ways, the narrowest first:
//!
//! 1. An input `simulate` that no node declares, on any node of a graph: `"fail"`, `"out_of_memory"`, `"hang"`,
//!    `"drop_socket"`, `"die"`, or an object `{"do": "hang", "node_ms": 3000, "step_ms": 50}` with any of these keys.
//!    Only that node of that job is concerned.
//! 2. `POST /simulation` while it runs, see [`Control`].
//! 3. [`Settings`], or the program's flags, at the start.

mod clock;
mod locks;
mod python_json;

mod catalogue;
mod config;
mod control;
mod execution;
mod folder;
mod history;
mod jobs;
mod painting;
mod picture;
mod png_file;
mod queue;
mod reply;
mod routes;
mod server;
mod settings;
mod sockets;
mod validation;

pub use config::{Config, without_empty_variables};
pub use control::{Control, Misbehaviour};
pub use server::serve;
pub use settings::Settings;

/// The version it reports in `/system_stats`: the protocol it copies, and that it is not the real thing.
pub const VERSION: &str = "0.28.0-simulated";
