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
    let colours = format == LogFormat::Text && stderr().is_terminal();
    let writer = move || OneLine { to: stderr(), colours };
    let log = tracing_subscriber::fmt().with_writer(writer).with_env_filter(understood);
    match format {
        LogFormat::Text => log.with_ansi(colours).init(),
        LogFormat::Json => log.json().flatten_event(true).with_span_list(false).init(),
    }
    Ok(())
}

/// Writes each event as one line, whatever somebody made us say: a worker's words may hold line ends, and what looks like
/// a line of ours must be one.
struct OneLine<W> {
    to: W,
    /// Those are the formatter's own control characters.
    colours: bool,
}

impl<W: Write> Write for OneLine<W> {
    /// The formatter hands over one whole event.
    fn write(&mut self, event: &[u8]) -> std::io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let line = text.strip_suffix('\n').unwrap_or(&text);
        let mut clean = String::with_capacity(text.len());
        for character in line.chars() {
            let ours = self.colours && character == '\u{1b}';
            if character.is_control() && character != '\t' && !ours {
                clean.extend(character.escape_default());
            } else {
                clean.push(character);
            }
        }
        clean.push_str(&text[line.len()..]);
        self.to.write_all(clean.as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.to.flush()
    }
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
    fn nobody_writes_a_line_of_their_own_into_the_log() {
        let mut log = OneLine { to: Vec::new(), colours: false };
        log.write_all("INFO it said: x\r\n2026 INFO signed in \u{1b}[2K\u{85}ä\ty\n".as_bytes()).unwrap();
        let said = String::from_utf8(log.to).unwrap();
        assert_eq!(said, "INFO it said: x\\r\\n2026 INFO signed in \\u{1b}[2K\\u{85}ä\ty\n");
    }

    #[test]
    fn a_cause_is_said_once() {
        let error =
            anyhow::anyhow!("no such file").context("the store is away: no such file").context("redis?");
        assert_eq!(sentence(&error), "redis?: the store is away: no such file");
    }
}
