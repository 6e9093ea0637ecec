//! The queue in plain words and in memory: what DESIGN says of turns, places and ends, without a store. Histories and
//! simulations compare every answer of the scripts with it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use queue_protocol::{JobState, Lane, Mode};

pub type Who = usize;
pub type Class = u8;

/// Where a job is. Each is in exactly one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Line,
    OnHold,
    Held,
    BackingOff,
    /// To be cancelled; held by hand before, if `true`.
    Cancelling(bool),
    Running {
        worker: usize,
        stopping: bool,
        cancelling: bool,
    },
    Ended(JobState),
}

#[derive(Debug, Clone)]
pub struct Job {
    pub who: Who,
    pub lane: Lane,
    pub class: Class,
    pub seq: u64,
    pub place: Place,
    pub crashes: u32,
    pub failures: u32,
    pub avoid: Option<usize>,
    /// The turn that its latest claim took, and what it cost.
    turn: Option<(Group, Stand, i64)>,
}

/// Lanes that share turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Group {
    Lane(Lane),
    Rest,
}

/// Whose turn: the smallest tag, then whoever joined first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stand {
    tag: i64,
    joined: u64,
}

#[derive(Debug, Default)]
pub struct Model {
    pub mode: Option<Mode>,
    pub paused: bool,
    /// Running jobs of one person; `caps` for those who have their own.
    pub cap: usize,
    pub caps: HashMap<Who, usize>,
    pub attempts_run: u32,
    pub jobs: Vec<Job>,
    /// What each worker can run.
    pub kinds: Vec<BTreeSet<Class>>,
    /// Who may claim: here, and not draining.
    pub here: BTreeSet<usize>,
    stands: BTreeMap<(Group, Who), Stand>,
    debts: HashMap<(Group, Who), i64>,
    /// The tag served last; in fair mode of each kind of worker.
    served: HashMap<(Group, Option<usize>), i64>,
    costs: HashMap<Class, f64>,
    joined: u64,
    arrivals: u64,
}

const USUAL_MS: f64 = 20_000.0;

impl Model {
    pub fn new(mode: Mode, cap: usize, attempts_run: u32, kinds: &[&[Class]]) -> Self {
        let kinds = kinds.iter().map(|classes| classes.iter().copied().collect()).collect();
        Self { mode: Some(mode), cap, attempts_run, kinds, ..Self::default() }
    }

    pub fn mode(&self) -> Mode {
        self.mode.unwrap_or(Mode::Fifo)
    }

    fn groups(&self) -> Vec<Group> {
        let lanes = Lane::ALL.map(Group::Lane);
        if self.mode() == Mode::Priority { lanes.to_vec() } else { vec![lanes[0], Group::Rest] }
    }

    fn group_of(&self, lane: Lane) -> Group {
        if self.mode() == Mode::Priority || lane == Lane::Instructor {
            Group::Lane(lane)
        } else {
            Group::Rest
        }
    }

    fn runnable(&self, class: Class) -> bool {
        self.here.is_empty() || self.here.iter().any(|worker| self.kinds[*worker].contains(&class))
    }

    fn at_cap(&self, who: Who) -> bool {
        let running = |job: &&Job| job.who == who && matches!(job.place, Place::Running { .. });
        self.jobs.iter().filter(running).count() >= *self.caps.get(&who).unwrap_or(&self.cap)
    }

    fn head(&self, group: Group, who: Who) -> Option<usize> {
        let waits =
            |job: &Job| job.place == Place::Line && job.who == who && self.group_of(job.lane) == group;
        (0..self.jobs.len()).filter(|id| waits(&self.jobs[*id])).min_by_key(|id| self.jobs[*id].seq)
    }

    /// Coming back: max(own last tag, tag served last).
    fn comes_back_at(&self, group: Group, who: Who, class: Class) -> i64 {
        let debt = self.debts.get(&(group, who)).copied().unwrap_or_default();
        let served = |kind| self.served.get(&(group, kind)).copied().unwrap_or_default();
        let able = self.here.iter().filter(|worker| self.kinds[**worker].contains(&class));
        let last = match self.mode() {
            Mode::Fair => able.map(|worker| served(Some(*worker))).max().unwrap_or_default(),
            _ => served(None),
        };
        debt.max(last)
    }

    /// Heads that nobody here can run go on hold; then a person stands once in each group, or nowhere.
    fn arrange(&mut self, who: Who, back: Option<(Group, Stand)>) {
        for group in self.groups() {
            while let Some(head) = self.head(group, who).filter(|id| !self.runnable(self.jobs[*id].class)) {
                self.jobs[head].place = Place::OnHold;
            }
            let Some(head) = self.head(group, who).filter(|_| !self.at_cap(who)) else {
                self.stands.remove(&(group, who));
                continue;
            };
            let job = &self.jobs[head];
            let mut stand = match self.stands.get(&(group, who)) {
                _ if self.mode() == Mode::Fifo => Stand { tag: job.seq.cast_signed(), joined: 0 },
                Some(stand) => *stand,
                None => {
                    self.joined += 1;
                    Stand { tag: self.comes_back_at(group, who, job.class), joined: self.joined }
                }
            };
            if let Some((_, back)) = back.filter(|(theirs, _)| *theirs == group && self.mode() != Mode::Fifo)
            {
                stand = stand.min(back);
            }
            self.stands.insert((group, who), stand);
        }
    }

    fn queue_up(&mut self, id: usize, back: Option<(Group, Stand)>) {
        let runnable = self.runnable(self.jobs[id].class);
        self.jobs[id].place = if runnable { Place::Line } else { Place::OnHold };
        self.arrange(self.jobs[id].who, back);
    }

    pub fn submit(&mut self, who: Who, lane: Lane, class: Class, front: bool) -> usize {
        self.arrivals += 1;
        let (seq, place) = (self.arrivals, Place::Line);
        let job = Job { who, lane, class, seq, place, crashes: 0, failures: 0, avoid: None, turn: None };
        self.jobs.push(job);
        let id = self.jobs.len() - 1;
        if self.runnable(class) {
            if front {
                self.move_to(id, 0);
            }
        } else {
            self.jobs[id].place = Place::OnHold;
        }
        self.arrange(who, None);
        id
    }

    /// The line of a job, in order.
    fn line(&self, id: usize) -> Vec<usize> {
        let owner = (self.jobs[id].who, self.jobs[id].lane);
        let stands = |job: &Job| job.place == Place::Line && (job.who, job.lane) == owner;
        let mut jobs: Vec<_> = (0..self.jobs.len()).filter(|other| stands(&self.jobs[*other])).collect();
        jobs.sort_by_key(|other| self.jobs[*other].seq);
        jobs
    }

    pub fn move_to(&mut self, id: usize, place: usize) -> bool {
        if self.jobs[id].place != Place::Line {
            return false;
        }
        let mut line = self.line(id);
        let places: Vec<_> = line.iter().map(|other| self.jobs[*other].seq).collect();
        line.retain(|other| *other != id);
        line.insert(place.min(line.len()), id);
        for (other, seq) in line.into_iter().zip(places) {
            self.jobs[other].seq = seq;
        }
        self.arrange(self.jobs[id].who, None);
        true
    }

    /// Who is next: group by group the smallest stand among heads that this worker can run.
    pub fn next(&self, worker: usize) -> Option<(Group, usize)> {
        let others =
            |class| self.here.iter().any(|other| *other != worker && self.kinds[*other].contains(&class));
        let groups =
            self.groups().into_iter().filter(|group| !self.paused || *group == Group::Lane(Lane::Instructor));
        groups.into_iter().find_map(|group| {
            let stands = self.stands.iter().filter(|((theirs, _), _)| *theirs == group);
            let heads = stands.filter_map(|((_, who), stand)| Some((stand, self.head(group, *who)?)));
            let can = |job: &Job| {
                self.kinds[worker].contains(&job.class) && !(job.avoid == Some(worker) && others(job.class))
            };
            let best = heads.filter(|(_, id)| can(&self.jobs[*id])).min_by_key(|(stand, _)| **stand);
            best.map(|(_, id)| (group, id))
        })
    }

    pub fn claim(&mut self, worker: usize) -> Option<usize> {
        let (group, id) = self.next(worker)?;
        let (who, class) = (self.jobs[id].who, self.jobs[id].class);
        let stand = self.stands.remove(&(group, who)).unwrap();
        let fair = self.mode() == Mode::Fair;
        let usual = self.costs.get(&class).copied().unwrap_or(USUAL_MS);
        #[expect(clippy::cast_possible_truncation, reason = "ms of GPU time")]
        let cost = if fair { (usual.round_ties_even() as i64).max(1) } else { 1 };
        if self.mode() != Mode::Fifo {
            let served = self.served.entry((group, fair.then_some(worker))).or_default();
            *served = stand.tag.max(*served);
            let last = if fair { 0 } else { *served };
            let debt = self.debts.entry((group, who)).or_default();
            *debt = stand.tag.max(*debt).max(last) + cost;
        }
        let job = &mut self.jobs[id];
        job.place = Place::Running { worker, stopping: false, cancelling: false };
        job.turn = Some((group, stand, cost));
        job.avoid = None;
        self.arrange(who, None);
        Some(id)
    }

    fn charge(&mut self, group: Group, who: Who, amount: i64) {
        let debt = self.debts.entry((group, who)).or_default();
        *debt = (*debt + amount).max(0);
        if let Some(stand) = self.stands.get_mut(&(group, who)).filter(|_| self.mode == Some(Mode::Fair)) {
            stand.tag = (stand.tag + amount).max(0);
        }
    }

    /// A running job ends after so many ms, or a waiting one ends.
    pub fn end(&mut self, id: usize, state: JobState, took: i64) {
        let (who, class, took) = (self.jobs[id].who, self.jobs[id].class, took.max(0));
        if matches!(self.jobs[id].place, Place::Running { .. }) {
            if let Some((group, _, cost)) = self.jobs[id].turn.filter(|_| self.mode() == Mode::Fair) {
                self.charge(group, who, took - cost);
            }
            if state == JobState::Completed {
                #[expect(clippy::cast_precision_loss, reason = "ms of GPU time")]
                let took = took as f64;
                let usual = self.costs.entry(class).or_insert(took);
                *usual = (*usual * 0.8 + took * 0.2).round_ties_even();
            }
        }
        self.jobs[id].place = Place::Ended(state);
        self.arrange(who, None);
    }

    /// A job taken back pays no second turn: it and its owner stand where they stood.
    pub fn give_back(&mut self, id: usize, backing_off: bool) {
        let Place::Running { cancelling, .. } = self.jobs[id].place else { return };
        let who = self.jobs[id].who;
        let turn = self.jobs[id].turn;
        if let Some((group, _, cost)) = turn {
            self.charge(group, who, -cost);
        }
        if cancelling || backing_off {
            self.jobs[id].place = if cancelling { Place::Cancelling(false) } else { Place::BackingOff };
            self.arrange(who, None);
        } else {
            self.queue_up(id, turn.map(|(group, stand, _)| (group, stand)));
        }
    }

    /// A worker went down with a job that it had: again at once, elsewhere if possible; ended the third time. One that never
    /// said that it had it is not blamed on the job, not as often as histories are long.
    pub fn crash(&mut self, id: usize, took: i64, had_it: bool) {
        let Place::Running { worker, stopping, .. } = self.jobs[id].place else { return };
        self.jobs[id].crashes += u32::from(!stopping && had_it);
        if stopping {
            self.end(id, JobState::Cancelled, took);
        } else if self.jobs[id].crashes >= 3 {
            self.end(id, JobState::Failed, took);
        } else {
            if had_it {
                self.jobs[id].avoid = Some(worker);
            }
            self.give_back(id, false);
        }
    }

    pub fn back_from_later(&mut self, id: usize) {
        let back = self.jobs[id].turn.map(|(group, stand, _)| (group, stand));
        self.queue_up(id, back);
    }

    pub fn set_aside(&mut self, id: usize, place: Place) {
        self.jobs[id].place = place;
        self.arrange(self.jobs[id].who, None);
    }

    pub fn put_back(&mut self, id: usize) {
        self.queue_up(id, None);
    }

    pub fn prioritise(&mut self, id: usize, lane: Lane) {
        let in_line = self.jobs[id].place == Place::Line;
        if self.jobs[id].lane != lane {
            self.jobs[id].lane = lane;
            if in_line {
                self.queue_up(id, None);
            }
        }
    }

    fn everyone_waiting(&self) -> Vec<Who> {
        let mut waiting: Vec<_> = self.jobs.iter().filter(|job| job.place == Place::Line).collect();
        waiting.sort_by_key(|job| job.seq);
        let mut seen = BTreeSet::new();
        waiting.into_iter().map(|job| job.who).filter(|who| seen.insert(*who)).collect()
    }

    /// Everybody starts even.
    fn rebuild(&mut self) {
        (self.stands, self.debts, self.served) = Default::default();
        self.jobs.iter_mut().for_each(|job| job.turn = None);
        self.arrange_everyone();
    }

    fn arrange_everyone(&mut self) {
        for who in self.everyone_waiting() {
            self.arrange(who, None);
        }
    }

    pub fn set_mode(&mut self, mode: Mode) {
        if self.mode() != mode {
            self.mode = Some(mode);
            self.rebuild();
        }
    }

    pub fn set_cap(&mut self, who: Option<Who>, cap: usize) {
        if let Some(who) = who {
            self.caps.insert(who, cap);
            self.arrange(who, None);
        } else {
            self.cap = cap;
            self.arrange_everyone();
        }
    }

    /// A worker comes or goes: what nobody here can run goes on hold, what somebody can comes back.
    pub fn presence(&mut self, worker: usize, comes: bool) {
        let changed = if comes { self.here.insert(worker) } else { self.here.remove(&worker) };
        if changed && self.mode() == Mode::Fair {
            self.rebuild();
        }
        for class in 1..=3 {
            let mut held: Vec<_> = (0..self.jobs.len())
                .filter(|id| self.jobs[*id].class == class && self.jobs[*id].place == Place::OnHold)
                .collect();
            held.sort_by_key(|id| self.jobs[*id].seq);
            if self.runnable(class) {
                for id in held {
                    self.queue_up(id, None);
                }
            }
        }
        self.arrange_everyone();
    }
}
