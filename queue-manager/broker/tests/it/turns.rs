//! What is promised about turns: rooms played in the model for many rounds, and the two that sank earlier drafts on the
//! scripts as well.

use std::collections::BTreeMap;

use queue_broker::transitions::claim::{Claimed, Forgotten};
use queue_protocol::{JobState, Lane, Mode};

use crate::model::Model;
use crate::redis_server::fresh_workshop;
use crate::workshop::{Submit, claim_as, gpu, held, lent, nothing, person, submit};

/// A GPU room in the model's own time: jobs of given lengths, workers that are never idle while one could work.
struct Room {
    model: Model,
    /// ms since the beginning, and until when each worker is busy with which job.
    now: i64,
    busy: Vec<Option<(i64, usize)>>,
    length: Box<dyn Fn(usize) -> i64>,
    /// Every claim so far: who.
    claims: Vec<usize>,
    gpu_ms: BTreeMap<usize, i64>,
}

impl Room {
    fn new(mode: Mode, cap: usize, kinds: &[&[u8]], length: impl Fn(usize) -> i64 + 'static) -> Self {
        let mut model = Model::new(mode, cap, 1, kinds);
        (0..kinds.len()).for_each(|worker| model.presence(worker, true));
        let busy = vec![None; kinds.len()];
        Self { model, now: 0, busy, length: Box::new(length), claims: Vec::new(), gpu_ms: BTreeMap::new() }
    }

    fn submit(&mut self, who: usize, class: u8) {
        self.model.submit(who, Lane::Normal, class, false);
    }

    /// Idle workers claim; returns whether all of them got something.
    fn claim(&mut self) -> bool {
        for worker in 0..self.busy.len() {
            if self.busy[worker].is_none()
                && let Some(job) = self.model.claim(worker)
            {
                let who = self.model.jobs[job].who;
                self.claims.push(who);
                self.busy[worker] = Some((self.now + (self.length)(who), job));
            }
        }
        self.busy.iter().all(Option::is_some)
    }

    /// The next job ends; answers whose it was.
    fn end_next(&mut self) -> usize {
        let soonest = self.busy.iter().flatten().copied().min().unwrap();
        let worker = self.busy.iter().position(|busy| *busy == Some(soonest)).unwrap();
        self.busy[worker] = None;
        let who = self.model.jobs[soonest.1].who;
        let took = (self.length)(who);
        self.now = soonest.0;
        *self.gpu_ms.entry(who).or_default() += took;
        self.model.end(soonest.1, JobState::Completed, took);
        who
    }

    fn turns_of(&self, who: usize) -> usize {
        self.claims.iter().filter(|claimed| **claimed == who).count()
    }
}

#[test]
fn twelve_people_who_need_one_gpu_and_eight_who_need_another_keep_both_busy() {
    for mode in Mode::ALL {
        let mut room = Room::new(mode, 1, &[&[1], &[2]], |_| 1_000);
        for round in 0..40 {
            let _ = round;
            (0..12).for_each(|who| room.submit(who, 1));
            (12..20).for_each(|who| room.submit(who, 2));
        }
        for _ in 0..600 {
            assert!(room.claim(), "a GPU idles while its people wait, in {mode:?}");
            room.end_next();
        }
    }
}

#[test]
fn who_submits_one_job_at_a_time_gets_as_many_turns_as_those_with_full_lines() {
    for cap in 1..3 {
        let mut room = Room::new(Mode::RoundRobin, cap, &[&[1]], |_| 1_000);
        for who in 0..4 {
            (0..300).for_each(|_| room.submit(who, 1));
        }
        room.submit(4, 1);
        while room.claims.len() < 1_000 {
            room.claim();
            if room.end_next() == 4 {
                // Somebody else is served while the fifth person looks at the picture.
                room.claim();
                room.submit(4, 1);
            }
        }
        for who in 0..5 {
            let turns = room.turns_of(who);
            assert!((199..=201).contains(&turns), "{who} had {turns} of 1000 turns at cap {cap}");
        }
    }
}

#[test]
fn between_two_turns_of_anyone_everyone_who_waits_gets_one() {
    let mut room =
        Room::new(Mode::RoundRobin, 1, &[&[1], &[1], &[1]], |who| 700 + 130 * i64::try_from(who).unwrap());
    (0..20).for_each(|who| (0..30).for_each(|_| room.submit(who, 1)));
    while room.claims.len() < 500 {
        room.claim();
        room.end_next();
    }
    for (at, who) in room.claims.iter().enumerate() {
        let Some(next) = room.claims[at + 1..].iter().position(|other| other == who) else { continue };
        let between: std::collections::BTreeSet<_> = room.claims[at + 1..=at + next].iter().collect();
        // Two of the others may be running, and so not wait, all the time between.
        assert!(between.len() >= 17, "{who} came back after {} others", between.len());
    }
}

#[test]
fn a_newcomer_banks_no_turns_and_nobody_owes_any() {
    let mut room = Room::new(Mode::RoundRobin, 1, &[&[1]], |_| 1_000);
    (0..5).for_each(|who| (0..200).for_each(|_| room.submit(who, 1)));
    while room.claims.len() < 400 {
        room.claim();
        room.end_next();
    }
    (0..100).for_each(|_| room.submit(5, 1));
    let before = room.claims.len();
    while room.claims.len() < before + 60 {
        room.claim();
        room.end_next();
    }
    let late = room.claims[before..].iter().filter(|who| **who == 5).count();
    assert!((9..=11).contains(&late), "the newcomer had {late} of 60 turns among six people");
}

#[test]
fn fair_shares_gpu_time_and_not_turns() {
    // One person's jobs are ten times as long as the others'.
    let mut room = Room::new(Mode::Fair, 1, &[&[1]], |who| if who == 0 { 60_000 } else { 6_000 });
    (0..4).for_each(|who| (0..600).for_each(|_| room.submit(who, if who == 0 { 1 } else { 2 })));
    room.model.kinds[0].insert(2);
    room.model.presence(0, false);
    room.model.presence(0, true);
    while room.claims.len() < 700 {
        room.claim();
        room.end_next();
    }
    let used: Vec<_> = (0..4).map(|who| room.gpu_ms[&who]).collect();
    let (least, most) = (used.iter().min().unwrap(), used.iter().max().unwrap());
    assert!(most - least <= 2 * 60_000, "GPU ms of each: {used:?}");
    assert!(room.turns_of(1) > 8 * room.turns_of(0));
}

#[test]
fn a_light_user_waits_for_a_job_and_not_for_a_line() {
    let mut room = Room::new(Mode::Fair, 1, &[&[1]], |who| if who == 0 { 60_000 } else { 10_000 });
    (0..400).for_each(|_| room.submit(0, 1));
    for _ in 0..50 {
        room.claim();
        room.end_next();
    }
    room.claim();
    room.submit(1, 1);
    room.end_next();
    room.claim();
    assert_eq!(room.claims.last(), Some(&1), "after the job that runs");
}

#[test]
fn every_lane_below_the_instructors_is_served_in_the_end() {
    for mode in [Mode::Fifo, Mode::RoundRobin, Mode::Fair] {
        let mut room = Room::new(mode, 1, &[&[1]], |_| 1_000);
        room.model.submit(0, Lane::Low, 1, false);
        for _ in 0..20 {
            room.model.submit(1, Lane::High, 1, false);
            room.claim();
            room.end_next();
        }
        assert_eq!(room.turns_of(0), 1, "lanes but the instructor's are one in {mode:?}");
    }
}

/// Two GPUs that share nobody, on the scripts: each claim finds something as long as its own people wait.
#[tokio::test]
async fn two_pools_of_people_keep_both_gpus_busy_on_the_scripts() {
    for mode in Mode::ALL {
        let broker = fresh_workshop().await;
        let caps = [("waiting_per_participant", "1000"), ("waiting", "100000"), ("mode", mode.word())];
        broker.configure(None, &caps).await.unwrap();
        for who in 0..20 {
            let name = person(&format!("user{who:03}"));
            for _ in 0..10 {
                Submit { needs: if who < 12 { 1 } else { 2 }, ..Submit::of(&name) }.to(&broker).await;
            }
        }
        for _ in 0..80 {
            for (worker, classes) in [(gpu("gpu-1"), [1]), (gpu("gpu-2"), [2])] {
                let claimed = claim_as(&broker, &worker, &classes, Forgotten::No).await;
                let Claimed::Lent(lent) = claimed else { panic!("{worker} idles in {mode:?}") };
                broker.finish(&worker, held(&lent), &nothing()).await.unwrap();
            }
        }
    }
}

#[tokio::test]
async fn one_job_at_a_time_gets_equal_turns_on_the_scripts() {
    let broker = fresh_workshop().await;
    let caps = [("waiting_per_participant", "1000"), ("mode", "round_robin")];
    broker.configure(None, &caps).await.unwrap();
    let people = ["ada", "ben", "cam", "dot", "eve"].map(person);
    for who in &people[..4] {
        for _ in 0..60 {
            submit(&broker, who).await;
        }
    }
    submit(&broker, &people[4]).await;
    let mut turns = BTreeMap::new();
    for _ in 0..200 {
        let lent = lent(&broker, &gpu("gpu-1")).await;
        broker.finish(&gpu("gpu-1"), held(&lent), &nothing()).await.unwrap();
        if lent.participant == people[4] {
            submit(&broker, &people[4]).await;
        }
        *turns.entry(lent.participant).or_insert(0) += 1;
    }
    assert!(turns.values().all(|turns| (39..=41).contains(turns)), "{turns:?}");
}
