//! A store that is away for twice the lease: whoever is healthy keeps what they hold, and whoever is not loses it one
//! lease after the store came back.

use std::time::Duration;

use queue_broker::accounts::Account;
use queue_broker::transitions::claim::{Claimed, Forgotten};
use queue_broker::transitions::classroom::Cleared;
use queue_broker::transitions::configure::Changed;
use queue_broker::transitions::depart::Stayed;
use queue_broker::transitions::drain::{Ordered, WorkerOrder};
use queue_broker::transitions::finish::Settled;
use queue_broker::transitions::reap::Reaped;
use queue_broker::transitions::record::Deed;
use queue_broker::transitions::renew::Renewed;
use queue_broker::{Broker, BrokerError, Store};
use queue_protocol::api::Role;
use queue_protocol::link::HeldLease;
use queue_protocol::{FailureKind, JobState, WorkerName, timings};

use crate::redis_server::{APPENDING, answers, connection, fresh_name, on_a_socket, open, socket, written};
use crate::workshop::{LEASE, gpu, heard_of, held, lent, nothing, person, submit};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const NOTHING: Reaped = Reaped::Did { taken_back: vec![], due: vec![] };

/// Four workers with a job each, and jobs that wait.
async fn busy(broker: &Broker) -> Vec<(WorkerName, HeldLease)> {
    let mut busy = Vec::new();
    for n in 1..=4 {
        let who = person(&format!("user{n:03}"));
        submit(broker, &who).await;
        let worker = gpu(&format!("gpu-{n}"));
        busy.push((worker.clone(), held(&lent(broker, &worker).await)));
        submit(broker, &who).await;
    }
    broker.reap(LEASE).await.unwrap();
    busy
}

async fn away(broker: &Broker, (worker, held): &(WorkerName, HeldLease)) {
    let answer = broker.renew(worker, *held, LEASE).await;
    assert!(matches!(answer, Err(BrokerError::Unavailable(_))), "{answer:?}");
    assert!(matches!(broker.reap(LEASE).await, Err(BrokerError::Unavailable(_))));
}

/// What comes after, at twice the lease and a little more.
async fn afterwards(broker: &Broker, workers: &[(WorkerName, HeldLease)]) {
    let back = 2 * LEASE + SECOND;
    let at = |later: Duration| broker.at_clock_offset(back + later);
    let renew = async |(worker, held): &(WorkerName, HeldLease), later: Duration| {
        at(later).renew(worker, *held, LEASE).await.unwrap()
    };
    // One is faster than the first queue-manager that looks, and another queue-manager looks as well.
    assert_eq!(renew(&workers[0], Duration::ZERO).await, Renewed::Renewed);
    let first = at(Duration::ZERO).reap(LEASE).await.unwrap();
    assert!(
        matches!(first, Reaped::Moved(gap_ms) if u128::from(gap_ms) >= 2 * LEASE.as_millis()),
        "{first:?}"
    );
    assert_eq!(at(Duration::ZERO).reap(LEASE).await.unwrap(), NOTHING, "leases move once");
    for second in 1..=20 {
        assert_eq!(at(second * SECOND).reap(LEASE).await.unwrap(), NOTHING);
    }
    for worker in &workers[..3] {
        assert_eq!(renew(worker, 20 * SECOND).await, Renewed::Renewed);
    }
    // The fourth never comes back, and nobody but its own job waits for it.
    let mut lost = Vec::new();
    for second in 21..=40 {
        let Reaped::Did { taken_back, .. } = at(second * SECOND).reap(LEASE).await.unwrap() else {
            panic!("an outage")
        };
        lost.extend(taken_back);
    }
    assert_eq!(lost, [(workers[3].1.job, JobState::Pending)]);
    for (worker, held) in &workers[..3] {
        let settled = at(40 * SECOND).finish(worker, *held, &nothing()).await.unwrap();
        assert_eq!(settled, Settled::Ended(JobState::Completed));
    }
    for (_, held) in &workers[..3] {
        assert_eq!(broker.job(held.job).await.unwrap().unwrap().attempts, 1);
    }
    assert_eq!(broker.recount().await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn a_store_that_was_killed_takes_no_job_from_a_healthy_worker() {
    let folder = tempfile::tempdir().unwrap();
    // What a crash may cost is another test's question: here everything is on the disk when the server dies.
    let always = [APPENDING.as_slice(), &["--appendfsync", "always"]].concat();
    let server = on_a_socket(folder.path(), &always);
    let broker = open(&Store::Socket(socket(folder.path())), &fresh_name()).await;
    let workers = busy(&broker).await;
    written(&mut connection(folder.path()));
    drop(server);
    away(&broker, &workers[0]).await;
    let _server = on_a_socket(folder.path(), &APPENDING);
    answers(&broker).await;
    afterwards(&broker, &workers).await;
}

#[tokio::test]
async fn a_store_that_hung_takes_no_job_from_a_healthy_worker() {
    let folder = tempfile::tempdir().unwrap();
    let server = on_a_socket(folder.path(), &APPENDING);
    let broker = open(&Store::Socket(socket(folder.path())), &fresh_name()).await;
    let workers = busy(&broker).await;
    server.signal("STOP");
    away(&broker, &workers[0]).await;
    server.signal("CONT");
    answers(&broker).await;
    afterwards(&broker, &workers).await;
}

/// Longer than an answer is waited for, and shorter than two of them.
const HANGS: Duration = Duration::from_millis(2_200);
const _: () = assert!(timings::REDIS_RESPONSE.as_millis() < HANGS.as_millis());
const _: () = assert!(HANGS.as_millis() < 2 * timings::REDIS_RESPONSE.as_millis());

#[tokio::test]
async fn what_a_hanging_store_is_told_twice_happens_once_and_is_answered_as_if_it_had_been_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let _server = on_a_socket(folder.path(), &["--appendonly", "no"]);
    let broker = open(&Store::Socket(socket(folder.path())), &fresh_name()).await;
    let (ada, ben, worker) = (person("ada"), person("ben"), gpu("gpu-1"));
    let (name, password_hash) = (ada.clone(), "$argon2id$…".to_owned());
    broker
        .put_account(&Account {
            name,
            role: Role::Participant,
            password_hash,
            disabled: false,
            generation: 0,
        })
        .await
        .unwrap();
    broker.depart(&ada, MINUTE).await.unwrap();
    broker.demo(&ada, MINUTE, 1).await.unwrap();
    let failed = submit(&broker, &ben).await;
    let claimed = lent(&broker, &worker).await;
    broker.fail(&worker, held(&claimed), FailureKind::Validation, &nothing()).await.unwrap();
    let gone = gpu("gpu-2");
    heard_of(&broker, &gone, &[]).await;
    let poison = submit(&broker, &ben).await;
    let claimed = lent(&broker, &worker).await;
    broker.renew(&worker, held(&claimed), LEASE).await.unwrap();
    submit(&broker, &ben).await;

    let later = broker.at_clock_offset(MINUTE);
    let hang = u64::try_from(HANGS.as_millis()).unwrap();
    redis::cmd("CLIENT").arg("PAUSE").arg(hang).exec(&mut connection(folder.path())).unwrap();
    let (said, cleared, changed, stayed, forgotten, demonstrated, dismissed, again, noted) = tokio::join!(
        broker.record_message(None, "Once.".to_owned()),
        broker.clear(1),
        broker.configure(None, &[("price_per_hour", "150")]),
        broker.let_stay(&ada),
        later.order_worker(&gone, WorkerOrder::Forget),
        broker.end_demo(),
        broker.dismiss(std::slice::from_ref(&failed)),
        broker.claim(&worker, LEASE, Forgotten::Yes),
        broker.record_deed(&ada, Deed::default()),
    );
    noted.unwrap();
    assert_eq!(broker.messages().await.unwrap(), [said.unwrap()]);
    assert_eq!(broker.audit(None, 10).await.unwrap().len(), 1);
    assert_eq!(cleared.unwrap(), Cleared::Cleared(1));
    assert_eq!(changed.unwrap(), [Changed { name: "price_per_hour".to_owned(), before: String::new() }]);
    assert_eq!(stayed.unwrap(), Stayed::Stays);
    assert_eq!(forgotten.unwrap(), Ordered::Done);
    assert_eq!(demonstrated.unwrap(), Some(ada));
    assert_eq!(dismissed.unwrap(), 1);
    // One crash was counted: it takes two more to park the job.
    for answer in [again, broker.claim(&worker, LEASE, Forgotten::Yes).await] {
        assert!(matches!(answer.unwrap(), Claimed::Lent(lent) if lent.job == poison));
    }
    assert!(!matches!(broker.claim(&worker, LEASE, Forgotten::Yes).await.unwrap(), Claimed::Lent(_)));
    assert_eq!(broker.recount().await.unwrap(), Vec::<String>::new());
}
