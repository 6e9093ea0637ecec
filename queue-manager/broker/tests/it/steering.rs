//! What owner and instructor do with waiting jobs, with the queue and with workers.

use std::time::Duration;

use queue_broker::Broker;
use queue_broker::transitions::cancel::Cancelled;
use queue_broker::transitions::claim::{Claimed, Forgotten};
use queue_broker::transitions::drain::{Ordered, WorkerOrder};
use queue_broker::transitions::finish::Settled;
use queue_broker::transitions::retry::Retried;
use queue_broker::transitions::steer::Steered;
use queue_broker::transitions::submit::{Full, Submitted};
use queue_protocol::{FailureKind, JobId, JobState, Lane, Reason};

use crate::redis_server::fresh_workshop;
use crate::workshop::{
    AT_ONCE, LEASE, Pinned, Submit, claim, claim_as, gpu, heard_of, held, here, kind, lent, needs, nothing,
    person, submit,
};

const TEN_SECONDS: Duration = Duration::from_secs(10);

async fn reason(broker: &Broker, id: JobId) -> Option<Reason> {
    broker.job(id).await.unwrap().unwrap().reason
}

#[tokio::test]
async fn a_delayed_cancel_holds_the_job_and_can_be_taken_back() {
    let broker = fresh_workshop().await;
    let ada = person("ada");
    let (first, second) = (submit(&broker, &ada).await, submit(&broker, &ada).await);
    assert_eq!(broker.cancel(first, Some(&ada), TEN_SECONDS).await.unwrap(), Cancelled::Delayed);
    assert_eq!(reason(&broker, first).await, Some(Reason::Cancelling));
    assert_eq!(broker.keep(first, Some(&person("ben"))).await.unwrap(), Steered::Unknown);
    assert_eq!(broker.keep(first, Some(&ada)).await.unwrap(), Steered::Done);
    assert_eq!(broker.positions(&[first, second]).await.unwrap(), [Some(1), Some(2)], "its own place again");

    broker.cancel(first, Some(&ada), TEN_SECONDS).await.unwrap();
    assert_eq!(lent(&broker, &gpu("gpu-1")).await.job, second, "held meanwhile");
    broker.reap(LEASE).await.unwrap();
    for second in 1..12 {
        broker.at_clock_offset(Duration::from_secs(second)).reap(LEASE).await.unwrap();
    }
    assert_eq!(broker.job(first).await.unwrap().unwrap().state, JobState::Cancelled);
    assert_eq!(broker.keep(first, Some(&ada)).await.unwrap(), Steered::Refused(JobState::Cancelled));
}

#[tokio::test]
async fn a_job_put_aside_lets_the_next_one_pass_and_comes_back_to_its_place() {
    let broker = fresh_workshop().await;
    let ada = person("ada");
    let (first, second) = (submit(&broker, &ada).await, submit(&broker, &ada).await);
    assert_eq!(broker.hold(first, Some(&person("ben")), true).await.unwrap(), Steered::Unknown);
    assert_eq!(broker.hold(first, Some(&ada), true).await.unwrap(), Steered::Done);
    assert_eq!(broker.positions(&[first, second]).await.unwrap(), [None, Some(1)]);
    assert_eq!(broker.hold(first, Some(&ada), false).await.unwrap(), Steered::Done);
    assert_eq!(lent(&broker, &gpu("gpu-1")).await.job, first);
    assert_eq!(broker.hold(first, None, true).await.unwrap(), Steered::Refused(JobState::Running));
}

#[tokio::test]
async fn the_instructor_sets_lanes_and_the_owner_orders_their_own_line() {
    let broker = fresh_workshop().await;
    let (ada, ben) = (person("ada"), person("ben"));
    let (first, second, third) =
        (submit(&broker, &ada).await, submit(&broker, &ada).await, submit(&broker, &ada).await);
    let bens = submit(&broker, &ben).await;
    assert_eq!(broker.move_to(third, Some(&ben), 0).await.unwrap(), Steered::Unknown);
    assert_eq!(broker.move_to(third, Some(&ada), 1).await.unwrap(), Steered::Done);
    let order = [first, third, second, bens];
    assert_eq!(broker.positions(&order).await.unwrap(), [Some(1), Some(2), Some(3), Some(4)]);
    assert_eq!(broker.prioritise(bens, Lane::Instructor).await.unwrap(), Steered::Done);
    assert_eq!(lent(&broker, &gpu("gpu-1")).await.job, bens);
    assert_eq!(broker.prioritise(bens, Lane::Low).await.unwrap(), Steered::Refused(JobState::Running));
}

#[tokio::test]
async fn a_pause_stops_claims_but_the_instructors_and_nothing_else() {
    let broker = fresh_workshop().await;
    submit(&broker, &person("ada")).await;
    let running = lent(&broker, &gpu("gpu-1")).await;
    broker.configure(None, &[("paused", "1")]).await.unwrap();
    let waiting = submit(&broker, &person("ben")).await;
    assert!(broker.status().await.unwrap().paused);
    assert_eq!(claim(&broker, &gpu("gpu-2")).await, Claimed::Idle);
    let teacher = person("teacher");
    let demo = Submit { lane: Lane::Instructor, ..Submit::of(&teacher) };
    demo.to(&broker).await;
    assert_eq!(lent(&broker, &gpu("gpu-2")).await.job, demo.id);
    let ended = broker.finish(&gpu("gpu-1"), held(&running), &nothing()).await.unwrap();
    assert_eq!(ended, Settled::Ended(JobState::Completed), "running jobs go on");
    let changed = broker.configure(None, &[("paused", "0")]).await.unwrap();
    assert_eq!((changed[0].name.as_str(), changed[0].before.as_str()), ("paused", "1"));
    assert_eq!(lent(&broker, &gpu("gpu-1")).await.job, waiting);
}

#[tokio::test]
async fn caps_count_jobs_and_bytes_of_one_person_and_of_all() {
    let broker = fresh_workshop().await;
    let (ada, ben) = (person("ada"), person("ben"));
    broker.configure(Some(&ada), &[("bytes_per_participant", "5")]).await.unwrap();
    submit(&broker, &ada).await;
    submit(&broker, &ada).await;
    let full = Submitted::Full(Full { own: true, bytes: true, used: 4 });
    assert_eq!(Submit::of(&ada).to(&broker).await, full);
    submit(&broker, &ben).await;
    broker.configure(None, &[("waiting", "3")]).await.unwrap();
    let full = Submitted::Full(Full { own: false, bytes: false, used: 3 });
    assert_eq!(Submit::of(&ben).to(&broker).await, full);
    broker.configure(None, &[("waiting", ""), ("bytes", "7")]).await.unwrap();
    let full = Submitted::Full(Full { own: false, bytes: true, used: 6 });
    assert_eq!(Submit::of(&ben).to(&broker).await, full);
    assert_eq!(broker.recount().await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn a_retry_is_a_new_job_and_the_old_one_stays() {
    let broker = fresh_workshop().await;
    let ada = person("ada");
    let job = Submit { body: b"{\"seed\":1}", ..Submit::of(&ada) };
    job.to(&broker).await;
    let new = JobId::random();
    let waiting = Retried::NotEnded(JobState::Pending);
    assert_eq!(broker.retry(job.id, Some(&ada), new).await.unwrap(), waiting);
    let claimed = lent(&broker, &gpu("gpu-1")).await;
    broker.fail(&gpu("gpu-1"), held(&claimed), FailureKind::Run, &nothing()).await.unwrap();
    assert_eq!(broker.retry(job.id, Some(&person("ben")), new).await.unwrap(), Retried::Unknown);
    let accepted = Retried::Accepted { number: 2, untaught: false };
    broker.configure(None, &[("mode", "priority")]).await.unwrap();
    assert_eq!(broker.retry(job.id, Some(&ada), new).await.unwrap(), accepted);
    assert_eq!(broker.retry(job.id, Some(&ada), new).await.unwrap(), Retried::Repeated(JobState::Pending));
    let stored = broker.job(new).await.unwrap().unwrap();
    assert_eq!((stored.retry_of, stored.attempts), (Some(job.id), 0));
    assert_eq!(broker.job(job.id).await.unwrap().unwrap().state, JobState::Failed);
    assert_eq!(lent(&broker, &gpu("gpu-1")).await.body.as_deref(), Some(job.body));
}

#[tokio::test]
async fn a_job_that_needs_keys_is_not_tried_again_without_them() {
    let broker = fresh_workshop().await;
    let ada = person("ada");
    let paid = Submit { sealed: Some(b"sealed"), needs_keys: true, ..Submit::of(&ada) };
    paid.to(&broker).await;
    let free = Submit { sealed: Some(b"sealed"), ..Submit::of(&ada) };
    free.to(&broker).await;
    let new = JobId::random();
    let waiting = Retried::NotEnded(JobState::Pending);
    assert_eq!(broker.retry(paid.id, Some(&ada), new).await.unwrap(), waiting);
    broker.cancel(paid.id, None, AT_ONCE).await.unwrap();
    for owner in [Some(&ada), None] {
        assert_eq!(broker.retry(paid.id, owner, new).await.unwrap(), Retried::NeedsKeys);
    }
    assert_eq!(broker.job(new).await.unwrap(), None);
    broker.cancel(free.id, None, AT_ONCE).await.unwrap();
    let again = broker.retry(free.id, Some(&ada), new).await.unwrap();
    assert!(matches!(again, Retried::Accepted { .. }), "none of its nodes asks for one: {again:?}");
}

#[tokio::test]
async fn a_draining_worker_finishes_what_it_has_and_gets_no_more() {
    let broker = fresh_workshop().await;
    let worker = gpu("gpu-1");
    assert_eq!(broker.order_worker(&worker, WorkerOrder::Drain).await.unwrap(), Ordered::Unknown);
    submit(&broker, &person("ada")).await;
    let next = submit(&broker, &person("ben")).await;
    let running = lent(&broker, &worker).await;
    assert_eq!(broker.order_worker(&worker, WorkerOrder::Drain).await.unwrap(), Ordered::Done);
    let busy = Ordered::Busy(running.job);
    assert_eq!(broker.order_worker(&worker, WorkerOrder::Forget).await.unwrap(), busy);
    broker.finish(&worker, held(&running), &nothing()).await.unwrap();
    assert_eq!(claim(&broker, &worker).await, Claimed::Draining);
    broker.order_worker(&worker, WorkerOrder::Resume).await.unwrap();
    assert_eq!(lent(&broker, &worker).await.job, next);
}

#[tokio::test]
async fn what_nobody_here_can_run_is_on_hold_and_blocks_nobody() {
    let broker = fresh_workshop().await;
    let (ada, small, large) = (person("ada"), gpu("small"), gpu("large"));
    here(&broker, &small, &[1]).await;
    let film = Submit { needs: 2, ..Submit::of(&ada) };
    assert_eq!(film.to(&broker).await, Submitted::Accepted { number: 1, untaught: true });
    let picture = submit(&broker, &ada).await;
    let claimed = claim_as(&broker, &small, &[1], Forgotten::No).await;
    assert!(matches!(claimed, Claimed::Lent(lent) if lent.job == picture), "passed its owner's film");
    assert_eq!(reason(&broker, film.id).await, Some(Reason::OnHold));
    assert_eq!(broker.positions(&[film.id]).await.unwrap(), [None]);

    here(&broker, &large, &[2]).await;
    assert_eq!(reason(&broker, film.id).await, None, "somebody came who can");
    broker.order_worker(&large, WorkerOrder::Drain).await.unwrap();
    assert_eq!(reason(&broker, film.id).await, Some(Reason::OnHold));
    broker.order_worker(&large, WorkerOrder::Resume).await.unwrap();
    broker.configure(Some(&ada), &[("running_per_participant", "2")]).await.unwrap();
    let claimed = claim_as(&broker, &large, &[2], Forgotten::No).await;
    assert!(matches!(claimed, Claimed::Lent(lent) if lent.job == film.id));
}

#[tokio::test]
async fn a_worker_that_is_silent_for_a_minute_is_gone() {
    let broker = fresh_workshop().await;
    let workshop = Pinned::of(broker.clone());
    here(&workshop.at(Duration::ZERO), &gpu("small"), &[1]).await;
    here(&workshop.at(Duration::ZERO), &gpu("large"), &[1, 2]).await;
    let ada = person("ada");
    let film = Submit { needs: 2, ..Submit::of(&ada) };
    film.to(&workshop.at(Duration::ZERO)).await;
    broker.teach(&kind(&[1]), &[(needs(2).id, false)]).await.unwrap();
    for second in (0..70).step_by(7) {
        let then = workshop.at(Duration::from_secs(second));
        heard_of(&then, &gpu("small"), &[]).await;
        then.reap(LEASE).await.unwrap();
        let expected = (second > 60).then_some(Reason::OnHold);
        assert_eq!(reason(&broker, film.id).await, expected, "after {second} s");
    }
}

#[tokio::test]
async fn a_job_that_went_down_with_a_worker_goes_to_another_one() {
    let broker = fresh_workshop().await;
    let poison = submit(&broker, &person("ada")).await;
    let claimed = lent(&broker, &gpu("gpu-1")).await;
    let next = submit(&broker, &person("ben")).await;
    claim_as(&broker, &gpu("gpu-3"), &[3], Forgotten::No).await;
    here(&broker, &gpu("gpu-2"), &[1, 2, 3]).await;
    let again = broker.fail(&gpu("gpu-1"), held(&claimed), FailureKind::ComfyuiLost, &nothing()).await;
    assert_eq!(again.unwrap(), Settled::Again);
    assert_eq!(lent(&broker, &gpu("gpu-1")).await.job, next);
    assert_eq!(lent(&broker, &gpu("gpu-2")).await.job, poison);
}

#[tokio::test]
async fn a_failed_run_is_tried_again_after_a_wait_where_that_is_configured() {
    let broker = fresh_workshop().await;
    broker.configure(None, &[("attempts_out_of_memory", "3"), ("backoff_ms", "2000")]).await.unwrap();
    let workshop = Pinned::of(broker.clone());
    let job = submit(&workshop.at(Duration::ZERO), &person("ada")).await;
    let (worker, mut clock) = (gpu("gpu-1"), Duration::ZERO);
    workshop.at(clock).reap(LEASE).await.unwrap();
    for wait in [2, 4] {
        let claimed = lent(&workshop.at(clock), &worker).await;
        let then = workshop.at(clock);
        let kind = FailureKind::OutOfMemory;
        assert_eq!(then.fail(&worker, held(&claimed), kind, &nothing()).await.unwrap(), Settled::Again);
        assert_eq!(then.fail(&worker, held(&claimed), kind, &nothing()).await.unwrap(), Settled::Again);
        assert_eq!(reason(&broker, job).await, Some(Reason::BackingOff));
        clock += Duration::from_millis(wait * 1_000 - 500);
        workshop.at(clock).reap(LEASE).await.unwrap();
        assert_eq!(claim(&workshop.at(clock), &worker).await, Claimed::Idle, "not yet");
        clock += Duration::from_secs(1);
        workshop.at(clock).reap(LEASE).await.unwrap();
    }
    let claimed = lent(&workshop.at(clock), &worker).await;
    let last =
        workshop.at(clock).fail(&worker, held(&claimed), FailureKind::OutOfMemory, &nothing()).await.unwrap();
    assert_eq!(last, Settled::Ended(JobState::Failed));
    assert_eq!(broker.cancel(job, None, AT_ONCE).await.unwrap(), Cancelled::Ended(JobState::Failed));
}

#[tokio::test]
async fn peek_says_what_a_claim_would_lend_and_takes_nothing() {
    let broker = fresh_workshop().await;
    let worker = gpu("gpu-1");
    assert_eq!(claim(&broker, &worker).await, Claimed::Idle);
    assert_eq!(broker.peek(&worker).await.unwrap(), None);
    let job = submit(&broker, &person("ada")).await;
    lent(&broker, &gpu("gpu-2")).await;
    let next = submit(&broker, &person("ben")).await;
    assert_ne!(job, next);
    assert_eq!(broker.peek(&worker).await.unwrap().map(|(id, _)| id), Some(next));
    assert_eq!(lent(&broker, &worker).await.job, next);
}
