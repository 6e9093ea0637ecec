//! What tests say about a workshop, in few words.

use std::time::Duration;

use queue_broker::Broker;
use queue_broker::transitions::claim::{Claimed, Forgotten, Lent};
use queue_broker::transitions::submit::{Body, Needs, Submission, Submitted};
use queue_protocol::link::{HeldLease, JobResult};
use queue_protocol::{AccountName, JobId, Lane, WorkerName};

pub const LEASE: Duration = Duration::from_secs(30);

pub fn person(name: &str) -> AccountName {
    name.parse().unwrap()
}

pub fn gpu(name: &str) -> WorkerName {
    name.parse().unwrap()
}

/// A class of needs told apart by its first digit.
pub fn needs(digit: u8) -> Needs {
    Needs { id: format!("{digit:016x}").parse().unwrap(), json: format!(r#"{{"nodes":["N{digit}"]}}"#) }
}

pub struct Submit<'a> {
    pub who: &'a AccountName,
    pub id: JobId,
    pub lane: Lane,
    pub needs: u8,
    pub front: bool,
    pub body: &'a [u8],
}

impl<'a> Submit<'a> {
    pub fn of(who: &'a AccountName) -> Self {
        Self { who, id: JobId::random(), lane: Lane::Normal, needs: 1, front: false, body: b"{}" }
    }

    pub async fn to(&self, broker: &Broker) -> Submitted {
        let hash = format!("{:064x}", self.body.iter().map(|b| u64::from(*b)).sum::<u64>());
        broker
            .submit(&Submission {
                id: self.id,
                participant: self.who,
                lane: self.lane,
                needs: &needs(self.needs),
                body_hash: &hash.parse().unwrap(),
                body: Body::Inline(self.body),
                client: None,
                front: self.front,
                workflow: None,
                inputs: &[],
            })
            .await
            .unwrap()
    }
}

/// Submits one plain job and returns its id.
pub async fn submit(broker: &Broker, who: &AccountName) -> JobId {
    let job = Submit::of(who);
    assert!(matches!(job.to(broker).await, Submitted::Accepted(_)));
    job.id
}

/// What a worker that can run classes 1 to 3 gets.
pub async fn claim(broker: &Broker, worker: &WorkerName) -> Claimed {
    let can_run = [needs(1).id, needs(2).id, needs(3).id];
    broker.claim(worker, LEASE, &can_run, Forgotten::No).await.unwrap()
}

/// The same, where a job must come.
pub async fn lent(broker: &Broker, worker: &WorkerName) -> Lent {
    match claim(broker, worker).await {
        Claimed::Lent(lent) => *lent,
        other => panic!("expected a job, got {other:?}"),
    }
}

pub fn held(lent: &Lent) -> HeldLease {
    HeldLease { job: lent.job, token: lent.token }
}

pub fn nothing() -> JobResult {
    JobResult::default()
}
