//! What tests say about a workshop, in few words.

use std::time::{Duration, Instant};

use queue_broker::transitions::attend::{Arrival, Attended};
use queue_broker::transitions::claim::{Claimed, Forgotten, Lent};
use queue_broker::transitions::submit::{Body, Needs, Order, Submission, Submitted};
use queue_broker::{Broker, BrokerError};
use queue_protocol::link::{HeldLease, JobResult};
use queue_protocol::{AccountName, FileHash, JobId, Lane, LinkId, NeedsId, WorkerName};

pub const LEASE: Duration = Duration::from_secs(30);
pub const AT_ONCE: Duration = Duration::ZERO;

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
    pub number: Option<f64>,
    pub body: &'a [u8],
    pub sealed: Option<&'a [u8]>,
    pub needs_keys: bool,
}

impl<'a> Submit<'a> {
    pub fn of(who: &'a AccountName) -> Self {
        Self {
            who,
            id: JobId::random(),
            lane: Lane::Normal,
            needs: 1,
            front: false,
            number: None,
            body: b"{}",
            sealed: None,
            needs_keys: false,
        }
    }

    pub async fn to(&self, broker: &Broker) -> Submitted {
        self.try_to(broker).await.unwrap()
    }

    pub async fn try_to(&self, broker: &Broker) -> Result<Submitted, BrokerError> {
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
                sealed: self.sealed,
                needs_keys: self.needs_keys,
                order: match self.number {
                    Some(number) => Order::Number(number),
                    None if self.front => Order::Front,
                    None => Order::Last,
                },
                workflow: None,
                inputs: &[],
            })
            .await
    }
}

/// A workshop in a time of its own: only what a test says lets time pass, and a machine that stands still does not.
pub struct Pinned(Broker, Instant);

impl Pinned {
    /// At its beginning.
    pub fn of(broker: Broker) -> Self {
        Self(broker, Instant::now())
    }

    /// So long after its beginning.
    pub fn at(&self, since: Duration) -> Broker {
        let now = 100 * LEASE + since;
        self.0.at_clock_offset(
            now.checked_sub(self.1.elapsed()).expect("a test that takes less than 50 minutes"),
        )
    }
}

/// Submits one plain job and returns its id.
pub async fn submit(broker: &Broker, who: &AccountName) -> JobId {
    let job = Submit::of(who);
    assert!(matches!(job.to(broker).await, Submitted::Accepted { .. }));
    job.id
}

/// The kind of worker that can run these classes of needs: its hash tells which.
pub fn kind(classes: &[u8]) -> FileHash {
    format!("{:064x}", classes.iter().fold(0_u64, |bits, class| bits | 1 << class)).parse().unwrap()
}

/// Answers what was asked about a kind.
pub async fn teach(broker: &Broker, classes: &[u8], asked: &[(NeedsId, String)]) {
    let can = |id: &NeedsId| classes.iter().any(|class| needs(*class).id == *id);
    let lesson: Vec<_> = asked.iter().map(|(id, _)| (id.clone(), can(id))).collect();
    if !lesson.is_empty() {
        broker.teach(&kind(classes), &lesson).await.unwrap();
    }
}

/// A worker of that kind is here.
pub async fn here(broker: &Broker, worker: &WorkerName, classes: &[u8]) {
    let asked = heard_of(broker, worker, &[("object_info", kind(classes).to_string())]).await;
    teach(broker, classes, &asked).await;
}

/// A worker says something on a link of its own.
pub async fn heard_of(
    broker: &Broker,
    worker: &WorkerName,
    fields: &[(&str, String)],
) -> Vec<(NeedsId, String)> {
    match broker.attend(worker, LinkId::random(), Arrival::Open, fields).await.unwrap() {
        Attended::Attending(asked) => asked,
        Attended::Draining => Vec::new(),
        Attended::Replaced => panic!("the newest link has the worker"),
    }
}

/// What a worker that can run these classes gets.
pub async fn claim_as(broker: &Broker, worker: &WorkerName, classes: &[u8], forgotten: Forgotten) -> Claimed {
    here(broker, worker, classes).await;
    loop {
        match broker.claim(worker, LEASE, forgotten).await.unwrap() {
            Claimed::Ask(asked) => teach(broker, classes, &asked).await,
            other => return other,
        }
    }
}

/// What a worker that can run classes 1 to 3 gets.
pub async fn claim(broker: &Broker, worker: &WorkerName) -> Claimed {
    claim_as(broker, worker, &[1, 2, 3], Forgotten::No).await
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
