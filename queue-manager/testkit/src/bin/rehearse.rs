//! A rehearsal of a workshop: people and workers that are none, figures, and a verdict in words.
//! `cargo run --release -p testkit --bin rehearse -- --data data`

use std::process::ExitCode;

use clap::Parser;
use testkit::rehearse::{Options, run};

#[tokio::main]
async fn main() -> ExitCode {
    let report = run(&Options::parse()).await;
    print!("{report}");
    if report.is_ready() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
