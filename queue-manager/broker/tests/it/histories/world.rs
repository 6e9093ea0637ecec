//! A history as it happens: each step taken by the scripts and by the model, and their answers compared.

mod counted;

use std::time::Duration;

use queue_broker::Broker;
use queue_broker::transitions::cancel::Cancelled;
use queue_broker::transitions::claim::{Claimed, Forgotten};
use queue_broker::transitions::drain::{Ordered, WorkerOrder};
use queue_broker::transitions::finish::Settled;
use queue_broker::transitions::reap::Reaped;
use queue_broker::transitions::renew::Renewed;
use queue_broker::transitions::retry::Retried;
use queue_broker::transitions::steer::Steered;
use queue_broker::transitions::submit::Submitted;
use queue_protocol::link::HeldLease;
use queue_protocol::{AccountName, FailureKind, JobId, JobState, Lane, LeaseToken, Mode, WorkerName};

use crate::model::{Model, Place};
use crate::workshop::{
    AT_ONCE, LEASE, Pinned, Submit, claim_as, gpu, heard_of, here, kind, needs, nothing, person,
};

use super::steps::{KINDS, PEOPLE, Step};

/// Steps of the clock and waits have no common sums, so nothing is due just when somebody looks.
const REAP_STEP: Duration = Duration::from_millis(9_500);
const WAIT: Duration = Duration::from_secs(7);
const DELAY: Duration = Duration::from_secs(10);

pub struct World {
    broker: Broker,
    people: Vec<AccountName>,
    workers: Vec<WorkerName>,
    draining: [bool; 3],
    seen: [bool; 3],
    held: [Option<HeldLease>; 3],
    ids: Vec<JobId>,
    due: Vec<Duration>,
    avoid_till: Vec<Duration>,
    last_token: Option<LeaseToken>,
    model: Model,
    clock: Duration,
    time: Pinned,
}

impl World {
    pub async fn new(broker: Broker, mode: Mode, attempts_run: u32) -> Self {
        let attempts = attempts_run.to_string();
        let settings =
            [("mode", mode.word()), ("attempts_run", attempts.as_str()), ("running_per_participant", "1")];
        broker.configure(None, &settings).await.unwrap();
        for classes in KINDS {
            let lesson: Vec<_> = (1..=3).map(|class| (needs(class).id, classes.contains(&class))).collect();
            broker.teach(&kind(classes), &lesson).await.unwrap();
        }
        let time = Pinned::of(broker.clone());
        let world = Self {
            broker,
            people: (0..PEOPLE).map(|n| person(&format!("user{n:03}"))).collect(),
            workers: (0..KINDS.len()).map(|n| gpu(&format!("gpu-{n}"))).collect(),
            draining: [false; 3],
            seen: [false; 3],
            held: [None; 3],
            ids: Vec::new(),
            due: Vec::new(),
            avoid_till: Vec::new(),
            last_token: None,
            model: Model::new(mode, 1, attempts_run, &KINDS),
            clock: Duration::ZERO,
            time,
        };
        world.now().reap(LEASE).await.unwrap();
        world
    }

    /// The queue at the history's own time: however long the test takes, only steps of the clock let time pass.
    fn now(&self) -> Broker {
        self.time.at(self.clock)
    }

    fn place(&self, nth: usize) -> Option<Place> {
        self.model.jobs.get(nth).map(|job| job.place)
    }

    async fn took(&self, nth: usize) -> i64 {
        let job = self.broker.job(self.ids[nth]).await.unwrap().unwrap();
        job.started_at.zip(job.ended_at).map_or(0, |(from, to)| to.cast_signed() - from.cast_signed())
    }

    fn enrolled(&mut self, id: JobId) {
        self.ids.push(id);
        self.due.push(Duration::ZERO);
        self.avoid_till.push(Duration::ZERO);
    }

    fn nth_of(&self, id: JobId) -> usize {
        self.ids.iter().position(|other| *other == id).unwrap()
    }

    #[expect(clippy::too_many_lines, reason = "one arm for each transition")]
    pub async fn take(&mut self, step: Step) {
        let broker = self.now();
        match step {
            Step::Submit { who, lane, class, front } => {
                let job = Submit { lane, needs: class, front, ..Submit::of(&self.people[who]) };
                assert!(matches!(job.to(&broker).await, Submitted::Accepted { .. }));
                self.model.submit(who, lane, class, front);
                self.enrolled(job.id);
            }
            Step::Retry { nth } => {
                let Some(place) = self.place(nth) else { return };
                let (old, new) = (self.model.jobs[nth].clone(), JobId::random());
                let retried = broker.retry(self.ids[nth], Some(&self.people[old.who]), new).await.unwrap();
                if let Place::Ended(_) = place {
                    assert!(matches!(retried, Retried::Accepted { .. }), "{retried:?}");
                    self.model.submit(old.who, Lane::Normal, old.class, false);
                    self.enrolled(new);
                } else {
                    assert!(matches!(retried, Retried::NotEnded(_)), "{retried:?}");
                }
            }
            Step::Claim { worker } => self.claim(&broker, worker).await,
            Step::Finish { worker } => {
                let Some(held) = self.held[worker].take() else { return };
                let settled = broker.finish(&self.workers[worker], held, &nothing()).await.unwrap();
                assert_eq!(settled, Settled::Ended(JobState::Completed));
                let nth = self.nth_of(held.job);
                self.model.end(nth, JobState::Completed, self.took(nth).await);
            }
            Step::Fail { worker, kind } => self.fail(&broker, worker, kind).await,
            Step::Release { worker } => {
                let Some(held) = self.held[worker].take() else { return };
                broker.release(&self.workers[worker], held).await.unwrap();
                let nth = self.nth_of(held.job);
                if let Some(Place::Running { stopping: true, .. }) = self.place(nth) {
                    self.model.end(nth, JobState::Cancelled, self.took(nth).await);
                } else {
                    self.model.give_back(nth, false);
                }
            }
            Step::Cancel { nth, delayed } => self.cancel(&broker, nth, delayed).await,
            Step::Keep { nth } => {
                let Some(place) = self.place(nth) else { return };
                let kept = broker.keep(self.ids[nth], None).await.unwrap();
                match place {
                    Place::Ended(_) | Place::Running { stopping: true, .. } => {
                        assert!(matches!(kept, Steered::Refused(_)), "{kept:?}");
                        return;
                    }
                    Place::Cancelling(true) => self.model.set_aside(nth, Place::Held),
                    Place::Cancelling(false) => self.model.put_back(nth),
                    Place::Running { worker, .. } => {
                        self.model.jobs[nth].place =
                            Place::Running { worker, stopping: false, cancelling: false };
                    }
                    _ => {}
                }
                assert_eq!(kept, Steered::Done);
            }
            Step::Hold { nth, aside } => {
                let Some(place) = self.place(nth) else { return };
                let held = broker.hold(self.ids[nth], None, aside).await.unwrap();
                match place {
                    Place::Ended(_) | Place::Running { .. } | Place::Cancelling(_) | Place::BackingOff => {
                        assert!(matches!(held, Steered::Refused(_)), "{held:?}");
                    }
                    Place::Held if !aside => self.model.put_back(nth),
                    _ if aside => self.model.set_aside(nth, Place::Held),
                    _ => {}
                }
            }
            Step::Prioritise { nth, lane } => {
                let Some(place) = self.place(nth) else { return };
                let done = broker.prioritise(self.ids[nth], lane).await.unwrap();
                if let Place::Ended(_) | Place::Running { .. } = place {
                    assert!(matches!(done, Steered::Refused(_)), "{done:?}");
                } else {
                    self.model.prioritise(nth, lane);
                }
            }
            Step::Move { nth, place } => {
                let Some(_) = self.place(nth) else { return };
                let moved = broker.move_to(self.ids[nth], None, u32::try_from(place).unwrap()).await.unwrap();
                assert_eq!(moved == Steered::Done, self.model.move_to(nth, place));
            }
            Step::SetMode(mode) => {
                broker.configure(None, &[("mode", mode.word())]).await.unwrap();
                self.model.set_mode(mode);
            }
            Step::Pause(on) => {
                broker.configure(None, &[("paused", if on { "1" } else { "0" })]).await.unwrap();
                self.model.paused = on;
            }
            Step::Cap { who, cap } => {
                let whose = who.map(|who| &self.people[who]);
                broker.configure(whose, &[("running_per_participant", &cap.to_string())]).await.unwrap();
                self.model.set_cap(who, cap);
            }
            Step::Drain { worker, on } => {
                let order = if on { WorkerOrder::Drain } else { WorkerOrder::Resume };
                let done = broker.order_worker(&self.workers[worker], order).await.unwrap();
                assert_eq!(done == Ordered::Done, self.seen[worker]);
                if self.seen[worker] {
                    self.draining[worker] = on;
                    self.model.presence(worker, !on);
                }
            }
            Step::Wait => {
                self.clock += WAIT;
                self.reap(None).await;
            }
            Step::LetLeasesEnd { vanishes } => {
                for _ in 0..8 {
                    self.clock += REAP_STEP;
                    self.reap(vanishes).await;
                }
                if let Some(worker) = vanishes {
                    self.model.presence(worker, false);
                }
            }
        }
    }

    async fn claim(&mut self, broker: &Broker, worker: usize) {
        let name = self.workers[worker].clone();
        self.seen[worker] = true;
        if !self.draining[worker] {
            // Told apart from the claim, because arriving changes what is on hold.
            here(broker, &name, KINDS[worker]).await;
            self.model.presence(worker, true);
        }
        for (job, till) in self.model.jobs.iter_mut().zip(&self.avoid_till) {
            job.avoid = job.avoid.filter(|_| self.clock < *till);
        }
        let claimed = claim_as(broker, &name, KINDS[worker], Forgotten::No).await;
        if let Some(held) = self.held[worker] {
            assert!(
                matches!(claimed, Claimed::Lent(lent) if lent.job == held.job && lent.token == held.token)
            );
            let nth = self.nth_of(held.job);
            self.due[nth] = self.clock + LEASE;
            return;
        }
        if self.draining[worker] {
            assert_eq!(claimed, Claimed::Draining);
            return;
        }
        let peeked = self.model.next(worker).map(|(_, nth)| nth);
        match (claimed, self.model.claim(worker)) {
            (Claimed::Lent(lent), Some(nth)) => {
                assert_eq!(Some(nth), peeked);
                assert_eq!(self.nth_of(lent.job), nth, "whose turn it is in {:?}", self.model.mode());
                assert!(Some(lent.token) > self.last_token, "tokens only grow");
                self.last_token = Some(lent.token);
                let held = HeldLease { job: lent.job, token: lent.token };
                self.held[worker] = Some(held);
                self.due[nth] = self.clock + LEASE;
                // All workers but one get as far as to say that they have it.
                let said = worker == 1 || broker.renew(&name, held, LEASE).await.unwrap() == Renewed::Renewed;
                assert!(said);
            }
            (Claimed::Idle, None) => {}
            (claimed, expected) => panic!("claimed {claimed:?}, the model expects {expected:?}"),
        }
    }

    async fn fail(&mut self, broker: &Broker, worker: usize, kind: FailureKind) {
        let Some(held) = self.held[worker].take() else { return };
        let nth = self.nth_of(held.job);
        let stopping = matches!(self.place(nth), Some(Place::Running { stopping: true, .. }));
        broker.fail(&self.workers[worker], held, kind, &nothing()).await.unwrap();
        if kind == FailureKind::ComfyuiLost && !stopping {
            self.model.crash(nth, self.took(nth).await, true);
            self.avoid_till[nth] = self.clock + Duration::from_secs(60);
            return;
        }
        self.model.jobs[nth].failures += u32::from(kind == FailureKind::Run && !stopping);
        if kind == FailureKind::Run && !stopping && self.model.jobs[nth].failures < self.model.attempts_run {
            self.model.give_back(nth, true);
            if self.place(nth) == Some(Place::BackingOff) {
                self.due[nth] = self.clock + Duration::from_secs(5);
            }
            return;
        }
        let cancelled = stopping || kind == FailureKind::Interrupted;
        let state = if cancelled { JobState::Cancelled } else { JobState::Failed };
        self.model.end(nth, state, self.took(nth).await);
    }

    async fn cancel(&mut self, broker: &Broker, nth: usize, delayed: bool) {
        let Some(place) = self.place(nth) else { return };
        let who = &self.people[self.model.jobs[nth].who];
        let after = if delayed { DELAY } else { AT_ONCE };
        let answer = broker.cancel(self.ids[nth], Some(who), after).await.unwrap();
        match place {
            Place::Ended(state) => assert_eq!(answer, Cancelled::Ended(state)),
            Place::Running { stopping: true, .. } => assert_eq!(answer, Cancelled::Stopping),
            Place::Running { worker, cancelling, .. } if !delayed => {
                assert_eq!(answer, Cancelled::Stopping);
                self.model.jobs[nth].place = Place::Running { worker, stopping: true, cancelling };
            }
            Place::Running { worker, cancelling, stopping } => {
                assert_eq!(answer, Cancelled::Delayed);
                self.model.jobs[nth].place = Place::Running { worker, stopping, cancelling: true };
                if !cancelling {
                    self.cancel_due(nth);
                }
            }
            Place::Cancelling(_) if delayed => assert_eq!(answer, Cancelled::Delayed),
            _ if delayed => {
                assert_eq!(answer, Cancelled::Delayed);
                self.model.set_aside(nth, Place::Cancelling(place == Place::Held));
                self.cancel_due(nth);
            }
            _ => {
                assert_eq!(answer, Cancelled::Cancelled);
                self.model.end(nth, JobState::Cancelled, 0);
            }
        }
    }

    fn cancel_due(&mut self, nth: usize) {
        // A running job has two ends in view; the one of its lease is read from the answer of the reaper.
        if !matches!(self.place(nth), Some(Place::Running { .. })) {
            self.due[nth] = self.clock + DELAY;
        }
    }

    /// Everyone but `silent` is heard of, then time does what is due, in the order the reaper says.
    async fn reap(&mut self, silent: Option<usize>) {
        for worker in self.model.here.clone() {
            if Some(worker) != silent {
                heard_of(&self.now(), &self.workers[worker], &[]).await;
            }
        }
        let (taken_back, due) = loop {
            match self.now().reap(LEASE).await.unwrap() {
                Reaped::Did { taken_back, due } => break (taken_back, due),
                // The machine that runs this stood still for a moment, which is an outage like any other.
                Reaped::Moved(gap_ms) => self.leases_moved(Duration::from_millis(gap_ms)),
            }
        };
        let over = |world: &Self, nth: usize| world.due[nth] < world.clock;
        for (id, state) in taken_back {
            let nth = self.nth_of(id);
            let Some(Place::Running { worker, .. }) = self.place(nth) else { panic!("{id} did not run") };
            assert!(over(self, nth), "a lease that had not ended");
            self.held[worker] = None;
            self.model.crash(nth, self.took(nth).await, worker != 1);
            if worker != 1 {
                self.avoid_till[nth] = self.clock + Duration::from_secs(60);
            }
            let now = match self.place(nth) {
                Some(Place::Ended(state)) => state,
                _ => JobState::Pending,
            };
            assert_eq!(now, state);
            if let Some(Place::Cancelling(_)) = self.place(nth) {
                self.due[nth] = Duration::MAX;
            }
        }
        for id in due {
            let nth = self.nth_of(id);
            match self.place(nth) {
                Some(Place::BackingOff) => {
                    assert!(over(self, nth));
                    self.model.back_from_later(nth);
                }
                Some(Place::Cancelling(_)) => self.model.end(nth, JobState::Cancelled, 0),
                Some(Place::Running { worker, stopping, cancelling: true }) => {
                    let _ = stopping;
                    self.model.jobs[nth].place = Place::Running { worker, stopping: true, cancelling: true };
                }
                other => panic!("{id} is due in {other:?}"),
            }
        }
        let waits = |place| matches!(place, Some(Place::Running { .. } | Place::BackingOff));
        for nth in 0..self.ids.len() {
            assert!(!(waits(self.place(nth)) && over(self, nth)), "the reaper forgot one");
        }
    }

    fn leases_moved(&mut self, gap: Duration) {
        for nth in 0..self.ids.len() {
            if matches!(self.place(nth), Some(Place::Running { .. })) {
                self.due[nth] += gap;
            }
        }
    }
}
