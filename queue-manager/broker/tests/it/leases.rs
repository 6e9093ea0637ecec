//! Leases: who holds what, and for how long.

use std::time::Duration;

use queue_broker::transitions::claim::Claimed;
use queue_broker::transitions::finish::Settled;
use queue_broker::transitions::reap::Reaped;
use queue_broker::transitions::renew::Renewed;
use queue_protocol::link::HeldLease;
use queue_protocol::{JobState, LeaseToken, Reason};

use crate::redis_server::fresh_workshop;
use crate::workshop::{LEASE, Pinned, claim, gpu, held, lent, nothing, person, submit};

const SECOND: Duration = Duration::from_secs(1);

/// Reaps once a second up to `until`, as the janitor does: a longer gap would count as an outage.
async fn reap_until(workshop: &Pinned, until: Duration) -> Vec<(queue_protocol::JobId, JobState)> {
    let mut taken = Vec::new();
    for second in 0..=until.as_secs() {
        let at = workshop.at(Duration::from_secs(second));
        match at.reap(LEASE).await.unwrap() {
            Reaped::Did { taken_back: jobs, .. } => taken.extend(jobs),
            Reaped::Moved(gap) => panic!("no outage of {gap} ms happened"),
        }
    }
    taken
}

#[tokio::test]
async fn a_lease_that_ended_puts_the_job_back_at_the_head_of_its_line() {
    let workshop = Pinned::of(fresh_workshop().await);
    let ada = person("ada");
    let first = submit(&workshop.at(Duration::ZERO), &ada).await;
    submit(&workshop.at(Duration::ZERO), &ada).await;
    lent(&workshop.at(Duration::ZERO), &gpu("gpu-1")).await;
    assert_eq!(reap_until(&workshop, 29 * SECOND).await, []);
    let later = workshop.at(LEASE + SECOND);
    assert_eq!(
        later.reap(LEASE).await.unwrap(),
        Reaped::Did { taken_back: vec![(first, JobState::Pending)], due: vec![] }
    );
    let job = later.job(first).await.unwrap().unwrap();
    assert_eq!((job.state, job.reason), (JobState::Pending, Some(Reason::WorkerLost)));
    assert!(!job.shows_files(), "files of the lost attempt vanish");
    let again = match claim(&later, &gpu("gpu-2")).await {
        Claimed::Lent(lent) => lent,
        other => panic!("{other:?}"),
    };
    assert_eq!((again.job, again.attempt), (first, 2));
}

#[tokio::test]
async fn a_renewed_lease_goes_on() {
    let workshop = Pinned::of(fresh_workshop().await);
    submit(&workshop.at(Duration::ZERO), &person("ada")).await;
    let claimed = lent(&workshop.at(Duration::ZERO), &gpu("gpu-1")).await;
    reap_until(&workshop, 20 * SECOND).await;
    let later = workshop.at(20 * SECOND);
    assert_eq!(later.renew(&gpu("gpu-1"), held(&claimed), LEASE).await.unwrap(), Renewed::Renewed);
    for second in 21..=49 {
        let at = workshop.at(second * SECOND);
        assert_eq!(at.reap(LEASE).await.unwrap(), Reaped::Did { taken_back: vec![], due: vec![] });
    }
}

#[tokio::test]
async fn an_outage_of_twice_the_lease_takes_no_job_from_a_healthy_worker() {
    let broker = fresh_workshop().await;
    submit(&broker, &person("ada")).await;
    let claimed = lent(&broker, &gpu("gpu-1")).await;
    broker.reap(LEASE).await.unwrap();
    let after = broker.at_clock_offset(2 * LEASE);
    assert!(matches!(after.reap(LEASE).await.unwrap(), Reaped::Moved(gap) if gap >= 60_000));
    assert_eq!(after.renew(&gpu("gpu-1"), held(&claimed), LEASE).await.unwrap(), Renewed::Renewed);
    assert_eq!(after.reap(LEASE).await.unwrap(), Reaped::Did { taken_back: vec![], due: vec![] });
}

#[tokio::test]
async fn an_old_token_or_another_worker_changes_nothing() {
    let broker = fresh_workshop().await;
    submit(&broker, &person("ada")).await;
    let claimed = lent(&broker, &gpu("gpu-1")).await;
    let old = HeldLease { token: LeaseToken(claimed.token.0 - 1), ..held(&claimed) };
    for (worker, lease) in [(gpu("gpu-1"), old), (gpu("gpu-2"), held(&claimed))] {
        assert_eq!(broker.renew(&worker, lease, LEASE).await.unwrap(), Renewed::Lost);
        assert_eq!(broker.finish(&worker, lease, &nothing()).await.unwrap(), Settled::Lost);
        assert_eq!(broker.release(&worker, lease).await.unwrap(), Settled::Lost);
    }
    assert_eq!(broker.job(claimed.job).await.unwrap().unwrap().state, JobState::Running);
}

#[tokio::test]
async fn a_late_finish_counts_until_somebody_else_has_claimed_the_job() {
    let workshop = Pinned::of(fresh_workshop().await);
    let ada = person("ada");
    submit(&workshop.at(Duration::ZERO), &ada).await;
    let late = lent(&workshop.at(Duration::ZERO), &gpu("gpu-1")).await;
    reap_until(&workshop, LEASE + SECOND).await;
    let start = LEASE + SECOND;
    let broker = workshop.at(start);
    let settled = broker.finish(&gpu("gpu-1"), held(&late), &nothing()).await.unwrap();
    assert_eq!(settled, Settled::Ended(JobState::Completed));
    assert_eq!(broker.status().await.unwrap().queue_depth, 0);

    submit(&broker, &ada).await;
    let too_late = lent(&workshop.at(start), &gpu("gpu-1")).await;
    for second in 0..=LEASE.as_secs() + 1 {
        workshop.at(start + Duration::from_secs(second)).reap(LEASE).await.unwrap();
    }
    let broker = workshop.at(2 * start);
    let winner = lent(&broker, &gpu("gpu-2")).await;
    assert_eq!(broker.finish(&gpu("gpu-1"), held(&too_late), &nothing()).await.unwrap(), Settled::Lost);
    let settled = broker.finish(&gpu("gpu-2"), held(&winner), &nothing()).await.unwrap();
    assert_eq!(settled, Settled::Ended(JobState::Completed));
}

#[tokio::test]
async fn a_job_that_took_down_three_workers_is_parked() {
    let broker = fresh_workshop().await;
    let workshop = Pinned::of(broker.clone());
    let job = submit(&workshop.at(Duration::ZERO), &person("ada")).await;
    workshop.at(Duration::ZERO).reap(LEASE).await.unwrap();
    for round in 0..3_u32 {
        let start = (LEASE + 2 * SECOND) * round;
        let then = workshop.at(start);
        let Claimed::Lent(lent) = claim(&then, &gpu("gpu-1")).await else { panic!("round {round}") };
        assert_eq!(then.renew(&gpu("gpu-1"), held(&lent), LEASE).await.unwrap(), Renewed::Renewed);
        for second in 0..=LEASE.as_secs() + 1 {
            workshop.at(start + Duration::from_secs(second)).reap(LEASE).await.unwrap();
        }
    }
    let parked = broker.job(job).await.unwrap().unwrap();
    assert_eq!((parked.state, parked.reason), (JobState::Failed, Some(Reason::Parked)));
    let error = broker.result(job).await.unwrap().unwrap().error.unwrap();
    assert!(error.exception_message.contains("3 times"));
}

#[tokio::test]
async fn a_job_that_never_reached_its_worker_is_not_to_blame_for_the_lost_link() {
    let broker = fresh_workshop().await;
    let workshop = Pinned::of(broker.clone());
    let job = submit(&workshop.at(Duration::ZERO), &person("ada")).await;
    workshop.at(Duration::ZERO).reap(LEASE).await.unwrap();
    for round in 0..10_u32 {
        let start = (LEASE + 2 * SECOND) * round;
        let claimed = claim(&workshop.at(start), &gpu("gpu-1")).await;
        assert!(matches!(claimed, Claimed::Lent(_)), "round {round}");
        for second in 0..=LEASE.as_secs() + 1 {
            workshop.at(start + Duration::from_secs(second)).reap(LEASE).await.unwrap();
        }
        let now = broker.job(job).await.unwrap().unwrap();
        let wanted = if round < 9 { JobState::Pending } else { JobState::Failed };
        assert_eq!(now.state, wanted, "round {round}: what kills every link before a word is parked at last");
    }
}

#[tokio::test]
async fn what_was_renewed_or_lent_before_the_first_look_after_an_outage_ends_one_lease_later() {
    let broker = fresh_workshop().await;
    let (ada, ben) = (person("ada"), person("ben"));
    let adas = submit(&broker, &ada).await;
    let renewed = lent(&broker, &gpu("gpu-1")).await;
    broker.reap(LEASE).await.unwrap();
    let after = broker.at_clock_offset(2 * LEASE);
    let bens = submit(&after, &ben).await;
    assert_eq!(after.renew(&gpu("gpu-1"), held(&renewed), LEASE).await.unwrap(), Renewed::Renewed);
    assert_eq!(lent(&after, &gpu("gpu-2")).await.job, bens);
    assert!(matches!(after.reap(LEASE).await.unwrap(), Reaped::Moved(_)));
    let now = broker.now_ms().await.unwrap() + 2 * u64::try_from(LEASE.as_millis()).unwrap();
    let heard = broker.worker_list().await.unwrap().into_iter().all(|worker| worker.seen_at <= now);
    assert!(heard, "nobody is heard of at a time that is to come");
    let mut taken = Vec::new();
    for second in 1..=LEASE.as_secs() + 1 {
        let at = broker.at_clock_offset(2 * LEASE + Duration::from_secs(second));
        let Reaped::Did { taken_back, .. } = at.reap(LEASE).await.unwrap() else { panic!("an outage") };
        taken.extend(taken_back.into_iter().map(|(job, _)| job));
    }
    taken.sort();
    let mut both = [adas, bens];
    both.sort();
    assert_eq!(taken, both);
}
