//! A ComfyUI that does not stop what it is told to stop, and one that the worker keeps itself.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use testkit::process::{free_port, our_program};
use testkit::{Person, Workshop, WorkshopBuilder, graphs, waiting};

const LIMIT: Duration = Duration::from_secs(60);

async fn unready(workshop: &Workshop) -> String {
    workshop.redis(&["hget", "{workshop}:worker:gpu-1", "unready"]).await.unwrap().trim().to_owned()
}

/// Runs a job that will not stop, and cancels it.
async fn stuck_job(workshop: &Workshop, ada: &Person) {
    workshop.simulate(1, &json!({"ignore_interrupt": true})).await.unwrap();
    let mut tab = ada.tab(None).await.unwrap();
    let body = json!({"prompt": graphs::sampled_picture(1, 9_000), "client_id": tab.sid});
    let answer: Value = ada.post("/user001/prompt", &body).await.unwrap().json().await.unwrap();
    let id = answer["prompt_id"].as_str().unwrap();
    tab.hear("progress", id).await.unwrap();
    ada.post("/user001/interrupt", &json!({"prompt_id": id})).await.unwrap().error_for_status().unwrap();
    ada.wait_for(id, "cancelled").await.unwrap();
}

/// A workshop whose worker starts its ComfyUI itself. A worker that is killed, as at the end of a failed test, leaves it.
struct Kept(Workshop);

impl Drop for Kept {
    fn drop(&mut self) {
        let log = self.0.workers[0].output();
        let started = log.lines().filter_map(|line| line.split("started ComfyUI process.id=").nth(1));
        for group in started.filter_map(|id| id.parse().ok()).filter_map(Pid::from_raw) {
            // Most are gone already.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

async fn with_kept_comfyui() -> Kept {
    let mut workshop = WorkshopBuilder::new().lease_ms(8_000).workers(0).start().await.unwrap();
    let (port, folder) = (free_port().unwrap(), workshop.data().join("comfyui"));
    let program = our_program("simulated-comfyui").unwrap();
    // A compound command, so that a shell stands between.
    let command = format!(
        "cd / && '{}' --port {port} --step-ms 20 --folder '{}'; echo it ended",
        program.display(),
        folder.display()
    );
    workshop.worker_settings = vec![("ATELIER_COMFYUI_COMMAND".to_owned(), command)];
    workshop.add_worker(20, Some(&format!("http://127.0.0.1:{port}"))).await.unwrap();
    Kept(workshop)
}

#[tokio::test]
async fn a_worker_whose_comfyui_does_not_stop_says_so_and_claims_nothing_until_it_has() {
    let workshop = WorkshopBuilder::new().lease_ms(8_000).start().await.unwrap();
    let (ada, ben) = (workshop.person("user001").unwrap(), workshop.person("user002").unwrap());
    stuck_job(&workshop, &ada).await;
    waiting::until("the worker to say so", LIMIT, async || {
        Ok((unready(&workshop).await == "comfyui_stuck").then_some(()))
    })
    .await
    .unwrap();
    let waiting = ben.submit(&graphs::white_picture()).await.unwrap();
    // What a claim would do at the latest: the sweep of an idle link.
    waiting::until("two sweeps", LIMIT, async || {
        let renewals = workshop.redis(&["hget", "{workshop}:worker:gpu-1", "comfyui_alive"]).await?;
        assert_eq!(renewals.trim(), "true");
        let created = ben.job(&waiting).await?["created_at"].as_u64().unwrap_or_default();
        let now: u64 = workshop.redis(&["time"]).await?.lines().next().unwrap_or_default().parse()?;
        Ok((now * 1_000 > created + 11_000).then_some(()))
    })
    .await
    .unwrap();
    assert_eq!(ben.job(&waiting).await.unwrap()["attempts"], 0);
    workshop.simulate(1, &json!({"ignore_interrupt": false})).await.unwrap();
    ben.wait_for(&waiting, "completed").await.unwrap();
    assert_eq!(unready(&workshop).await, "");
}

#[tokio::test]
async fn a_worker_restarts_its_own_comfyui_when_that_does_not_stop_a_job() {
    let mut kept = with_kept_comfyui().await;
    let workshop = &mut kept.0;
    let (ada, ben) = (workshop.person("user001").unwrap(), workshop.person("user002").unwrap());
    stuck_job(workshop, &ada).await;
    let next = ben.submit(&graphs::white_picture()).await.unwrap();
    ben.wait_for(&next, "completed").await.unwrap();
    let history = workshop.ask_comfyui(1, "/history").await.unwrap();
    assert_eq!(history.as_object().unwrap().len(), 1, "a new process, which knows the second job only");
    assert_eq!(workshop.workers[0].stop().await.unwrap(), Some(0));
    assert!(workshop.ask_comfyui(1, "/queue").await.is_err(), "it ended with its worker");
}

#[tokio::test]
async fn a_job_that_kills_its_comfyui_again_and_again_is_parked_and_the_next_one_runs() {
    let kept = with_kept_comfyui().await;
    let workshop = &kept.0;
    let (ada, ben) = (workshop.person("user001").unwrap(), workshop.person("user002").unwrap());
    let mut tab = ada.tab(None).await.unwrap();
    let poison = graphs::misbehaving(graphs::white_picture(), "2", "die");
    let body = serde_json::json!({"prompt": poison, "client_id": tab.sid});
    let answer: serde_json::Value = ada.post("/user001/prompt", &body).await.unwrap().json().await.unwrap();
    let poison = answer["prompt_id"].as_str().unwrap().to_owned();
    ada.wait_for(&poison, "running").await.unwrap();
    let next = ben.submit(&graphs::white_picture()).await.unwrap();
    tab.hear_the_end(&poison).await.unwrap();
    let job = ada.wait_for(&poison, "failed").await.unwrap();
    assert_eq!((&job["reason"], &job["attempts"]), (&json!("parked"), &json!(3)));
    assert_eq!(ben.wait_for(&next, "completed").await.unwrap()["attempts"], 1);
    let starts = workshop.workers[0].output().matches("started ComfyUI").count();
    assert_eq!(starts, 4, "once, and again after each of its ends");
    let heard = |kind: &str| tab.heard.iter().filter(|m| m["type"] == kind).collect::<Vec<_>>();
    assert_eq!(heard("notification").len(), 2, "it was to run again");
    let errors = heard("execution_error");
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert_eq!(errors[0]["data"]["node_id"], "", "of the service, and of no node");
}

#[tokio::test]
async fn a_comfyui_that_runs_already_is_adopted_and_not_started_twice() {
    let mut workshop = WorkshopBuilder::new().lease_ms(30_000).start().await.unwrap();
    let ada = workshop.person("user001").unwrap();
    let id = ada.submit(&graphs::sampled_picture(1, 200)).await.unwrap();
    ada.wait_for(&id, "running").await.unwrap();
    workshop.workers[0].kill().await.unwrap();
    workshop.worker_settings =
        vec![("ATELIER_COMFYUI_COMMAND".to_owned(), "echo started; sleep 600".to_owned())];
    workshop.restart_worker(1).unwrap();
    assert_eq!(ada.wait_for(&id, "completed").await.unwrap()["attempts"], 1);
    assert!(!workshop.workers[0].output().contains("started"), "{}", workshop.workers[0].output());
}
