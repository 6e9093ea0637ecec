//! What the instructor does with the whole room, and what is noted for them.

use std::time::{Duration, Instant};

use queue_broker::transitions::claim::Claimed;
use queue_broker::transitions::classroom::Cleared;
use queue_broker::transitions::drain::WorkerOrder;
use queue_protocol::api::Step;
use queue_protocol::{JobState, Lane, Reason};

use crate::redis_server::fresh_workshop;
use crate::workshop::{AT_ONCE, Pinned, claim, gpu, held, lent, nothing, person, submit};

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_demo_takes_what_waits_already_and_gives_it_back_when_it_ends() {
    let broker = fresh_workshop().await;
    let (ada, teacher) = (person("ada"), person("teacher"));
    submit(&broker, &ada).await;
    let (first, second) = (submit(&broker, &teacher).await, submit(&broker, &teacher).await);
    broker.demo(&teacher, 10 * MINUTE, 2).await.unwrap();
    let third = submit(&broker, &teacher).await;
    let lanes: Vec<_> =
        broker.jobs(&[first, second, third]).await.unwrap().into_iter().map(|job| job.lane).collect();
    assert_eq!(lanes, [Lane::Instructor, Lane::Normal, Lane::Instructor]);
    assert_eq!(broker.status().await.unwrap().demo, None, "two jobs were two jobs");
    assert_eq!(broker.recount().await.unwrap(), Vec::<String>::new());
    assert_eq!(broker.end_demo().await.unwrap(), Some(teacher));
    let jobs = broker.jobs(&[first, third]).await.unwrap();
    assert!(jobs.iter().all(|job| job.lane == Lane::Normal), "it ended before they began");
    assert_eq!(broker.recount().await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn ending_a_demo_takes_back_what_still_waits_of_it_wherever_it_does_and_nothing_else() {
    let broker = fresh_workshop().await;
    let (ada, teacher) = (person("ada"), person("teacher"));
    assert_eq!(broker.end_demo().await.unwrap(), None);
    let prioritised = submit(&broker, &ada).await;
    broker.prioritise(prioritised, Lane::Instructor).await.unwrap();
    broker.demo(&teacher, 10 * MINUTE, 4).await.unwrap();
    let mut demo = Vec::new();
    for _ in 0..4 {
        demo.push(submit(&broker, &teacher).await);
    }
    broker.hold(demo[0], None, true).await.unwrap();
    broker.cancel(demo[1], None, MINUTE).await.unwrap();
    broker.cancel(demo[2], None, AT_ONCE).await.unwrap();
    assert_eq!(broker.status().await.unwrap().demo, None, "all four were submitted");
    assert_eq!(broker.end_demo().await.unwrap(), Some(teacher));
    let lane = async |id| broker.job(id).await.unwrap().unwrap().lane;
    for id in [demo[0], demo[1], demo[3]] {
        assert_eq!(lane(id).await, Lane::Normal);
    }
    assert_eq!(lane(prioritised).await, Lane::Instructor, "no demo put it there");
    assert_eq!(broker.end_demo().await.unwrap(), None);
    assert_eq!(broker.recount().await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn a_demo_is_over_when_its_time_is() {
    let broker = fresh_workshop().await;
    let teacher = person("teacher");
    broker.demo(&teacher, 10 * MINUTE, 1).await.unwrap();
    let later = broker.at_clock_offset(11 * MINUTE);
    assert_eq!(later.status().await.unwrap().demo, None);
    let job = submit(&later, &teacher).await;
    assert_eq!(later.job(job).await.unwrap().unwrap().lane, Lane::Normal);
    later.tick().await.unwrap();
    assert_eq!(broker.settings().await.unwrap().get("demo"), None);
}

#[tokio::test]
async fn one_each_lends_everybody_one_and_a_job_taken_back_is_still_theirs() {
    let broker = fresh_workshop().await;
    broker.configure(None, &[("one_each", "1"), ("running_per_participant", "5")]).await.unwrap();
    let (ada, ben) = (person("ada"), person("ben"));
    for who in [&ada, &ada, &ben] {
        submit(&broker, who).await;
    }
    let first = lent(&broker, &gpu("gpu-1")).await;
    assert_eq!(first.participant, ada);
    assert_eq!(lent(&broker, &gpu("gpu-2")).await.participant, ben);
    assert_eq!(claim(&broker, &gpu("gpu-3")).await, Claimed::Idle);
    broker.release(&gpu("gpu-1"), held(&first)).await.unwrap();
    assert_eq!(lent(&broker, &gpu("gpu-1")).await.job, first.job, "given back, it was none");
    assert_eq!(broker.recount().await.unwrap(), Vec::<String>::new());
    broker.configure(None, &[("one_each", "0")]).await.unwrap();
    assert_eq!(lent(&broker, &gpu("gpu-3")).await.participant, ada);
}

#[tokio::test]
async fn clearing_takes_out_what_waits_wherever_it_does_and_nothing_that_runs() {
    let broker = fresh_workshop().await;
    let ada = person("ada");
    let running = submit(&broker, &ada).await;
    lent(&broker, &gpu("gpu-1")).await;
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(submit(&broker, &ada).await);
    }
    broker.hold(ids[1], None, true).await.unwrap();
    broker.cancel(ids[2], None, MINUTE).await.unwrap();
    broker.cancel(running, None, MINUTE).await.unwrap();
    assert_eq!(broker.clear(3).await.unwrap(), Cleared::Changed(4));
    assert_eq!(broker.clear(4).await.unwrap(), Cleared::Cleared(4));
    assert!(broker.jobs(&ids).await.unwrap().iter().all(|job| job.state == JobState::Cancelled));
    let left = broker.job(running).await.unwrap().unwrap();
    assert_eq!((left.state, left.reason), (JobState::Running, Some(Reason::Cancelling)));
    assert_eq!(broker.clear(0).await.unwrap(), Cleared::Cleared(0));
    assert_eq!(broker.recount().await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn a_failure_is_a_problem_until_somebody_dismisses_or_retries_it() {
    let broker = fresh_workshop().await;
    let ada = person("ada");
    let mut failed = Vec::new();
    for _ in 0..3 {
        failed.push(submit(&broker, &ada).await);
        let claimed = lent(&broker, &gpu("gpu-1")).await;
        let kind = queue_protocol::FailureKind::Run;
        broker.fail(&gpu("gpu-1"), held(&claimed), kind, &nothing()).await.unwrap();
    }
    assert_eq!(broker.failures().await.unwrap().len(), 3);
    assert_eq!(broker.dismiss(&failed[..1]).await.unwrap(), 1);
    assert_eq!(broker.dismiss(&failed[..1]).await.unwrap(), 0);
    broker.retry(failed[1], None, queue_protocol::JobId::random()).await.unwrap();
    assert_eq!(broker.failures().await.unwrap(), failed[2..]);
}

#[tokio::test]
async fn progress_is_the_holders_word_and_the_same_step_is_none() {
    let broker = fresh_workshop().await;
    submit(&broker, &person("ada")).await;
    let worker = gpu("gpu-1");
    let claimed = lent(&broker, &worker).await;
    let step = |value| Step { node: "KSampler".to_owned(), value, max: 20 };
    assert!(broker.progress(&worker, held(&claimed), &step(3)).await.unwrap());
    let noted = async |name: &str| broker.workers().await.unwrap()[0].1.get(name).cloned();
    let at = noted("stepped_at").await;
    let later = broker.at_clock_offset(MINUTE);
    later.progress(&worker, held(&claimed), &step(3)).await.unwrap();
    assert_eq!(noted("stepped_at").await, at);
    later.progress(&worker, held(&claimed), &step(4)).await.unwrap();
    assert_ne!(noted("stepped_at").await, at);
    assert!(!broker.progress(&gpu("gpu-2"), held(&claimed), &step(9)).await.unwrap());
}

/// Whether it is so many seconds, but for what a test took itself.
fn is_about(ms: u64, seconds: u64, began: Instant) -> bool {
    Duration::from_millis(ms.abs_diff(seconds * 1_000)) <= Duration::from_millis(100) + began.elapsed()
}

#[tokio::test]
async fn every_minute_is_a_line_of_the_chart() {
    let broker = fresh_workshop().await;
    let (workshop, began) = (Pinned::of(broker.clone()), Instant::now());
    let at = |seconds| workshop.at(Duration::from_secs(seconds));
    let ada = person("ada");
    let job = submit(&at(0), &ada).await;
    at(0).tick().await.unwrap();
    let worker = gpu("gpu-1");
    let claimed = lent(&at(4), &worker).await;
    at(4).tick().await.unwrap();
    at(9).tick().await.unwrap();
    at(9).finish(&worker, held(&claimed), &nothing()).await.unwrap();
    submit(&at(9), &ada).await;
    let later = at(120);
    later.tick().await.unwrap();
    let minutes = later.minutes(10).await.unwrap();
    let sum = |of: fn(&queue_protocol::api::Minute) -> u64| minutes.iter().map(of).sum::<u64>();
    assert_eq!((sum(|m| m.submitted), sum(|m| m.completed), minutes.last().unwrap().pending), (2, 1, 1));
    assert!(is_about(sum(|m| m.busy_ms), 9, began), "from 4 s before to 9 s: {minutes:?}");
    let wait = minutes.iter().find_map(|minute| minute.wait_p50).unwrap();
    assert!(is_about(wait, 4, began), "{wait}");
    let facts = at(9).people_facts(&[ada]).await.unwrap().remove(0);
    assert_eq!((facts.used.completed, facts.used.started, facts.waiting), (1, 1, 1));
    assert!(is_about(facts.used.gpu_ms, 5, began), "{facts:?}");
    let states: Vec<_> = broker.story(job).await.unwrap().into_iter().map(|event| event.state).collect();
    assert_eq!(states, ["pending", "running", "completed"]);
}

#[tokio::test]
async fn a_gpu_that_takes_nothing_more_is_paid_for_while_it_is_connected() {
    let (workshop, began) = (Pinned::of(fresh_workshop().await), Instant::now());
    let at = |seconds| workshop.at(Duration::from_secs(seconds));
    let worker = gpu("gpu-1");
    submit(&at(0), &person("ada")).await;
    let claimed = lent(&at(0), &worker).await;
    at(0).order_worker(&worker, WorkerOrder::Drain).await.unwrap();
    at(0).tick().await.unwrap();
    let after = async |then: u64, is_idle: bool, ready: u64, busy: u64| {
        at(then).tick().await.unwrap();
        let (idle_since, gpus) = at(then).gpu_time().await.unwrap();
        assert_eq!(idle_since.is_some(), is_idle, "after {then} s");
        let (ready, busy) = (is_about(gpus.ready_ms, ready, began), is_about(gpus.busy_ms, busy, began));
        assert!(ready && busy, "after {then} s: {gpus:?}");
    };
    // Its job is finished there.
    after(5, false, 5, 5).await;
    at(5).finish(&worker, held(&claimed), &nothing()).await.unwrap();
    after(9, true, 9, 5).await;
    after(16, true, 16, 5).await;
    // Nobody has heard of it for a minute.
    after(90, false, 16, 5).await;
}
