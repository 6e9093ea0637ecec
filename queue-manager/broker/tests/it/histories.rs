//! Random histories against a small model: each job in exactly one place, one live lease per job and worker, one
//! end, order kept, counters equal to a recount.

use std::collections::HashMap;
use std::time::Duration;

use proptest::prelude::*;
use queue_broker::Broker;
use queue_broker::transitions::cancel::Cancelled;
use queue_broker::transitions::claim::Claimed;
use queue_broker::transitions::finish::Settled;
use queue_broker::transitions::reap::Reaped;
use queue_protocol::link::HeldLease;
use queue_protocol::{AccountName, FailureKind, JobId, JobState, LeaseToken, WorkerName};

use crate::redis_server::fresh_workshop;
use crate::workshop::{LEASE, Submit, claim, gpu, nothing, person};

#[derive(Debug, Clone)]
enum Step {
    Submit { who: usize },
    Claim { worker: usize },
    Finish { worker: usize },
    Fail { worker: usize },
    CrashOfComfyui { worker: usize },
    Release { worker: usize },
    Cancel { nth: usize },
    LetLeasesEnd,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..3_usize).prop_map(|who| Step::Submit { who }),
        4 => (0..2_usize).prop_map(|worker| Step::Claim { worker }),
        3 => (0..2_usize).prop_map(|worker| Step::Finish { worker }),
        1 => (0..2_usize).prop_map(|worker| Step::Fail { worker }),
        1 => (0..2_usize).prop_map(|worker| Step::CrashOfComfyui { worker }),
        1 => (0..2_usize).prop_map(|worker| Step::Release { worker }),
        2 => (0..8_usize).prop_map(|nth| Step::Cancel { nth }),
        1 => Just(Step::LetLeasesEnd),
    ];
    proptest::collection::vec(step, 1..40)
}

#[derive(Debug, Clone)]
struct ModelJob {
    who: usize,
    arrived: usize,
    state: JobState,
    stopping: bool,
    crashes: u32,
}

/// The queue in plain words: jobs by arrival, one running per person and worker.
#[derive(Default)]
struct Model {
    order: Vec<JobId>,
    jobs: HashMap<JobId, ModelJob>,
    held: [Option<HeldLease>; 2],
    last_token: Option<LeaseToken>,
}

impl Model {
    fn next(&self) -> Option<JobId> {
        let runs = |who| self.jobs.values().any(|job| job.who == who && job.state == JobState::Running);
        let mut heads = HashMap::new();
        for id in &self.order {
            let job = &self.jobs[id];
            if job.state == JobState::Pending {
                heads.entry(job.who).or_insert(*id);
            }
        }
        heads
            .into_iter()
            .filter(|(who, _)| !runs(*who))
            .map(|(_, id)| id)
            .min_by_key(|id| self.jobs[id].arrived)
    }

    fn end(&mut self, worker: usize, state: JobState) {
        if let Some(held) = self.held[worker].take() {
            let job = self.jobs.get_mut(&held.job).unwrap();
            job.state =
                if job.stopping && state != JobState::Completed { JobState::Cancelled } else { state };
        }
    }

    fn take_back(&mut self, worker: usize, crash: bool) {
        let Some(held) = self.held[worker].take() else {
            return;
        };
        let job = self.jobs.get_mut(&held.job).unwrap();
        job.crashes += u32::from(crash && !job.stopping);
        job.state = match job {
            ModelJob { stopping: true, .. } => JobState::Cancelled,
            ModelJob { crashes: 3.., .. } => JobState::Failed,
            _ => JobState::Pending,
        };
    }
}

struct World {
    broker: Broker,
    people: [AccountName; 3],
    workers: [WorkerName; 2],
    model: Model,
    clock: Duration,
}

impl World {
    fn now(&self) -> Broker {
        self.broker.at_clock_offset(self.clock)
    }

    async fn take(&mut self, step: Step) {
        let broker = self.now();
        match step {
            Step::Submit { who } => {
                let job = Submit::of(&self.people[who]);
                job.to(&broker).await;
                let arrived = self.model.order.len();
                let state = JobState::Pending;
                self.model.order.push(job.id);
                let job_in_model = ModelJob { who, arrived, state, stopping: false, crashes: 0 };
                self.model.jobs.insert(job.id, job_in_model);
            }
            Step::Claim { worker } => self.claim(&broker, worker).await,
            Step::Finish { worker } => {
                let Some(held) = self.model.held[worker] else {
                    return;
                };
                let settled = broker.finish(&self.workers[worker], held, &nothing()).await.unwrap();
                assert_eq!(settled, Settled::Ended(JobState::Completed));
                self.model.end(worker, JobState::Completed);
            }
            Step::Fail { worker } => {
                let Some(held) = self.model.held[worker] else {
                    return;
                };
                let kind = FailureKind::Run;
                broker.fail(&self.workers[worker], held, kind, &nothing()).await.unwrap();
                self.model.end(worker, JobState::Failed);
            }
            Step::CrashOfComfyui { worker } => {
                let Some(held) = self.model.held[worker] else {
                    return;
                };
                let kind = FailureKind::ComfyuiLost;
                broker.fail(&self.workers[worker], held, kind, &nothing()).await.unwrap();
                self.model.take_back(worker, true);
            }
            Step::Release { worker } => {
                let Some(held) = self.model.held[worker] else {
                    return;
                };
                broker.release(&self.workers[worker], held).await.unwrap();
                self.model.take_back(worker, false);
            }
            Step::Cancel { nth } => self.cancel(&broker, nth).await,
            Step::LetLeasesEnd => self.let_leases_end().await,
        }
    }

    async fn claim(&mut self, broker: &Broker, worker: usize) {
        let expected = self.model.held[worker].map(|held| held.job).or_else(|| self.model.next());
        match (claim(broker, &self.workers[worker]).await, expected) {
            (Claimed::Lent(lent), Some(expected)) => {
                assert_eq!(lent.job, expected, "the oldest job of whoever may run one");
                let held = HeldLease { job: lent.job, token: lent.token };
                if self.model.held[worker].is_none() {
                    assert!(Some(lent.token) > self.model.last_token, "tokens only grow");
                    self.model.last_token = Some(lent.token);
                    self.model.jobs.get_mut(&lent.job).unwrap().state = JobState::Running;
                }
                self.model.held[worker] = Some(held);
            }
            (Claimed::Idle, None) => {}
            (claimed, expected) => panic!("claimed {claimed:?}, the model expects {expected:?}"),
        }
    }

    async fn cancel(&mut self, broker: &Broker, nth: usize) {
        let Some(id) = self.model.order.get(nth).copied() else {
            return;
        };
        let job = self.model.jobs.get_mut(&id).unwrap();
        let expected = match job.state {
            JobState::Pending => Cancelled::Cancelled,
            JobState::Running => Cancelled::Stopping,
            ended => Cancelled::Ended(ended),
        };
        assert_eq!(broker.cancel(id, Some(&self.people[job.who])).await.unwrap(), expected);
        match job.state {
            JobState::Pending => job.state = JobState::Cancelled,
            JobState::Running => job.stopping = true,
            _ => {}
        }
    }

    async fn let_leases_end(&mut self) {
        for _ in 0..=4 {
            self.now().reap().await.unwrap();
            self.clock += Duration::from_secs(9);
        }
        // A first reap after a pause may find a gap; leases it moved end a little later.
        let mut quiet = false;
        while !quiet {
            quiet = matches!(self.now().reap().await.unwrap(), Reaped::TakenBack(jobs) if jobs.is_empty());
            self.clock += Duration::from_secs(9);
        }
        for worker in 0..2 {
            self.model.take_back(worker, true);
        }
    }

    async fn check(&self) {
        let status = self.broker.status().await.unwrap();
        let count = |state| self.model.jobs.values().filter(|job| job.state == state).count() as u64;
        assert_eq!(status.pending_jobs, count(JobState::Pending));
        assert_eq!(status.running_jobs, count(JobState::Running));
        assert_eq!(status.completed_jobs, count(JobState::Completed));
        assert_eq!(status.failed_jobs, count(JobState::Failed));
        for (id, expected) in &self.model.jobs {
            let job = self.broker.job(*id).await.unwrap().unwrap();
            assert_eq!(job.state, expected.state);
            assert_eq!(job.ended_at.is_some(), job.state.is_end());
        }
    }
}

#[test]
fn any_history_leaves_each_job_in_exactly_one_place() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let cases = ProptestConfig { cases: 300, ..ProptestConfig::default() };
    proptest!(cases, |(history in steps())| {
        runtime.block_on(async {
            let mut world = World {
                broker: fresh_workshop().await,
                people: ["ada", "ben", "cam"].map(person),
                workers: ["gpu-1", "gpu-2"].map(gpu),
                model: Model::default(),
                clock: LEASE,
            };
            world.now().reap().await.unwrap();
            for step in history {
                world.take(step).await;
            }
            world.check().await;
        });
    });
}
