//! Cancel: only one's own, and it is never overwritten.

use queue_broker::transitions::cancel::Cancelled;
use queue_broker::transitions::claim::{Claimed, Forgotten};
use queue_broker::transitions::finish::Settled;
use queue_broker::transitions::reap::Reaped;
use queue_broker::transitions::renew::Renewed;
use queue_protocol::{FailureKind, JobState, Reason};
use std::time::Duration;

use crate::redis_server::fresh_workshop;
use crate::workshop::{AT_ONCE, LEASE, claim, claim_as, gpu, held, lent, nothing, person, submit};

#[tokio::test]
async fn a_waiting_job_is_cancelled_at_once_and_never_claimed() {
    let broker = fresh_workshop().await;
    let ada = person("ada");
    let job = submit(&broker, &ada).await;
    assert_eq!(broker.cancel(job, Some(&ada), AT_ONCE).await.unwrap(), Cancelled::Cancelled);
    assert_eq!(broker.cancel(job, Some(&ada), AT_ONCE).await.unwrap(), Cancelled::Ended(JobState::Cancelled));
    assert_eq!(claim(&broker, &gpu("gpu-1")).await, Claimed::Idle);
}

#[tokio::test]
async fn nobody_cancels_anybody_elses_job() {
    let broker = fresh_workshop().await;
    let job = submit(&broker, &person("ada")).await;
    assert_eq!(broker.cancel(job, Some(&person("ben")), AT_ONCE).await.unwrap(), Cancelled::Unknown);
    assert_eq!(broker.cancel(job, None, AT_ONCE).await.unwrap(), Cancelled::Cancelled, "the instructor may");
}

#[tokio::test]
async fn a_running_job_is_stopping_until_its_worker_says_so() {
    let broker = fresh_workshop().await;
    let ada = person("ada");
    let job = submit(&broker, &ada).await;
    let claimed = lent(&broker, &gpu("gpu-1")).await;
    assert_eq!(broker.cancel(job, Some(&ada), AT_ONCE).await.unwrap(), Cancelled::Stopping);
    let stored = broker.job(job).await.unwrap().unwrap();
    assert_eq!((stored.state, stored.reason), (JobState::Running, Some(Reason::Stopping)));
    assert_eq!(broker.renew(&gpu("gpu-1"), held(&claimed), LEASE).await.unwrap(), Renewed::Stopping);
    let settled =
        broker.fail(&gpu("gpu-1"), held(&claimed), FailureKind::Interrupted, &nothing()).await.unwrap();
    assert_eq!(settled, Settled::Ended(JobState::Cancelled));
}

#[tokio::test]
async fn a_stopping_job_whose_worker_dies_ends_cancelled_and_does_not_run_again() {
    let broker = fresh_workshop().await;
    let ada = person("ada");
    let job = submit(&broker, &ada).await;
    lent(&broker, &gpu("gpu-1")).await;
    broker.cancel(job, Some(&ada), AT_ONCE).await.unwrap();
    let mut taken = Vec::new();
    for second in 0..=LEASE.as_secs() + 1 {
        if let Reaped::Did { taken_back: jobs, .. } =
            broker.at_clock_offset(Duration::from_secs(second)).reap(LEASE).await.unwrap()
        {
            taken.extend(jobs);
        }
    }
    assert_eq!(taken, [(job, JobState::Cancelled)]);
    assert_eq!(claim(&broker, &gpu("gpu-2")).await, Claimed::Idle);
}

#[tokio::test]
async fn a_stopping_job_whose_worker_restarts_once_too_often_ends_cancelled_and_not_parked() {
    let broker = fresh_workshop().await;
    let ada = person("ada");
    let job = submit(&broker, &ada).await;
    let worker = gpu("gpu-1");
    let claimed = lent(&broker, &worker).await;
    broker.renew(&worker, held(&claimed), LEASE).await.unwrap();
    broker.cancel(job, Some(&ada), AT_ONCE).await.unwrap();
    for _ in 0..2 {
        let again = claim_as(&broker, &worker, &[1], Forgotten::Yes).await;
        assert!(matches!(again, Claimed::Lent(lent) if lent.job == job), "to stop what may still run there");
    }
    assert_eq!(claim_as(&broker, &worker, &[1], Forgotten::Yes).await, Claimed::Idle);
    let ended = broker.job(job).await.unwrap().unwrap();
    assert_eq!((ended.state, ended.reason), (JobState::Cancelled, None));
    assert_eq!(broker.recount().await.unwrap(), Vec::<String>::new());
}
