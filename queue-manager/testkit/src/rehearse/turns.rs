//! Whether turns were kept, as the instructor's feed told it: between two turns of anyone, everyone else who waited got
//! one.

use std::collections::{HashMap, HashSet};

use queue_protocol::feed::JobChange;
use queue_protocol::{AccountName, JobId, JobState};

#[derive(Default)]
struct Line {
    waiting: HashSet<JobId>,
    running: HashSet<JobId>,
    /// Places in the feed: since when something waits, the last turn, and when the last run ended.
    since: usize,
    turn: Option<usize>,
    ended: Option<usize>,
}

/// The first turn that somebody had too early: who, and who should have been before. `changes` without a gap, in the
/// order of the feed. Whoever had a job running in between may have been at the running cap and passed over nobody.
pub(crate) fn first_broken<'a>(
    changes: impl IntoIterator<Item = &'a JobChange>,
) -> Option<(AccountName, AccountName)> {
    let mut lines = HashMap::<&AccountName, Line>::new();
    let mut begun = HashSet::new();
    for (at, change) in changes.into_iter().enumerate() {
        let line = lines.entry(&change.participant).or_default();
        let (was_waiting, was_running) = (!line.waiting.is_empty(), !line.running.is_empty());
        line.waiting.remove(&change.job);
        line.running.remove(&change.job);
        match change.state {
            JobState::Pending if change.reason.is_none_or(|reason| !is_aside(reason)) => {
                line.waiting.insert(change.job);
            }
            JobState::Running => {
                line.running.insert(change.job);
            }
            _ => {}
        }
        if !was_waiting && !line.waiting.is_empty() {
            line.since = at;
        }
        if was_running && line.running.is_empty() {
            line.ended = Some(at);
        }
        // A job that was taken back pays no second turn.
        if change.state != JobState::Running || was_running || !begun.insert(change.job) {
            continue;
        }
        let before = line.turn.replace(at);
        let Some(before) = before else { continue };
        let passed_over = lines.iter().find(|(other, line)| {
            **other != &change.participant
                && !line.waiting.is_empty()
                && line.since < before
                && line.running.is_empty()
                && line.turn.is_none_or(|turn| turn < before)
                && line.ended.is_none_or(|ended| ended < before)
        });
        if let Some((other, _)) = passed_over {
            return Some((change.participant.clone(), (*other).clone()));
        }
    }
    None
}

fn is_aside(reason: queue_protocol::Reason) -> bool {
    use queue_protocol::Reason::{BackingOff, Cancelling, Held, OnHold};
    matches!(reason, OnHold | Held | BackingOff | Cancelling)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `a+1` submits job 1 of a, `a>1` runs it, `a.1` ends it.
    fn history(text: &str) -> Vec<JobChange> {
        let words = text.split_whitespace().enumerate();
        let change = |(n, word): (usize, &str)| {
            let job: u8 = word[2..].parse().unwrap();
            JobChange {
                epoch: String::new(),
                n: n as u64,
                job: JobId::from_bytes([word.as_bytes()[0].wrapping_mul(16).wrapping_add(job); 16]),
                participant: word[..1].parse().unwrap(),
                state: match &word[1..2] {
                    "+" => JobState::Pending,
                    ">" => JobState::Running,
                    _ => JobState::Completed,
                },
                reason: None,
                worker: None,
                client: None,
            }
        };
        words.map(change).collect()
    }

    fn broken(text: &str) -> Option<(String, String)> {
        let found = first_broken(&history(text));
        found.map(|(early, late)| (early.to_string(), late.to_string()))
    }

    #[test]
    fn whoever_waited_all_along_has_a_turn_between_two_of_anyone() {
        assert_eq!(broken("a+1 a+2 b+1 a>1 a.1 b>1 b.1 a>2"), None);
        assert_eq!(broken("a+1 a+2 b+1 a>1 a.1 a>2"), Some(("a".into(), "b".into())));
    }

    #[test]
    fn a_job_that_was_taken_back_runs_again_without_a_turn() {
        let mut changes = history("a+1 b+1 b>1 b.1 b+2 a>1 a+1 a>1");
        assert_eq!(first_broken(&changes), None);
        changes[7].job = JobId::from_bytes([99; 16]);
        assert!(first_broken(&changes).is_some(), "another job is another turn");
    }

    #[test]
    fn who_comes_later_or_has_a_job_running_was_not_passed_over() {
        assert_eq!(broken("a+1 a+2 a>1 b+1 a.1 a>2"), None, "b came after the first of the two turns");
        assert_eq!(broken("a+1 a+2 b+1 b+2 b>1 a>1 a.1 a>2"), None, "b is at the running cap");
        assert_eq!(broken("a+1 a+2 b+1 b+2 b>1 a>1 b.1 a.1 a>2"), None, "b was, for a part of the time");
        assert_eq!(broken("a+1 a+2 b+1 b+2 b>1 b.1 a>1 a.1 a>2"), Some(("a".into(), "b".into())));
    }
}
