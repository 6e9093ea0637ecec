//! Claim: who is next, and what a worker may get.

use std::collections::HashSet;

use queue_broker::transitions::claim::{Claimed, Forgotten};
use queue_protocol::{JobState, Lane, LeaseToken, Reason};

use crate::redis_server::{fresh_workshop, fresh_workshop_with_cap};
use crate::workshop::{LEASE, Submit, claim, claim_as, gpu, held, lent, nothing, person, submit};

#[tokio::test]
async fn a_claim_lends_the_oldest_job_and_starts_a_lease() {
    let broker = fresh_workshop().await;
    let (ada, ben) = (person("ada"), person("ben"));
    let oldest = submit(&broker, &ada).await;
    submit(&broker, &ben).await;
    let claimed = lent(&broker, &gpu("gpu-1")).await;
    assert_eq!((claimed.job, claimed.participant.clone(), claimed.attempt), (oldest, ada, 1));
    assert_eq!(claimed.body.as_deref(), Some(b"{}".as_slice()));
    assert!(broker.holds(&gpu("gpu-1"), held(&claimed)).await.unwrap().is_some());
    assert!(broker.holds(&gpu("gpu-2"), held(&claimed)).await.unwrap().is_none());
}

#[tokio::test]
async fn the_instructors_lane_goes_first() {
    let broker = fresh_workshop().await;
    let (ada, teacher) = (person("ada"), person("teacher"));
    submit(&broker, &ada).await;
    let demo = Submit { lane: Lane::Instructor, ..Submit::of(&teacher) };
    demo.to(&broker).await;
    assert_eq!(lent(&broker, &gpu("gpu-1")).await.job, demo.id);
}

#[tokio::test]
async fn a_worker_gets_only_what_it_can_run_and_passes_over_nobody_else() {
    let broker = fresh_workshop().await;
    let (ada, ben) = (person("ada"), person("ben"));
    Submit { needs: 2, ..Submit::of(&ada) }.to(&broker).await;
    let plain = submit(&broker, &ben).await;
    let claimed = claim_as(&broker, &gpu("small"), &[1], Forgotten::No).await;
    assert!(matches!(claimed, Claimed::Lent(lent) if lent.job == plain));
    let claimed = claim_as(&broker, &gpu("large"), &[2], Forgotten::No).await;
    assert!(matches!(claimed, Claimed::Lent(lent) if lent.participant == ada));
}

#[tokio::test]
async fn a_worker_has_one_job_and_gets_the_same_again_until_it_ends() {
    let broker = fresh_workshop().await;
    let (ada, ben) = (person("ada"), person("ben"));
    submit(&broker, &ada).await;
    submit(&broker, &ben).await;
    let first = lent(&broker, &gpu("gpu-1")).await;
    let again = lent(&broker, &gpu("gpu-1")).await;
    assert_eq!(held(&first), held(&again));
    assert_eq!(again.attempt, 1);
    broker.finish(&gpu("gpu-1"), held(&first), &nothing()).await.unwrap();
    assert_ne!(lent(&broker, &gpu("gpu-1")).await.job, first.job);
}

#[tokio::test]
async fn a_person_at_the_running_cap_leaves_the_turns_until_a_lease_ends() {
    let broker = fresh_workshop().await;
    let (ada, ben) = (person("ada"), person("ben"));
    submit(&broker, &ada).await;
    let second = submit(&broker, &ada).await;
    let bens = submit(&broker, &ben).await;
    let first = lent(&broker, &gpu("gpu-1")).await;
    assert_eq!(lent(&broker, &gpu("gpu-2")).await.job, bens, "ada has one running already");
    assert_eq!(claim(&broker, &gpu("gpu-3")).await, Claimed::Idle);
    broker.finish(&gpu("gpu-1"), held(&first), &nothing()).await.unwrap();
    assert_eq!(lent(&broker, &gpu("gpu-3")).await.job, second);
}

#[tokio::test]
async fn tokens_grow_with_every_claim_of_any_job() {
    let broker = fresh_workshop().await;
    let ada = person("ada");
    let mut last = LeaseToken(0);
    for _ in 0..20 {
        submit(&broker, &ada).await;
        let claimed = lent(&broker, &gpu("gpu-1")).await;
        assert!(claimed.token > last);
        last = claimed.token;
        broker.finish(&gpu("gpu-1"), held(&claimed), &nothing()).await.unwrap();
    }
}

#[tokio::test]
async fn three_workers_at_once_under_twenty_submitters_share_every_job_once() {
    let broker = fresh_workshop().await;
    let people: Vec<_> = (1..=20).map(|n| person(&format!("user{n:03}"))).collect();
    let mut submitted = HashSet::new();
    let all = people.iter().flat_map(|who| std::iter::repeat_n(who, 10));
    for id in futures_util::future::join_all(all.map(|who| submit(&broker, who))).await {
        submitted.insert(id);
    }
    let workers = ["gpu-1", "gpu-2", "gpu-3"].map(gpu);
    let runs = workers.iter().map(async |worker| {
        let mut ran = Vec::new();
        while let Claimed::Lent(lent) = claim(&broker, worker).await {
            broker.finish(worker, held(&lent), &nothing()).await.unwrap();
            ran.push(lent.job);
        }
        ran
    });
    let ran: Vec<_> = futures_util::future::join_all(runs).await.concat();
    assert_eq!(ran.len(), 200);
    assert_eq!(ran.into_iter().collect::<HashSet<_>>(), submitted);
    let status = broker.status().await.unwrap();
    assert_eq!((status.completed_jobs, status.queue_depth), (200, 0));
    for id in submitted {
        assert_eq!(broker.job(id).await.unwrap().unwrap().state, JobState::Completed);
    }
}

#[tokio::test]
async fn a_job_whose_worker_restarts_under_it_three_times_is_parked_and_the_next_one_runs() {
    let broker = fresh_workshop().await;
    let poison = submit(&broker, &person("ada")).await;
    let next = submit(&broker, &person("ben")).await;
    let worker = gpu("gpu-1");
    let first = lent(&broker, &worker).await;
    assert_eq!(first.job, poison);
    broker.renew(&worker, held(&first), LEASE).await.unwrap();
    let mut got = Vec::new();
    for _ in 0..3 {
        let claimed = claim_as(&broker, &worker, &[1], Forgotten::Yes).await;
        let Claimed::Lent(lent) = claimed else { panic!("a job") };
        got.push(lent.job);
    }
    assert_eq!(got, [poison, poison, next]);
    let job = broker.job(poison).await.unwrap().unwrap();
    assert_eq!((job.state, job.reason), (JobState::Failed, Some(Reason::Parked)));
}

#[tokio::test]
async fn three_workers_at_once_take_exact_rounds_in_round_robin() {
    // Nobody reaches the running cap, so everyone waits all the time and every twenty claims are one round.
    let broker = fresh_workshop_with_cap(3).await;
    broker.configure(None, &[("mode", "round_robin")]).await.unwrap();
    let people: Vec<_> = (1..=20).map(|n| person(&format!("user{n:03}"))).collect();
    let all = people.iter().flat_map(|who| std::iter::repeat_n(who, 12));
    futures_util::future::join_all(all.map(|who| submit(&broker, who))).await;
    let workers = ["gpu-1", "gpu-2", "gpu-3"].map(gpu);
    let runs = workers.iter().map(async |worker| {
        let mut ran = Vec::new();
        while let Claimed::Lent(lent) = claim(&broker, worker).await {
            broker.finish(worker, held(&lent), &nothing()).await.unwrap();
            ran.push((lent.token, lent.participant));
        }
        ran
    });
    // Tokens grow with every claim, so they tell the order among workers.
    let mut claims = futures_util::future::join_all(runs).await.concat();
    claims.sort();
    assert_eq!(claims.len(), 240);
    for round in claims.chunks(20) {
        let served: HashSet<_> = round.iter().map(|(_, who)| who).collect();
        assert_eq!(served.len(), 20, "somebody was served twice in a round");
    }
}
