//! The captures of a real `ComfyUI` and the simulation, held to the same assertions; then what only the simulation does.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    reason = "a test that cannot go on should panic, helpers included"
)]

mod replay;

mod cache;
mod endings;
mod files;
mod misbehaviour;
mod program;

mod compare;
mod differences;
mod laws;

mod live;
mod player;
mod recording;
mod requests;
