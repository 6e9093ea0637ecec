//! Attend and leave: which of a worker's links counts.

use std::time::Duration;

use queue_broker::Broker;
use queue_broker::signals::Signal;
use queue_broker::transitions::attend::{Arrival, Attended};
use queue_broker::transitions::claim::{Claimed, Forgotten};
use queue_broker::transitions::drain::WorkerOrder;
use queue_protocol::{LinkId, WorkerName};
use tokio::sync::mpsc;

use crate::listening::listening;
use crate::redis_server::fresh_workshop;
use crate::workshop::{LEASE, gpu, kind, needs, person, submit};

/// Says what it is, as every new link does, and what its kind can run, if that is asked.
async fn attend(broker: &Broker, worker: &WorkerName, link: LinkId, arrival: Arrival) -> Attended {
    let fields = [("object_info", kind(&[1]).to_string())];
    broker.teach(&kind(&[1]), &[(needs(1).id, true)]).await.unwrap();
    broker.attend(worker, link, arrival, &fields).await.unwrap()
}

fn attending() -> Attended {
    Attended::Attending(vec![])
}

async fn claim(broker: &Broker, worker: &WorkerName) -> Claimed {
    broker.claim(worker, LEASE, Forgotten::No).await.unwrap()
}

async fn field(broker: &Broker, worker: &WorkerName, name: &str) -> Option<String> {
    let workers = broker.workers().await.unwrap();
    workers.into_iter().find(|(known, _)| known == worker)?.1.remove(name)
}

async fn first_woken(heard: &mut mpsc::Receiver<Signal>) -> WorkerName {
    loop {
        if let Signal::Wake(worker) = heard.recv().await.unwrap() {
            return worker;
        }
    }
}

#[tokio::test]
async fn the_newest_link_has_the_worker_and_the_one_before_is_told() {
    let broker = fresh_workshop().await;
    let (worker, older, newer) = (gpu("gpu-1"), LinkId::random(), LinkId::random());
    assert_eq!(attend(&broker, &worker, older, Arrival::Open).await, attending());
    assert_eq!(attend(&broker, &worker, older, Arrival::Stay).await, attending());
    assert_eq!(attend(&broker, &worker, newer, Arrival::Open).await, attending());
    let fields = [("gpu", "of the older".to_owned())];
    let attended = broker.attend(&worker, older, Arrival::Stay, &fields).await.unwrap();
    assert_eq!(attended, Attended::Replaced);
    assert_eq!(field(&broker, &worker, "gpu").await, None, "and what it said was not noted");
    assert_eq!(attend(&broker, &worker, newer, Arrival::Stay).await, attending());
}

#[tokio::test]
async fn an_old_link_that_leaves_takes_nothing_of_the_new_one_with_it() {
    let broker = fresh_workshop().await;
    let (worker, older, newer) = (gpu("gpu-1"), LinkId::random(), LinkId::random());
    attend(&broker, &worker, older, Arrival::Open).await;
    attend(&broker, &worker, newer, Arrival::Open).await;
    assert_eq!(claim(&broker, &worker).await, Claimed::Idle);
    broker.leave(&worker, older).await.unwrap();
    assert_eq!(broker.status().await.unwrap().active_workers, 1);
    // Whoever is idle is woken: the entry is still there.
    let mut heard = listening(&broker).await;
    submit(&broker, &person("ada")).await;
    assert_eq!(first_woken(&mut heard).await, worker);
    broker.leave(&worker, newer).await.unwrap();
    assert_eq!(broker.status().await.unwrap().active_workers, 0);
}

#[tokio::test]
async fn a_link_that_yields_gets_the_worker_only_when_nobody_has_it() {
    let broker = fresh_workshop().await;
    let (worker, first, second) = (gpu("gpu-1"), LinkId::random(), LinkId::random());
    assert_eq!(attend(&broker, &worker, first, Arrival::Yield).await, attending(), "nobody has it");
    assert_eq!(attend(&broker, &worker, second, Arrival::Yield).await, Attended::Replaced);
    broker.leave(&worker, first).await.unwrap();
    assert_eq!(attend(&broker, &worker, second, Arrival::Yield).await, attending());
    // Its queue-manager was killed, so that nobody said goodbye.
    let later = broker.at_clock_offset(Duration::from_secs(20));
    assert_eq!(attend(&later, &worker, first, Arrival::Yield).await, attending());
}

#[tokio::test]
async fn a_worker_that_takes_nothing_is_not_woken() {
    let broker = fresh_workshop().await;
    let (leaving, other) = (gpu("gpu-1"), gpu("gpu-2"));
    let link = LinkId::random();
    attend(&broker, &leaving, link, Arrival::Open).await;
    attend(&broker, &other, LinkId::random(), Arrival::Open).await;
    assert_eq!(claim(&broker, &leaving).await, Claimed::Idle);
    assert_eq!(claim(&broker, &other).await, Claimed::Idle);
    let fields = [("unready", "leaving".to_owned())];
    broker.attend(&leaving, link, Arrival::Stay, &fields).await.unwrap();
    let mut heard = listening(&broker).await;
    submit(&broker, &person("ada")).await;
    assert_eq!(first_woken(&mut heard).await, other);
}

#[tokio::test]
async fn a_draining_worker_is_told_so_whatever_it_says_and_again_when_it_may_go_on() {
    let broker = fresh_workshop().await;
    let (worker, link) = (gpu("gpu-1"), LinkId::random());
    attend(&broker, &worker, link, Arrival::Open).await;
    broker.order_worker(&worker, WorkerOrder::Drain).await.unwrap();
    let stay = async || broker.attend(&worker, link, Arrival::Stay, &[]).await.unwrap();
    assert_eq!(stay().await, Attended::Draining);
    assert_eq!(attend(&broker, &worker, LinkId::random(), Arrival::Open).await, Attended::Draining);
    broker.order_worker(&worker, WorkerOrder::Resume).await.unwrap();
    assert_eq!(stay().await, Attended::Replaced, "that was another link");
    assert_eq!(attend(&broker, &worker, link, Arrival::Open).await, attending());
}
