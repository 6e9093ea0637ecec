//! The log: to standard error, for people or for programs.

use std::io::{IsTerminal, Write, stderr};

use anyhow::anyhow;
use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// A line for people; with colours on a terminal.
    Text,
    /// One JSON object per line, with fields such as `job.id` beside `message`.
    Json,
}

/// Begins to log; once per process.
///
/// # Errors
/// When the filter cannot be understood.
pub fn start(filter: &str, format: LogFormat) -> anyhow::Result<()> {
    let understood =
        EnvFilter::try_new(filter).map_err(|error| anyhow!("ATELIER_LOG={filter} is no filter: {error}"))?;
    let log = tracing_subscriber::fmt().with_writer(stderr).with_env_filter(understood);
    match format {
        LogFormat::Text => log.with_ansi(stderr().is_terminal()).init(),
        LogFormat::Json => log.json().flatten_event(true).with_span_list(false).init(),
    }
    Ok(())
}

/// Says why the process ends: in the log where there is one, so that every line of a JSON log is JSON.
pub fn last_word(error: &anyhow::Error) {
    if tracing::enabled!(tracing::Level::ERROR) {
        tracing::error!("{error:#}");
    } else {
        // Nothing else is left to do where nobody reads standard error.
        let _ = writeln!(stderr(), "worker: {error:#}");
    }
}
