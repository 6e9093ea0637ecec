//! A store that is away for twice the lease: whoever is healthy keeps what they hold, and whoever is not loses it one
//! lease after the store came back.

use std::time::Duration;

use queue_broker::transitions::finish::Settled;
use queue_broker::transitions::reap::Reaped;
use queue_broker::transitions::renew::Renewed;
use queue_broker::{Broker, BrokerError, Store};
use queue_protocol::link::HeldLease;
use queue_protocol::{JobState, WorkerName};

use crate::redis_server::{APPENDING, answers, connection, fresh_name, on_a_socket, open, socket, written};
use crate::workshop::{LEASE, gpu, held, lent, nothing, person, submit};

const SECOND: Duration = Duration::from_secs(1);
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
