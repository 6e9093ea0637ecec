//! A cluster of three nodes: a workshop lives on one of them, whatever becomes of the others.

use std::time::Duration;

use queue_broker::signals::Signal;
use queue_broker::transitions::finish::Settled;
use queue_broker::{Broker, BrokerError};
use queue_protocol::{JobState, Workshop};

use crate::listening::listening;
use crate::redis_server::cluster::Cluster;
use crate::redis_server::{fresh_name, open, written};
use crate::workshop::{gpu, held, lent, nothing, person, submit};

fn name_on(cluster: &mut Cluster, node: usize) -> Workshop {
    loop {
        let name = fresh_name();
        if cluster.owner_of(&name.to_string()) == node {
            return name;
        }
    }
}

async fn run_one_job(broker: &Broker) {
    let job = submit(broker, &person("ada")).await;
    let claimed = lent(broker, &gpu("gpu-1")).await;
    assert_eq!(claimed.job, job);
    let settled = broker.finish(&gpu("gpu-1"), held(&claimed), &nothing()).await.unwrap();
    assert_eq!(settled, Settled::Ended(JobState::Completed));
}

#[tokio::test]
async fn a_workshop_is_found_and_heard_through_any_node() {
    let mut cluster = Cluster::start();
    for owner in 0..3 {
        let workshop = name_on(&mut cluster, owner);
        for known in 0..3 {
            let broker = open(&cluster.store_by(&[known]), &workshop).await;
            let mut heard = listening(&broker).await;
            run_one_job(&broker).await;
            while !matches!(heard.recv().await, Some(Signal::Change { change, .. }) if change.state.is_end())
            {
            }
            assert_eq!(broker.status().await.unwrap().completed_jobs, known as u64 + 1);
        }
        let broker = open(&cluster.store(), &workshop).await;
        assert_eq!(broker.run_id().await.unwrap(), cluster.run_id(owner));
        assert_eq!(broker.recount().await.unwrap(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn nodes_that_have_nothing_of_a_workshop_may_go_away() {
    let mut cluster = Cluster::start();
    let workshop = name_on(&mut cluster, 1);
    let broker = open(&cluster.store(), &workshop).await;
    cluster.nodes[0].kill();
    cluster.nodes[2].signal("STOP");
    broker.ping().await.unwrap();
    let mut heard = listening(&broker).await;
    run_one_job(&broker).await;
    while !matches!(heard.recv().await, Some(Signal::Change { change, .. }) if change.state.is_end()) {}
    assert_eq!(broker.run_id().await.unwrap(), cluster.run_id(1));
    cluster.nodes[2].signal("CONT");
}

#[tokio::test]
async fn a_node_that_comes_back_has_its_workshop_with_every_job() {
    let mut cluster = Cluster::start();
    let workshop = name_on(&mut cluster, 2);
    let broker = open(&cluster.store(), &workshop).await;
    let job = submit(&broker, &person("ada")).await;
    let before = broker.feed_position(None).await.unwrap();
    written(&mut cluster.nodes[2].connection().unwrap());
    cluster.nodes[2].kill();
    let away = broker.ping().await;
    assert!(matches!(away, Err(BrokerError::Unavailable(_))), "{away:?}");
    cluster.nodes[2].start();
    let same = open(&cluster.store(), &workshop).await;
    assert_eq!(lent(&broker, &gpu("gpu-1")).await.job, job, "by the connection that broke");
    assert_ne!(same.feed_position(None).await.unwrap().epoch, before.epoch);
}

#[tokio::test]
async fn a_listener_leaves_a_node_that_hangs() {
    let mut cluster = Cluster::start();
    let workshop = name_on(&mut cluster, 0);
    let broker = open(&cluster.store_by(&[1, 0]), &workshop).await;
    let mut heard = listening(&broker).await;
    cluster.nodes[1].signal("STOP");
    let again = tokio::time::timeout(Duration::from_secs(30), heard.recv()).await.unwrap();
    assert_eq!(again, Some(Signal::Listening), "at another node");
    submit(&broker, &person("ada")).await;
    assert!(matches!(heard.recv().await, Some(Signal::Change { .. })));
    cluster.nodes[1].signal("CONT");
}
