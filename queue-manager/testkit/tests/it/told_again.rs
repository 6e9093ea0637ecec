//! What a tab is told again when it comes back: all that it did not certainly hear, and nothing of what it did.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::{Line, Person, Relay, Tab, Workshop, WorkshopBuilder, graphs, waiting};

const LIMIT: Duration = Duration::from_secs(60);

async fn run(person: &Person, client: &str, graph: &Value) -> String {
    let body = json!({"prompt": graph, "client_id": client});
    let path = format!("/{}/api/prompt", person.name);
    let answer: Value = person.post(&path, &body).await.unwrap().json().await.unwrap();
    answer["prompt_id"].as_str().unwrap().to_owned()
}

/// How often each of these was said of a job.
fn times<const N: usize>(tab: &Tab, job: &str, kinds: [&str; N]) -> [usize; N] {
    let story = tab.story(job);
    kinds.map(|kind| story.iter().filter(|said| **said == kind).count())
}

/// What the store keeps for a tab.
async fn kept(workshop: &Workshop, sid: &str) -> String {
    workshop.redis(&["lrange", &format!("{{workshop}}:missed:user001:{sid}"), "0", "-1"]).await.unwrap()
}

#[tokio::test]
async fn a_tab_that_answers_nothing_is_told_again_and_its_socket_is_closed() {
    let workshop = WorkshopBuilder::new().start().await.unwrap();
    let ada = workshop.person("user001").unwrap();
    let relay = Relay::start(workshop.direct.strip_prefix("http://").unwrap()).unwrap();
    let mut tab = ada.at(&relay.url).tab(None).await.unwrap();
    // As half a connection looks from here: all that is sent is taken.
    relay.set(Line { up_silent: true, ..Line::default() });
    let id = run(&ada, &tab.sid, &graphs::sampled_picture(1, 10)).await;
    tab.hear_the_end(&id).await.unwrap();
    let mut back = ada.tab(Some(&tab.sid)).await.unwrap();
    back.hear_the_end(&id).await.unwrap();
    assert_eq!(back.story(&id), tab.story(&id));
    assert_eq!(tab.closed().await.unwrap(), Some(1001), "it counts among the account's sockets no longer");
}

#[tokio::test]
async fn a_line_that_breaks_between_the_ends_of_three_jobs_costs_none_of_them() {
    let workshop = WorkshopBuilder::new().start().await.unwrap();
    let ada = workshop.person("user001").unwrap();
    let sid = ada.tab(None).await.unwrap().sid;
    let mut jobs = Vec::new();
    for seed in 0..3 {
        jobs.push(run(&ada, &sid, &graphs::sampled_picture(seed, 1)).await);
    }
    for job in &jobs {
        ada.wait_for(job, "completed").await.unwrap();
    }
    let mut tab = ada.tab(Some(&sid)).await.unwrap();
    tab.hear_the_end(&jobs[0]).await.unwrap();
    drop(tab);
    let mut tab = ada.tab(Some(&sid)).await.unwrap();
    tab.hear_the_end(&jobs[2]).await.unwrap();
    for job in &jobs[1..] {
        assert_eq!(times(&tab, job, ["execution_start", "executed", "execution_success"]), [1, 1, 1]);
    }
    waiting::until("nothing to wait for the tab any more", LIMIT, async || {
        // Whoever listens answers pings.
        let _ = tokio::time::timeout(Duration::from_millis(50), tab.next()).await;
        Ok(kept(&workshop, &sid).await.trim().is_empty().then_some(()))
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn the_end_of_one_job_leaves_what_is_kept_of_another_that_runs_beside_it() {
    let workshop = WorkshopBuilder::new().workers(2).lease_ms(30_000).start().await.unwrap();
    workshop.redis(&["hset", "{workshop}:settings", "running_per_participant", "2"]).await.unwrap();
    let ada = workshop.person("user001").unwrap();
    let mut tab = ada.tab(None).await.unwrap();
    let long = run(&ada, &tab.sid, &graphs::sampled_picture(1, 3_000)).await;
    tab.hear("progress", &long).await.unwrap();
    let short = run(&ada, &tab.sid, &graphs::white_picture()).await;
    tab.hear_the_end(&short).await.unwrap();
    waiting::until("the tab to have said that it has the short one", LIMIT, async || {
        let _ = tokio::time::timeout(Duration::from_millis(50), tab.next()).await;
        Ok((!kept(&workshop, &tab.sid).await.contains(&short)).then_some(()))
    })
    .await
    .unwrap();
    let mut reloaded = ada.tab(Some(&tab.sid)).await.unwrap();
    reloaded.hear("progress", &long).await.unwrap();
    assert_eq!(reloaded.story(&long)[..2], ["execution_start", "execution_cached"]);
    assert_eq!(reloaded.story(&short), [""; 0]);
}

#[tokio::test]
async fn a_job_that_is_parked_ends_for_a_tab_that_is_reloaded_and_for_one_that_listens_once_each() {
    let mut workshop = WorkshopBuilder::new().start().await.unwrap();
    let second = workshop.second_queue_manager().await.unwrap();
    let ada = workshop.person("user001").unwrap();
    let mut tab = ada.tab(None).await.unwrap();
    let sid = ada.tab(None).await.unwrap().sid;
    let mut jobs = Vec::new();
    let clients = [tab.sid.clone(), sid.clone()];
    for client in &clients {
        let job = run(&ada, client, &graphs::sampled_picture(1, 3_000)).await;
        waiting::until("the store to keep what the job says", LIMIT, async || {
            Ok(kept(&workshop, client).await.contains("executing").then_some(()))
        })
        .await
        .unwrap();
        workshop.redis(&["hset", &format!("{{workshop}}:job:{job}"), "crashes", "2"]).await.unwrap();
        workshop.workers[0].kill().await.unwrap();
        assert_eq!(ada.wait_for(&job, "failed").await.unwrap()["reason"], "parked");
        workshop.post_comfyui(1, "/interrupt", &json!({})).await.unwrap();
        workshop.restart_worker(1).unwrap();
        jobs.push(job);
        // Whoever listens answers pings.
        if jobs.len() == 1 {
            tab.hear_the_end(&jobs[0]).await.unwrap();
        }
    }
    let mut reloaded = ada.tab(Some(&sid)).await.unwrap();
    reloaded.hear_the_end(&jobs[1]).await.unwrap();
    // Behind the ends, so that a second one would have been heard.
    for (tab, job) in [(&mut tab, &jobs[0]), (&mut reloaded, &jobs[1])] {
        let last = run(&ada, &tab.sid, &graphs::white_picture()).await;
        tab.hear_the_end(&last).await.unwrap();
        assert_eq!(times(tab, job, ["execution_error"]), [1]);
        let story = tab.story(job);
        assert_eq!(story[story.len() - 2..], ["execution_error", "executing"], "{story:?}");
    }
    drop(second);
}

#[tokio::test]
async fn a_job_that_is_cancelled_after_its_worker_died_ends_for_a_tab_that_was_away() {
    let mut workshop = WorkshopBuilder::new().start().await.unwrap();
    let ada = workshop.person("user001").unwrap();
    let sid = ada.tab(None).await.unwrap().sid;
    let job = run(&ada, &sid, &graphs::sampled_picture(1, 3_000)).await;
    waiting::until("the store to keep what the job says", LIMIT, async || {
        Ok(kept(&workshop, &sid).await.contains("executing").then_some(()))
    })
    .await
    .unwrap();
    workshop.workers[0].kill().await.unwrap();
    ada.wait_for(&job, "pending").await.unwrap();
    ada.post("/user001/queue", &json!({"delete": [job]})).await.unwrap().error_for_status().unwrap();
    let mut tab = ada.tab(Some(&sid)).await.unwrap();
    tab.hear_the_end(&job).await.unwrap();
    let story = tab.story(&job);
    assert_eq!(story[story.len() - 2..], ["execution_interrupted", "executing"], "{story:?}");
}

#[tokio::test]
async fn an_end_that_was_not_told_is_told_when_a_queue_manager_begins_to_listen() {
    let mut workshop = WorkshopBuilder::new().start().await.unwrap();
    let ada = workshop.person("user001").unwrap();
    let sid = ada.tab(None).await.unwrap().sid;
    let job = run(&ada, &sid, &graphs::misbehaving(graphs::white_picture(), "2", "fail")).await;
    waiting::until("the failure to be told", LIMIT, async || {
        Ok(kept(&workshop, &sid).await.contains("execution_error").then_some(()))
    })
    .await
    .unwrap();
    // As if nobody had said anything.
    workshop.queue_manager.kill().await.unwrap();
    let token = workshop.redis(&["hget", &format!("{{workshop}}:job:{job}"), "token"]).await.unwrap();
    let place = format!("{{workshop}}:said:{}", token.trim());
    workshop.redis(&["del", &place, &format!("{{workshop}}:missed:user001:{sid}")]).await.unwrap();
    workshop.restart_queue_manager().await.unwrap();
    let mut tab = ada.tab(Some(&sid)).await.unwrap();
    tab.hear_the_end(&job).await.unwrap();
    assert_eq!(times(&tab, &job, ["execution_error", "executing"]), [1, 1]);
}
