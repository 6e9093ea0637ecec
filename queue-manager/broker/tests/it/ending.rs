//! Finish, fail, release: each job ends once.

use queue_broker::transitions::finish::Settled;
use queue_protocol::link::{JobError, JobResult};
use queue_protocol::{FailureKind, JobState, Reason};

use crate::redis_server::{fresh_workshop, fresh_workshop_with_cap};
use crate::workshop::{gpu, held, lent, nothing, person, submit};

#[tokio::test]
async fn an_end_said_twice_is_one_end() {
    let broker = fresh_workshop().await;
    submit(&broker, &person("ada")).await;
    let claimed = lent(&broker, &gpu("gpu-1")).await;
    let ended = Settled::Ended(JobState::Completed);
    assert_eq!(broker.finish(&gpu("gpu-1"), held(&claimed), &nothing()).await.unwrap(), ended);
    assert_eq!(broker.finish(&gpu("gpu-1"), held(&claimed), &nothing()).await.unwrap(), ended);
    let failed = broker.fail(&gpu("gpu-1"), held(&claimed), FailureKind::Run, &nothing()).await.unwrap();
    assert_eq!(failed, ended, "an end state never changes");
    assert_eq!(broker.status().await.unwrap().completed_jobs, 1);
}

#[tokio::test]
async fn a_failure_keeps_its_words() {
    let broker = fresh_workshop().await;
    let job = submit(&broker, &person("ada")).await;
    let claimed = lent(&broker, &gpu("gpu-1")).await;
    let error =
        JobError { node_id: "3".into(), exception_message: "out of memory".into(), ..JobError::default() };
    let result = JobResult { error: Some(error.clone()), ..JobResult::default() };
    broker.fail(&gpu("gpu-1"), held(&claimed), FailureKind::OutOfMemory, &result).await.unwrap();
    assert_eq!(broker.result(job).await.unwrap().unwrap().error, Some(error));
    assert_eq!(broker.job(job).await.unwrap().unwrap().state, JobState::Failed);
}

#[tokio::test]
async fn a_job_whose_comfyui_went_away_runs_again_and_is_parked_the_third_time() {
    let broker = fresh_workshop().await;
    let job = submit(&broker, &person("ada")).await;
    for expected in [Settled::Again, Settled::Again, Settled::Ended(JobState::Failed)] {
        let claimed = lent(&broker, &gpu("gpu-1")).await;
        let kind = FailureKind::ComfyuiLost;
        assert_eq!(broker.fail(&gpu("gpu-1"), held(&claimed), kind, &nothing()).await.unwrap(), expected);
    }
    assert_eq!(broker.job(job).await.unwrap().unwrap().reason, Some(Reason::Parked));
}

#[tokio::test]
async fn a_released_job_is_the_next_of_its_line_again() {
    let broker = fresh_workshop().await;
    let ada = person("ada");
    let job = submit(&broker, &ada).await;
    submit(&broker, &ada).await;
    let claimed = lent(&broker, &gpu("gpu-1")).await;
    assert_eq!(broker.release(&gpu("gpu-1"), held(&claimed)).await.unwrap(), Settled::Again);
    assert_eq!(broker.release(&gpu("gpu-1"), held(&claimed)).await.unwrap(), Settled::Again);
    assert_eq!(broker.status().await.unwrap().pending_jobs, 2);
    assert_eq!(lent(&broker, &gpu("gpu-2")).await.job, job);
}

#[tokio::test]
async fn a_crash_said_twice_is_one_crash() {
    let broker = fresh_workshop().await;
    let job = submit(&broker, &person("ada")).await;
    let claimed = lent(&broker, &gpu("gpu-1")).await;
    for _ in 0..5 {
        let kind = FailureKind::ComfyuiLost;
        assert_eq!(
            broker.fail(&gpu("gpu-1"), held(&claimed), kind, &nothing()).await.unwrap(),
            Settled::Again
        );
    }
    assert_eq!(broker.job(job).await.unwrap().unwrap().state, JobState::Pending);
}

#[tokio::test]
async fn jobs_that_come_back_keep_their_owners_order() {
    let broker = fresh_workshop_with_cap(2).await;
    let ada = person("ada");
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(submit(&broker, &ada).await);
    }
    let (first, second) = (lent(&broker, &gpu("gpu-1")).await, lent(&broker, &gpu("gpu-2")).await);
    broker.release(&gpu("gpu-1"), held(&first)).await.unwrap();
    broker.release(&gpu("gpu-2"), held(&second)).await.unwrap();
    assert_eq!(broker.positions(&ids).await.unwrap(), [Some(1), Some(2), Some(3), Some(4)]);
}
