//! What a job can expect: how many start before it, if nothing changed from now on, and when it will probably start.
//! By counting the turns that everyone else gets before it, so O(participants) for each job.

use std::collections::HashMap;
use std::time::Duration;

use queue_protocol::{AccountName, JobId, Mode, NeedsId};

use crate::connection::Broker;
use crate::error::BrokerError;
use crate::transitions::room::{Person, Room, Usual};

/// Where a job in line stands, and what it can expect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// 1 when it starts next, 2 for the one after.
    pub position: u64,
    /// How many other people get a turn before.
    pub people_ahead: u64,
    /// Soonest and latest start from now; `None` before three jobs have told how long such jobs take, and while no
    /// worker is here.
    pub starts_in: Option<(Duration, Duration)>,
}

/// What is to be expected of one job.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Prospect {
    /// `None` for a job that does not wait in line.
    pub place: Option<Place>,
    /// How long such jobs run; `None` before three have ended, and for a job that neither runs nor stands in line.
    pub usual: Option<Duration>,
}

/// What is to be expected of some jobs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outlook {
    /// When this was true: ms since 1970 by the store's clock.
    pub at: u64,
    /// One for each job that was asked about.
    pub jobs: Vec<Prospect>,
}

/// Of so many jobs in one answer a range is worked out: a list of a hundred is asked for more often than anyone looks at
/// its end.
const RANGES: usize = 30;

/// Turns that are followed one by one; what is beyond goes on at the same pace.
const STEPS: u64 = 300;

impl Broker {
    /// For each job what it can expect.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] while the store does not answer.
    pub async fn outlook(&self, ids: &[JobId]) -> Result<Outlook, BrokerError> {
        let room = self.room().await?;
        let mut foretold = Foretold::of(&room);
        let jobs = ids.iter().map(|id| foretold.prospect(id)).collect();
        Ok(Outlook { at: room.at, jobs })
    }

    /// Only the positions.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] while the store does not answer.
    pub async fn positions(&self, ids: &[JobId]) -> Result<Vec<Option<u64>>, BrokerError> {
        let outlook = self.outlook(ids).await?;
        Ok(outlook.jobs.into_iter().map(|job| Some(job.place?.position)).collect())
    }
}

/// Jobs of one person that go before.
#[derive(Debug, Clone)]
struct Ahead<'a> {
    owner: &'a AccountName,
    usual: Option<Usual>,
    jobs: u64,
}

/// Where a job stands, or would: what decides who goes before it.
pub(crate) struct Stand<'a> {
    /// Whose it is; `None` for somebody without any.
    owner: Option<&'a AccountName>,
    tag: f64,
    cost: f64,
    joined: f64,
    seq: f64,
    /// Jobs of its owner before it.
    own: u64,
}

pub(crate) struct Foretold<'a> {
    room: &'a Room,
    /// Job → group, person, place in their line.
    places: HashMap<JobId, (usize, usize, usize)>,
    ranges_left: usize,
}

impl<'a> Foretold<'a> {
    pub(crate) fn of(room: &'a Room) -> Self {
        let mut places = HashMap::new();
        for (group, people) in room.groups.iter().enumerate() {
            for (person, about) in people.iter().enumerate() {
                places.extend(about.jobs.iter().enumerate().map(|(at, job)| (job.job, (group, person, at))));
            }
        }
        Self { room, places, ranges_left: RANGES }
    }

    pub(crate) fn prospect(&mut self, id: &JobId) -> Prospect {
        let Some((group, person, own)) = self.places.get(id).copied() else {
            let running = self.room.running.iter().find(|running| running.job == *id);
            let usual = running.and_then(|running| self.room.usually(&running.needs));
            return Prospect { place: None, usual };
        };
        let me = &self.room.groups[group][person];
        let lines = self.ahead(group, &stand(me, own));
        let ahead: u64 = lines.iter().map(|line| line.jobs).sum();
        let people = lines.iter().filter(|line| *line.owner != me.name).map(|line| line.owner);
        let people: std::collections::BTreeSet<_> = people.collect();
        let starts_in = if self.ranges_left > 0 {
            self.ranges_left -= 1;
            self.range(Some(&me.name), &lines, ahead)
        } else {
            None
        };
        let place = Place { position: ahead + 1, people_ahead: people.len() as u64, starts_in };
        Prospect { place: Some(place), usual: self.room.usually(&me.jobs[own].needs) }
    }

    /// How many start before the `own`th job of somebody, and that one.
    pub(crate) fn position(&self, group: usize, me: &'a Person, own: usize) -> u64 {
        self.ahead(group, &stand(me, own)).iter().map(|line| line.jobs).sum::<u64>() + 1
    }

    /// As [`Place::starts_in`], for a new job of somebody who has none in line.
    pub(crate) fn newcomer(&self) -> Option<(Duration, Duration)> {
        let (group, tag) = self.room.newcomer;
        let last = f64::INFINITY;
        let lines =
            self.ahead(group, &Stand { owner: None, tag, cost: 1.0, joined: last, seq: last, own: 0 });
        self.range(None, &lines, lines.iter().map(|line| line.jobs).sum())
    }

    fn usual(&self, needs: &NeedsId) -> Option<Usual> {
        self.room.usual.get(needs).copied()
    }

    /// Who has how many jobs before one that stands there.
    fn ahead(&self, group: usize, one: &Stand<'_>) -> Vec<Ahead<'a>> {
        let groups = &self.room.groups;
        let more_urgent = groups.iter().take(group).flatten().map(|other| (other, other.waiting));
        let level = groups.get(group).into_iter().flatten().map(|other| {
            let jobs = if one.owner == Some(&other.name) {
                one.own
            } else if self.room.mode == Mode::Fifo {
                other.jobs.partition_point(|job| job.seq < one.seq) as u64
            } else {
                turns_before(other, one)
            };
            (other, jobs)
        });
        let all = more_urgent.chain(level).filter(|(_, jobs)| *jobs > 0);
        all.map(|(other, jobs)| Ahead { owner: &other.name, usual: self.usual(&other.needs), jobs }).collect()
    }

    fn range(
        &self,
        me: Option<&AccountName>,
        lines: &[Ahead<'_>],
        jobs: u64,
    ) -> Option<(Duration, Duration)> {
        let running: Option<Vec<_>> = self
            .room
            .running
            .iter()
            .map(|job| self.usual(&job.needs).map(|usual| (&job.owner, usual, job.since)))
            .collect();
        let running = running.filter(|running| (1..=self.room.workers).contains(&running.len().max(1)))?;
        let lines: Option<Vec<_>> =
            lines.iter().map(|line| line.usual.map(|usual| (line.owner, usual, line.jobs))).collect();
        let start = Start { workers: self.room.workers, running, lines: lines?, me, jobs };
        // The more jobs, the more their deviations even out.
        #[expect(clippy::cast_precision_loss, reason = "counts of jobs and workers")]
        let count = ((jobs as f64 + start.running.len() as f64) / self.room.workers as f64).max(1.0);
        let shift = 1.7 / count.sqrt();
        // By arrival nobody comes in between; where turns count people who come later do, and by GPU time those with
        // short jobs do more than once.
        let more = match self.room.mode {
            Mode::Fifo => 1.15,
            Mode::Fair => 2.5,
            Mode::RoundRobin | Mode::Priority => 1.9,
        };
        let ms = |ms: f64| Duration::from_secs_f64(ms.max(0.0).round() / 1e3);
        Some((ms(start.of(-shift) * 0.85), ms(start.of(shift) * more + 2_000.0)))
    }
}

/// Where the `own`th job of somebody stands.
fn stand(me: &Person, own: usize) -> Stand<'_> {
    let Person { name, tag, joined, cost, .. } = me;
    let seq = me.jobs[own].seq;
    Stand { owner: Some(name), tag: *tag, cost: *cost, joined: *joined, seq, own: own as u64 }
}

/// Turns of `other` before my job, which starts when I have had my own before it.
#[expect(clippy::cast_precision_loss, clippy::float_cmp, reason = "tags are whole numbers")]
fn turns_before(other: &Person, me: &Stand<'_>) -> u64 {
    let gap = me.tag + me.own as f64 * me.cost - other.tag;
    let mut turns = (gap / other.cost).ceil();
    // At the same tag whoever joined it first goes first: who stood there, before who had a turn to get there.
    let level = turns >= 0.0 && turns * other.cost == gap;
    if level && (other.tag > me.tag || (other.tag == me.tag && other.joined < me.joined)) {
        turns += 1.0;
    }
    let turns = turns.clamp(0.0, other.waiting as f64);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and a count")]
    let turns = turns as u64;
    turns
}

/// When a job starts if workers take what is ahead turn by turn, and nobody runs two at a time.
struct Start<'a> {
    workers: usize,
    running: Vec<(&'a AccountName, Usual, f64)>,
    lines: Vec<(&'a AccountName, Usual, u64)>,
    me: Option<&'a AccountName>,
    jobs: u64,
}

impl Start<'_> {
    /// In ms from now, if every job takes its mean and `shift` deviations more.
    fn of(&self, shift: f64) -> f64 {
        let length = |usual: &Usual| (usual.mean + shift * usual.deviation).max(0.1 * usual.mean);
        let mut free = Vec::with_capacity(self.workers);
        let mut owner_free: HashMap<&AccountName, f64> = HashMap::new();
        for (owner, usual, since) in &self.running {
            // One that runs longer than usual may end at any moment.
            let left = (length(usual) - since).max(0.1 * length(usual));
            free.push(left);
            let until = owner_free.entry(owner).or_default();
            *until = until.max(left);
        }
        free.resize(self.workers, 0.0);
        let soonest = |free: &[f64]| {
            let times = free.iter().copied().enumerate();
            times.min_by(|(_, one), (_, other)| one.total_cmp(other)).unwrap_or_default()
        };
        let mut lines: Vec<_> = self.lines.clone();
        let steps = self.jobs.min(STEPS);
        for _ in 0..steps {
            let (worker, free_at) = soonest(&free);
            let start_of =
                |owner: &AccountName| free_at.max(owner_free.get(owner).copied().unwrap_or_default());
            let waiting = lines.iter().enumerate().filter(|(_, (.., jobs))| *jobs > 0);
            let next = waiting.map(|(at, (owner, ..))| (at, start_of(owner)));
            let Some((at, start)) = next.min_by(|(_, one), (_, other)| one.total_cmp(other)) else { break };
            // Whoever had a turn goes behind everyone else.
            let (owner, usual, left) = lines.remove(at);
            let ends = start + length(&usual);
            free[worker] = ends;
            owner_free.insert(owner, ends);
            lines.push((owner, usual, left - 1));
        }
        let own = self.me.and_then(|me| owner_free.get(me)).copied().unwrap_or_default();
        let start = soonest(&free).1.max(own);
        #[expect(clippy::cast_precision_loss, reason = "counts of jobs")]
        let beyond = if self.jobs > steps { self.jobs as f64 / steps as f64 } else { 1.0 };
        start * beyond
    }
}
