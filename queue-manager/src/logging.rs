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
    let why = sentence(error);
    if tracing::enabled!(tracing::Level::ERROR) {
        tracing::error!("{why}");
    } else {
        // Nothing else is left to do where nobody reads standard error.
        let _ = writeln!(stderr(), "queue-manager: {why}");
    }
}

/// An error with its causes; a cause that the text before it already says is left out.
fn sentence(error: &anyhow::Error) -> String {
    let mut said = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if !said.contains(&cause) {
            let between = if said.is_empty() { "" } else { ": " };
            said = format!("{said}{between}{cause}");
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_said_once() {
        let error =
            anyhow::anyhow!("no such file").context("the store is away: no such file").context("redis?");
        assert_eq!(sentence(&error), "redis?: the store is away: no such file");
    }
}
