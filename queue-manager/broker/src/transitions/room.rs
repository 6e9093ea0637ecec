//! The room as it stands, read once for everybody who asks at the same time.

use std::collections::HashMap;
use std::str::{FromStr, SplitWhitespace};
use std::sync::Arc;
use std::time::Duration;

use queue_protocol::{AccountName, JobId, Mode, NeedsId};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::connection::Broker;
use crate::error::BrokerError;
use crate::script::script;

/// Reading it may take a fifth of the store's time and no more, however many ask.
const REST: u32 = 4;

/// How long jobs of a class took.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Usual {
    pub(crate) mean: f64,
    pub(crate) deviation: f64,
}

/// A job that runs.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) job: JobId,
    pub(crate) owner: AccountName,
    pub(crate) needs: NeedsId,
    pub(crate) since: f64,
}

/// Somebody with jobs in line, in one group of lanes.
#[derive(Debug)]
pub(crate) struct Person {
    pub(crate) name: AccountName,
    pub(crate) tag: f64,
    pub(crate) joined: f64,
    pub(crate) cost: f64,
    pub(crate) needs: NeedsId,
    /// All of their jobs in these lanes, listed or not.
    pub(crate) waiting: u64,
    /// By arrival.
    pub(crate) jobs: Vec<Waiting>,
}

/// A job in line.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) job: JobId,
    pub(crate) seq: f64,
    pub(crate) needs: NeedsId,
}

/// What the script read.
#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) at: u64,
    pub(crate) mode: Mode,
    pub(crate) workers: usize,
    pub(crate) usual: HashMap<NeedsId, Usual>,
    pub(crate) running: Vec<Running>,
    /// Groups of lanes, the most urgent first.
    pub(crate) groups: Vec<Vec<Person>>,
    /// Group and tag at which somebody without a job would come in.
    pub(crate) newcomer: (usize, f64),
    /// The job in line that was stored first.
    pub(crate) oldest: Option<JobId>,
}

/// The latest reading, and when it began and ended.
#[derive(Default)]
pub(crate) struct Reading {
    latest: Mutex<Option<(Arc<Room>, Instant, Instant)>>,
}

impl Broker {
    /// The room as it was at some moment after this call began. Who asks while it is being read waits for the next
    /// reading, which serves all who wait.
    pub(crate) async fn room(&self) -> Result<Arc<Room>, BrokerError> {
        let asked = Instant::now();
        let mut latest = self.reading.latest.lock().await;
        if let Some((room, began, ended)) = &*latest {
            if *began >= asked {
                return Ok(Arc::clone(room));
            }
            tokio::time::sleep_until(*ended + REST * (*ended - *began)).await;
        }
        let began = Instant::now();
        let reply = script!("room").call(self).run().await?;
        let lines = (3..reply.len()).map(|at| reply.text(at)).collect::<Result<Vec<_>, _>>()?;
        let room = Room::read(reply.parse(0)?, reply.parse(1)?, reply.parse(2)?, &lines);
        let room = Arc::new(room.ok_or_else(|| reply.unexpected())?);
        *latest = Some((Arc::clone(&room), began, Instant::now()));
        Ok(room)
    }
}

fn next<T: FromStr>(words: &mut SplitWhitespace<'_>) -> Option<T> {
    words.next()?.parse().ok()
}

impl Room {
    fn read(at: u64, mode: Mode, workers: usize, lines: &[&str]) -> Option<Self> {
        let (usual, running, groups) = (HashMap::new(), Vec::new(), Vec::new());
        let mut room = Self { at, mode, workers, usual, running, groups, newcomer: (0, 0.0), oldest: None };
        let mut group = 0;
        for line in lines {
            let mut words = line.split_whitespace();
            match words.next()? {
                "usual" => {
                    let needs = next(&mut words)?;
                    let (mean, variance): (f64, f64) = (next(&mut words)?, next(&mut words)?);
                    room.usual.insert(needs, Usual { mean, deviation: variance.sqrt() });
                }
                "running" => room.running.push(Running {
                    job: next(&mut words)?,
                    owner: next(&mut words)?,
                    needs: next(&mut words)?,
                    since: next(&mut words)?,
                }),
                "person" => {
                    group = next::<usize>(&mut words)?.checked_sub(1)?;
                    if room.groups.len() <= group {
                        room.groups.resize_with(group + 1, Vec::new);
                    }
                    room.groups[group].push(Person {
                        name: next(&mut words)?,
                        tag: next(&mut words)?,
                        joined: next(&mut words)?,
                        cost: next(&mut words)?,
                        needs: next(&mut words)?,
                        waiting: 0,
                        jobs: Vec::new(),
                    });
                }
                "line" => {
                    let person = room.groups.get_mut(group)?.last_mut()?;
                    person.waiting += next::<u64>(&mut words)?;
                    while let Some(job) = next(&mut words) {
                        let (seq, needs) = (next(&mut words)?, next(&mut words)?);
                        person.jobs.push(Waiting { job, seq, needs });
                    }
                    person.jobs.sort_by(|one, other| one.seq.total_cmp(&other.seq));
                }
                "newcomer" => {
                    room.newcomer = (next::<usize>(&mut words)?.checked_sub(1)?, next(&mut words)?);
                }
                "oldest" => room.oldest = Some(next(&mut words)?),
                _ => return None,
            }
        }
        Some(room)
    }

    /// How long jobs of a class usually run.
    pub(crate) fn usually(&self, needs: &NeedsId) -> Option<Duration> {
        self.usual.get(needs).map(|usual| Duration::from_secs_f64(usual.mean.max(0.0) / 1e3))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_that_make_no_sense_are_no_room() {
        let read = |lines: &[&str]| Room::read(1, Mode::Fifo, 0, lines);
        assert!(read(&["usual 0123456789abcdef 10 4"]).is_some());
        for line in [
            "",
            "what 1",
            "usual x",
            "person 0 ada 1 1 1 0123456789abcdef",
            "line 1",
            "running x",
            "newcomer 0 1",
        ] {
            assert!(read(&[line]).is_none(), "{line}");
        }
    }
}
