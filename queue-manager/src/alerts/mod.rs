//! Alerts: what needs the instructor, in words, for the dashboard and for a webhook.

pub(crate) mod storage;
pub(crate) mod webhook;

use std::time::Duration;

use queue_broker::transitions::watch::{Patience, StoredAlert};
use queue_protocol::api::{Alert, AlertKind};

/// An alert whose cause went stays for so long: one that comes and goes is one.
const CALM: Duration = Duration::from_secs(60);

/// How patient a look over the room is.
pub(crate) fn patience(lease: Duration, stuck_after: Duration) -> Patience {
    Patience { worker: lease * 2, claim: stuck_after, calm: CALM }
}

/// The alert in words.
pub(crate) fn in_words(alert: StoredAlert) -> Alert {
    let StoredAlert { id, kind, subject, detail, since } = alert;
    let (text, advice) = match kind {
        AlertKind::WorkerLost => (
            format!("{subject} is not connected."),
            "What it ran goes to another GPU by itself. Look at its machine and its log; forget it if it is gone for good.",
        ),
        AlertKind::QueueStuck => (
            format!("Jobs wait, a GPU could run them, and none was started for {detail} min."),
            "Look at the GPUs: stop a job that makes no progress, or start the worker again. What waits is kept.",
        ),
        AlertKind::DiskNearlyFull => (
            format!("The disk of the data folder has {detail} GB left."),
            "Remove pictures nobody needs (data/README.md says how), or make room beside them. A full disk takes no uploads \
             and no results.",
        ),
        AlertKind::MemoryNearlyFull => (
            format!("The queue store uses {detail} % of the memory it may have."),
            "Clear what nobody waits for, keep ended jobs for fewer days (keep_ended_days), or give it more (ATELIER_REDIS_MB; \
             maxmemory in a Redis of your own). A full store refuses new jobs.",
        ),
        AlertKind::JobParked => (
            "A job took down its GPU three times and is not tried again.".to_owned(),
            "Look at its workflow before anyone runs it again.",
        ),
    };
    Alert { id, kind, subject, text, advice: advice.to_owned(), since }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_alert_says_what_happened_and_what_to_do() {
        for kind in AlertKind::ALL {
            let (subject, detail) = ("gpu-1".to_owned(), "7".to_owned());
            let alert = in_words(StoredAlert { id: "x".to_owned(), kind, subject, detail, since: 1 });
            assert!(alert.text.ends_with('.') && alert.advice.ends_with('.'), "{alert:?}");
        }
    }
}
