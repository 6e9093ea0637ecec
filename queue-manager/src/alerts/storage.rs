//! Whether there is room: on the disk of the data folder, and in the store's memory.

use queue_broker::{Broker, BrokerError};
use queue_protocol::api::AlertKind;

use crate::files::Files;

/// A store that uses so many of a hundred parts of its memory is nearly full.
const MEMORY_PERCENT: u64 = 85;

/// What there is room for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    /// Bytes that are free on the disk; `None` where it does not say.
    disk_free: Option<u64>,
    /// Bytes of memory that are used, of how many.
    memory: Option<(u64, u64)>,
    /// Bytes that must be free on the disk.
    disk_must: u64,
}

impl Room {
    /// Asks both.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] while the store does not answer.
    pub(crate) async fn look(files: &Files, broker: &Broker, must_mb: u64) -> Result<Self, BrokerError> {
        let (used, limit) = broker.memory().await?;
        let memory = limit.map(|limit| (used, limit));
        Ok(Self { disk_free: files.free().ok(), memory, disk_must: must_mb * 1_000_000 })
    }

    /// Room on the disk alone: for when the store does not answer.
    pub(crate) fn on_disk(files: &Files, must_mb: u64) -> Self {
        Self { disk_free: files.free().ok(), memory: None, disk_must: must_mb * 1_000_000 }
    }

    /// What is nearly full, with its figure.
    pub(crate) fn alerts(&self) -> Vec<(AlertKind, String)> {
        let disk = self.disk_free.filter(|free| *free < self.disk_must);
        let disk = disk.map(|free| (AlertKind::DiskNearlyFull, gigabytes(free)));
        let memory = self.memory_percent().filter(|percent| *percent >= MEMORY_PERCENT);
        let memory = memory.map(|percent| (AlertKind::MemoryNearlyFull, percent.to_string()));
        disk.into_iter().chain(memory).collect()
    }

    /// The disk in words.
    pub(crate) fn disk_in_words(&self) -> String {
        self.disk_free.map(|free| format!(", {} GB free", gigabytes(free))).unwrap_or_default()
    }

    /// The store's memory in words.
    pub(crate) fn memory_in_words(&self) -> String {
        match (self.memory, self.memory_percent()) {
            (Some((used, limit)), Some(percent)) => {
                format!("{} of {} MB used, {percent} %", used / 1_000_000, limit / 1_000_000)
            }
            _ => "no limit is set".to_owned(),
        }
    }

    fn memory_percent(&self) -> Option<u64> {
        self.memory.and_then(|(used, limit)| used.saturating_mul(100).checked_div(limit))
    }
}

/// With one digit behind the point: a figure that changes all the time is no news.
fn gigabytes(bytes: u64) -> String {
    format!("{}.{}", bytes / 1_000_000_000, bytes / 100_000_000 % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_nearly_full_is_said_with_its_figure() {
        let room = |free, used| Room {
            disk_free: Some(free),
            memory: Some((used, 1_000_000_000)),
            disk_must: 5_000_000_000,
        };
        assert_eq!(room(5_000_000_000, 849_999_999).alerts(), []);
        let full =
            [(AlertKind::DiskNearlyFull, "4.9".to_owned()), (AlertKind::MemoryNearlyFull, "85".to_owned())];
        assert_eq!(room(4_999_000_000, 850_000_000).alerts(), full);
        assert_eq!(Room { memory: None, disk_free: None, ..room(0, 0) }.alerts(), []);
    }
}
