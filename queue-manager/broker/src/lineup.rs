//! The line as a whole, from one reading of it: who is next, where everybody stands, who waits longest, and how long
//! somebody who comes now would wait.

use std::collections::HashMap;
use std::time::Duration;

use queue_protocol::{AccountName, JobId};

use crate::connection::Broker;
use crate::error::BrokerError;
use crate::prospects::{Foretold, Place};

/// Jobs whose place is worked out to find who is next.
const LOOKED_AT: usize = 300;

/// The whole line at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lineup {
    /// The first jobs, the next one first.
    pub first: Vec<(JobId, Place)>,
    /// Place of the next job of everyone who has one in line.
    pub people: HashMap<AccountName, u64>,
    /// The job that was stored first.
    pub oldest: Option<JobId>,
    /// Soonest and latest start of a new job of somebody who has none in line; as [`Place::starts_in`].
    pub new_job: Option<(Duration, Duration)>,
}

impl Broker {
    /// The line, with its first `at_most` jobs.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] while the store does not answer.
    pub async fn lineup(&self, at_most: usize) -> Result<Lineup, BrokerError> {
        let room = self.room().await?;
        let mut foretold = Foretold::of(&room);
        let (mut placed, mut people) = (Vec::new(), HashMap::new());
        // Enough of each person's jobs that those who are next are among them.
        let stands = room.groups.iter().map(Vec::len).sum::<usize>().max(1);
        let each = (LOOKED_AT / stands).clamp(3, 60);
        for (group, all) in room.groups.iter().enumerate() {
            for person in all {
                for (own, job) in person.jobs.iter().enumerate().take(each) {
                    let at = foretold.position(group, person, own);
                    placed.push((at, job.job));
                    let first = people.entry(person.name.clone()).or_insert(at);
                    *first = at.min(*first);
                }
            }
        }
        placed.sort_unstable_by_key(|(at, _)| *at);
        // Up to the first place that none of those has.
        let known = placed.iter().zip(1_u64..).take_while(|((at, _), expected)| at <= expected);
        let first =
            known.take(at_most).filter_map(|((_, job), _)| Some((*job, foretold.prospect(job).place?)));
        let first = first.collect();
        Ok(Lineup { first, people, oldest: room.oldest, new_job: foretold.newcomer() })
    }
}
