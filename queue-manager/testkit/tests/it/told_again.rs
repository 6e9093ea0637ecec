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
    let long = run(&ada, &tab.sid, &graphs::sampled_picture(1, 500)).await;
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
