//! When a job will start: a range that holds, or nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use queue_broker::Broker;
use queue_broker::transitions::claim::{Claimed, Forgotten, Lent};
use queue_protocol::{JobId, Mode};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::redis_server::fresh_workshop;
use crate::workshop::{AT_ONCE, Submit, claim_as, gpu, held, here, nothing, person, submit};

#[tokio::test]
async fn before_three_jobs_have_ended_nothing_is_promised() {
    let broker = fresh_workshop().await;
    let worker = gpu("gpu-1");
    let (ada, ben) = (person("ada"), person("ben"));
    for ended in 0..4 {
        here(&broker, &worker, &[1]).await;
        submit(&broker, &ada).await;
        let second = submit(&broker, &ben).await;
        let prospect = broker.outlook(&[second]).await.unwrap().jobs[0];
        let place = prospect.place.unwrap();
        assert_eq!((place.position, place.people_ahead), (2, 1));
        assert_eq!(
            (place.starts_in.is_some(), prospect.usual.is_some()),
            (ended >= 3, ended >= 3),
            "after {ended}"
        );
        broker.cancel(second, None, AT_ONCE).await.unwrap();
        let Claimed::Lent(lent) = claim_as(&broker, &worker, &[1], Forgotten::No).await else {
            panic!("a job")
        };
        broker.finish(&worker, held(&lent), &nothing()).await.unwrap();
    }
}

/// A workshop in time of its own: two GPUs, twenty people, jobs of three lengths that vary.
struct Room {
    broker: Broker,
    clock: Duration,
    began: Instant,
    random: StdRng,
    busy: BTreeMap<String, (Duration, Lent)>,
    promised: BTreeMap<JobId, (Duration, Duration)>,
    kept: usize,
    broken: usize,
}

impl Room {
    fn now(&self) -> Broker {
        self.broker.at_clock_offset(self.clock.saturating_sub(self.began.elapsed()))
    }

    async fn submit(&mut self, who: usize) {
        let (who, class) = (person(&format!("user{who:03}")), 1 + u8::try_from(who % 3).unwrap());
        let job = Submit { needs: class, ..Submit::of(&who) };
        job.to(&self.now()).await;
        if let Some((soonest, latest)) =
            self.now().outlook(&[job.id]).await.unwrap().jobs[0].place.and_then(|place| place.starts_in)
        {
            self.promised.insert(job.id, (self.clock + soonest, self.clock + latest));
        }
    }

    async fn claim(&mut self) {
        for name in ["gpu-1", "gpu-2"] {
            if self.busy.contains_key(name) {
                continue;
            }
            let claimed = claim_as(&self.now(), &gpu(name), &[1, 2, 3], Forgotten::No).await;
            let Claimed::Lent(lent) = claimed else { continue };
            if let Some((soonest, latest)) = self.promised.remove(&lent.job) {
                let within = soonest <= self.clock && self.clock <= latest;
                *(if within { &mut self.kept } else { &mut self.broken }) += 1;
            }
            let who: usize = lent.participant.as_str()[4..].parse().unwrap();
            let usual = [12.0, 45.0, 150.0][who % 3];
            let length = Duration::from_secs_f64(usual * self.random.random_range(0.7..1.3));
            self.busy.insert(name.to_owned(), (self.clock + length, *lent));
        }
    }

    async fn end_next(&mut self) {
        let next = self.busy.iter().min_by_key(|(_, (ends, _))| *ends).map(|(name, _)| name.clone());
        let Some(name) = next else { return };
        let (ends, lent) = self.busy.remove(&name).unwrap();
        self.clock = ends;
        self.now().finish(&gpu(&name), held(&lent), &nothing()).await.unwrap();
    }
}

#[tokio::test]
async fn at_least_eight_of_ten_jobs_start_within_the_range_that_was_shown() {
    for mode in [Mode::Fifo, Mode::RoundRobin, Mode::Fair] {
        let broker = fresh_workshop().await;
        broker.configure(None, &[("mode", mode.word())]).await.unwrap();
        let mut room = Room {
            broker,
            clock: Duration::from_secs(1_000),
            began: Instant::now(),
            random: StdRng::seed_from_u64(7),
            busy: BTreeMap::new(),
            promised: BTreeMap::new(),
            kept: 0,
            broken: 0,
        };
        for round in 0..400 {
            // Bursts and quiet times: on average as many come as two GPUs can take.
            if round % 40 < 20 {
                for _ in 0..room.random.random_range(0..4) {
                    let who = room.random.random_range(0..20);
                    room.submit(who).await;
                }
            }
            room.claim().await;
            room.end_next().await;
        }
        let all = room.kept + room.broken;
        println!("{mode:?}: {} of {all} started within their range", room.kept);
        assert!(all > 100 && room.kept * 10 >= all * 8, "{mode:?}: {} of {all}", room.kept);
    }
}

#[tokio::test]
async fn who_asks_at_the_same_time_is_answered_by_one_reading_and_never_by_an_old_one() {
    let broker = fresh_workshop().await;
    let ada = person("ada");
    let mut ids = Vec::new();
    for place in 1..=20 {
        ids.push(submit(&broker, &ada).await);
        // Each sees its own submit, however lately somebody else asked.
        assert_eq!(broker.positions(&ids[place - 1..]).await.unwrap(), [Some(place as u64)]);
    }
    let all = futures_util::future::join_all((0..200).map(|_| broker.outlook(&ids))).await;
    let all: Vec<_> = all.into_iter().map(Result::unwrap).collect();
    for outlook in &all {
        let positions = outlook.jobs.iter().map(|job| job.place.unwrap().position);
        assert!(positions.eq(1..=20));
    }
    let moments: BTreeSet<_> = all.iter().map(|outlook| outlook.at).collect();
    assert!(moments.len() <= 3, "{} readings for 200 who asked at once", moments.len());
}
