//! A workshop of a given depth, kept at it: each round adds one job, lends one and ends one.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use queue_broker::transitions::attend::Arrival;
use queue_broker::transitions::claim::{Claimed, Forgotten, Lent};
use queue_broker::transitions::submit::{Body, Needs, Order, Submission, Submitted};
use queue_broker::{Broker, BrokerError};
use queue_protocol::link::{HeldLease, JobResult};
use queue_protocol::{AccountName, FileHash, JobId, Lane, LinkId, Mode, WorkerName};
use redis::aio::ConnectionManager;

use crate::engine::{Engine, spent_on};
use crate::timing::{Call, Timings};

/// Nothing is taken back while we look.
const LEASE: Duration = Duration::from_secs(24 * 3600);
const WORKERS: usize = 3;
/// Kinds of needs, as participants with a few workflows between them have.
const CLASSES: usize = 5;
const SMALL: &[u8] = br#"{"prompt":{"1":{"class_type":"SaveImage","inputs":{}}}}"#;

/// A filled workshop.
pub struct Room {
    pub engine: Engine,
    pub broker: Broker,
    pub bare: ConnectionManager,
    pub people: Vec<AccountName>,
    newcomer: AccountName,
    workers: Vec<WorkerName>,
    held: Vec<HeldLease>,
    submitted: usize,
    classes: usize,
    trivial: String,
}

pub fn kind() -> FileHash {
    "0".repeat(64).parse().unwrap()
}

fn needs(class: usize) -> Needs {
    let json = format!(
        r#"{{"nodes":["CheckpointLoaderSimple","KSampler","Node{class}"],"models":["model.safetensors"]}}"#
    );
    Needs { id: format!("{class:016x}").parse().unwrap(), json }
}

/// Says it again for as long as the store has no answer in time: what concerns everybody can take longer than that.
pub async fn insist(order: impl AsyncFn() -> Result<(), BrokerError>) {
    while let Err(error) = order().await {
        assert!(matches!(error, BrokerError::Unavailable(_)), "{error}");
    }
}

fn result() -> JobResult {
    serde_json::from_str(
        r#"{"outputs":{"9":{"images":[{"filename":"ComfyUI_00001_.png","subfolder":"","type":"output"}]}},
        "messages":[["execution_start",{"timestamp":1763690000000}],["execution_cached",{"nodes":["4","5"]}],
        ["execution_success",{"timestamp":1763690020000}]]}"#,
    )
    .unwrap()
}

impl Room {
    /// A workshop with nobody waiting, three workers of one kind, and caps that allow any depth.
    pub async fn empty(people: usize, appendonly: bool) -> Self {
        Self::with_classes(people, CLASSES, appendonly).await
    }

    /// The same with so many kinds of needs among the jobs.
    pub async fn with_classes(people: usize, classes: usize, appendonly: bool) -> Self {
        let engine = Engine::start(appendonly);
        let (broker, mut bare) = (engine.broker().await, engine.connection().await);
        let lots = "1000000000000";
        let caps =
            ["waiting", "waiting_per_participant", "bytes", "bytes_per_participant"].map(|cap| (cap, lots));
        broker.configure(None, &caps).await.unwrap();
        let can: Vec<_> = (0..classes).map(|class| (needs(class).id, true)).collect();
        broker.teach(&kind(), &can).await.unwrap();
        let workers: Vec<WorkerName> = (0..WORKERS).map(|n| format!("gpu-{n}").parse().unwrap()).collect();
        for worker in &workers {
            let fields = [("object_info", kind().to_string())];
            broker.attend(worker, LinkId::random(), Arrival::Open, &fields).await.unwrap();
        }
        let trivial = redis::cmd("SCRIPT").arg("LOAD").arg("return redis.call('GET', KEYS[1])").clone();
        let trivial = trivial.query_async(&mut bare).await.unwrap();
        let people = (0..people).map(|n| format!("user{n:05}").parse().unwrap()).collect();
        let newcomer = "newcomer".parse().unwrap();
        Self {
            engine,
            broker,
            bare,
            people,
            newcomer,
            workers,
            held: Vec::new(),
            submitted: 0,
            classes,
            trivial,
        }
    }

    /// Adds `count` jobs, everybody in turn; the body of the `n`th is `body(n)`, or a small one.
    pub async fn fill<'b>(&mut self, count: usize, body: impl Fn(usize) -> Option<&'b [u8]>) {
        let room = &*self;
        let all = futures_util::stream::iter(room.submitted..room.submitted + count);
        all.map(|n| room.store(n, &room.people[n % room.people.len()], body(n).unwrap_or(SMALL)))
            .buffer_unordered(256)
            .for_each(async |_| {})
            .await;
        self.submitted += count;
    }

    /// One small job behind all others.
    pub async fn one_more(&self) -> JobId {
        self.store(self.submitted, &self.people[self.submitted % self.people.len()], SMALL).await
    }

    async fn store(&self, n: usize, who: &AccountName, body: &[u8]) -> JobId {
        let id = JobId::random();
        let class = (n / self.people.len() + n) % self.classes;
        let submission = Submission {
            id,
            participant: who,
            lane: Lane::Normal,
            needs: &needs(class),
            body_hash: &format!("{n:064x}").parse().unwrap(),
            body: Body::Inline(body),
            client: Some(&"0123456789abcdef0123456789abcdef".parse().unwrap()),
            order: Order::Last,
            sealed: None,
            needs_keys: false,
            workflow: Some("3f2a7c1e-6a55-4c5e-9f56-0e6c56b1f001"),
            inputs: &[],
        };
        let submitted = self.broker.submit(&submission).await.unwrap();
        assert!(matches!(submitted, Submitted::Accepted { .. }), "{submitted:?}");
        id
    }

    pub async fn set_mode(&self, mode: Mode) {
        insist(async || self.broker.configure(None, &[("mode", mode.word())]).await.map(drop)).await;
    }

    /// Every worker gets a job, so that one can be ended in each round.
    pub async fn start_workers(&mut self) {
        while self.held.len() < self.workers.len() {
            self.start_worker().await;
        }
    }

    /// The next idle worker gets a job.
    pub async fn start_worker(&mut self) {
        let lent = self.claim(self.held.len()).await;
        self.held.push(HeldLease { job: lent.job, token: lent.token });
    }

    async fn claim(&self, n: usize) -> Lent {
        match self.broker.claim(&self.workers[n], LEASE, Forgotten::No).await.unwrap() {
            Claimed::Lent(lent) => *lent,
            other => panic!("somebody waits, and the claim answered {other:?}"),
        }
    }

    /// One job comes, one ends, the next one is lent, and the bare calls; `watch` is told how long each took.
    /// A claim counts only when its job has the body that is asked about, to within a tenth.
    pub async fn round(&mut self, body: &[u8], watch: &mut Watch<'_>) {
        let (mut bare, n) = (self.bare.clone(), self.submitted);
        // The first call after a while of computing is slower, whatever it is.
        redis::cmd("PING").query_async::<()>(&mut bare).await.unwrap();
        watch
            .time(Call::Ping, &mut bare.clone(), redis::cmd("PING").query_async::<()>(&mut bare))
            .await
            .unwrap();
        let set = redis::cmd("SET").arg("bare").arg(watch.ten_kilobytes).clone();
        watch.time(Call::Set, &mut bare.clone(), set.query_async::<()>(&mut bare)).await.unwrap();
        let script = redis::cmd("EVALSHA").arg(&self.trivial).arg(1).arg("nothing").clone();
        watch.time(Call::Script, &mut bare.clone(), script.query_async::<()>(&mut bare)).await.unwrap();

        let who = &self.people[n % self.people.len()];
        watch.time(Call::Submit, &mut bare, self.store(n, who, body)).await;
        let id = watch.time(Call::SubmitFirst, &mut bare, self.store(n, &self.newcomer, body)).await;
        self.broker.cancel(id, Some(&self.newcomer), Duration::ZERO).await.unwrap();

        let at = n % self.workers.len();
        let result = result();
        let end = self.broker.finish(&self.workers[at], self.held[at], &result);
        watch.time(Call::Finish, &mut bare, end).await.unwrap();
        let lent = watch.time_claim(&mut bare, body.len(), self.claim(at)).await;
        self.held[at] = HeldLease { job: lent.job, token: lent.token };
        self.submitted += 1;
    }
}

/// Times calls from here, or asks Redis how long it took over them.
pub struct Watch<'a> {
    pub timings: &'a mut Timings,
    pub ask_redis: bool,
    pub ten_kilobytes: &'a [u8],
}

impl Watch<'_> {
    async fn time<T>(
        &mut self,
        call: Call,
        bare: &mut ConnectionManager,
        work: impl Future<Output = T>,
    ) -> T {
        let (answer, took) = self.stopped(call, bare, work).await;
        self.note(call, took);
        answer
    }

    async fn time_claim(
        &mut self,
        bare: &mut ConnectionManager,
        size: usize,
        work: impl Future<Output = Lent>,
    ) -> Lent {
        let (lent, took) = self.stopped(Call::Claim, bare, work).await;
        if lent.body.as_ref().is_some_and(|body| body.len().abs_diff(size) * 10 < size) {
            self.note(Call::Claim, took);
        }
        lent
    }

    async fn stopped<T>(
        &self,
        call: Call,
        bare: &mut ConnectionManager,
        work: impl Future<Output = T>,
    ) -> (T, u64) {
        let before = if self.ask_redis { spent_on(bare, call.command()).await } else { 0 };
        let started = Instant::now();
        let answer = work.await;
        let took = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let took = if self.ask_redis { spent_on(bare, call.command()).await - before } else { took };
        (answer, took)
    }

    fn note(&mut self, call: Call, took: u64) {
        if self.ask_redis {
            self.timings.add_inside(call, took);
        } else {
            self.timings.add_outside(call, took);
        }
    }
}
