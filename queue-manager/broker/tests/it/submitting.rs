//! Submit: what is stored, what is refused.

use queue_broker::transitions::submit::{Full, Submitted};
use queue_protocol::link::HeldLease;
use queue_protocol::{JobState, Lane, limits};

use crate::redis_server::fresh_workshop;
use crate::workshop::{Submit, gpu, lent, person, submit};

#[tokio::test]
async fn a_submitted_job_is_stored_with_the_bytes_that_came() {
    let broker = fresh_workshop().await;
    let ada = person("ada");
    let job = Submit { body: br#"{"prompt": {"1": {}}}"#, ..Submit::of(&ada) };
    assert_eq!(job.to(&broker).await, Submitted::Accepted { number: 1, untaught: false });
    assert_eq!(broker.body(job.id).await.unwrap().unwrap(), job.body);
    let stored = broker.job(job.id).await.unwrap().unwrap();
    assert_eq!((stored.state, stored.participant), (JobState::Pending, ada));
    assert_eq!(broker.status().await.unwrap().pending_jobs, 1);
}

#[tokio::test]
async fn the_same_submit_again_is_the_same_job() {
    let broker = fresh_workshop().await;
    let ada = person("ada");
    let job = Submit::of(&ada);
    assert_eq!(job.to(&broker).await, Submitted::Accepted { number: 1, untaught: false });
    assert_eq!(job.to(&broker).await, Submitted::Repeated(JobState::Pending));
    assert_eq!(broker.status().await.unwrap().pending_jobs, 1);
}

#[tokio::test]
async fn an_id_with_another_body_or_another_owner_is_refused() {
    let broker = fresh_workshop().await;
    let (ada, ben) = (person("ada"), person("ben"));
    let job = Submit::of(&ada);
    job.to(&broker).await;
    let other_body = Submit { body: b"[]", id: job.id, ..Submit::of(&ada) };
    assert_eq!(other_body.to(&broker).await, Submitted::Conflict);
    let other_owner = Submit { id: job.id, ..Submit::of(&ben) };
    assert_eq!(other_owner.to(&broker).await, Submitted::Conflict);
    assert_eq!(broker.status().await.unwrap().pending_jobs, 1);
}

#[tokio::test]
async fn a_full_line_refuses_and_nobody_elses_line_notices() {
    let broker = fresh_workshop().await;
    let (ada, ben) = (person("ada"), person("ben"));
    for _ in 0..limits::WAITING_PER_PARTICIPANT {
        submit(&broker, &ada).await;
    }
    let refused = Submit::of(&ada);
    let used = u64::from(limits::WAITING_PER_PARTICIPANT);
    let full = Submitted::Full(Full { own: true, bytes: false, used });
    assert_eq!(refused.to(&broker).await, full);
    assert!(broker.job(refused.id).await.unwrap().is_none());
    submit(&broker, &ben).await;
}

#[tokio::test]
async fn front_orders_ones_own_line_and_moves_nobody_elses_turn() {
    let broker = fresh_workshop().await;
    let (ada, ben) = (person("ada"), person("ben"));
    let first = submit(&broker, &ada).await;
    let bens = submit(&broker, &ben).await;
    let urgent = Submit { front: true, ..Submit::of(&ada) };
    urgent.to(&broker).await;
    let positions = broker.positions(&[urgent.id, bens, first]).await.unwrap();
    assert_eq!(positions, [Some(1), Some(2), Some(3)]);
    assert_eq!(lent(&broker, &gpu("gpu-1")).await.job, urgent.id);
    assert_eq!(lent(&broker, &gpu("gpu-2")).await.job, bens);
}

#[tokio::test]
async fn sealed_keys_go_to_each_worker_that_runs_the_job() {
    let broker = fresh_workshop().await;
    Submit { sealed: Some(b"sealed"), ..Submit::of(&person("ada")) }.to(&broker).await;
    let lent_once = lent(&broker, &gpu("gpu-1")).await;
    assert_eq!(lent_once.sealed.as_deref(), Some(b"sealed".as_slice()));
    let lease = HeldLease { job: lent_once.job, token: lent_once.token };
    broker.release(&gpu("gpu-1"), lease).await.unwrap();
    assert_eq!(lent(&broker, &gpu("gpu-1")).await.sealed, lent_once.sealed);
}

#[tokio::test]
async fn a_number_orders_ones_own_line_as_comfyui_orders_by_it() {
    let broker = fresh_workshop().await;
    let (ada, ben) = (person("ada"), person("ben"));
    let first = submit(&broker, &ada).await;
    let bens = submit(&broker, &ben).await;
    let second = submit(&broker, &ada).await;
    let with = |number| Submit { number: Some(number), ..Submit::of(&ada) };
    let (between, before_all, last, front) =
        (with(1.5), with(-100.0), with(7e300), Submit { front: true, ..Submit::of(&ada) });
    for job in [&between, &before_all, &last, &front] {
        job.to(&broker).await;
    }
    let third = submit(&broker, &ada).await;
    let expected = [before_all.id, front.id, first, between.id, second, third, last.id];
    let mut line = expected.to_vec();
    let positions = broker.positions(&line).await.unwrap();
    line.sort_by_key(|id| positions[expected.iter().position(|known| known == id).unwrap()]);
    assert_eq!(line, expected);
    assert_eq!(broker.positions(&[bens]).await.unwrap(), [Some(2)], "nobody else's turn is moved");
}

#[tokio::test]
async fn positions_count_what_starts_before() {
    let broker = fresh_workshop().await;
    let (ada, ben, teacher) = (person("ada"), person("ben"), person("teacher"));
    let mut ids = Vec::new();
    for who in [&ada, &ada, &ben, &ada] {
        ids.push(submit(&broker, who).await);
    }
    let demo = Submit { lane: Lane::Instructor, ..Submit::of(&teacher) };
    demo.to(&broker).await;
    ids.push(demo.id);
    let positions = broker.positions(&ids).await.unwrap();
    assert_eq!(positions, [Some(2), Some(3), Some(4), Some(5), Some(1)]);
}

#[tokio::test]
async fn under_a_demo_a_number_orders_the_line_that_the_job_stands_in() {
    let broker = fresh_workshop().await;
    let teacher = person("teacher");
    broker.demo(&teacher, std::time::Duration::from_secs(60), 3).await.unwrap();
    let first = submit(&broker, &teacher).await;
    let last = Submit { number: Some(1e9), ..Submit::of(&teacher) };
    last.to(&broker).await;
    let between = submit(&broker, &teacher).await;
    let positions = broker.positions(&[first, between, last.id]).await.unwrap();
    assert_eq!(positions, [Some(1), Some(2), Some(3)]);
    assert_eq!(broker.recount().await.unwrap(), Vec::<String>::new());
}
