//! What is done to all jobs of a cause: the button says to how many, and it can be taken back for all of them.

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::{WorkshopBuilder, graphs, waiting};

use crate::room_actions::bare_comfyui;
use crate::room_dashboard::Dashboard;

const LONG: Duration = Duration::from_secs(30);

/// More than the overview lists one by one.
const JOBS: usize = 40;

#[tokio::test]
async fn a_cause_counts_all_of_its_jobs_and_one_click_takes_the_cancel_of_all_back() {
    let mut room = Dashboard::open(WorkshopBuilder::new().workers(1)).await;
    room.workshop.add_worker(20, Some(&bare_comfyui().await)).await.unwrap();
    // From now on no GPU that is here has the model, which the workshop has met.
    room.workshop.workers[0].stop().await.unwrap();
    let ada = room.workshop.person("user001").unwrap();
    let graphs: Vec<_> = (1..).take(JOBS).map(|seed| graphs::sampled_picture(seed, 1)).collect();
    let ids: Vec<_> = join_all(graphs.iter().map(|graph| ada.submit(graph)))
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    let seen = waiting::until("all of them to be on hold", LONG, async || {
        let seen = room.ask("/room").await;
        let count = seen["problems"][0]["jobs"].as_array().map_or(0, Vec::len);
        Ok((count == JOBS).then_some(seen))
    });
    let seen = seen.await.unwrap();
    let cause = &seen["problems"][0];
    assert_eq!(seen["aside"].as_array().unwrap().len(), 30, "which are listed one by one");
    assert!(room.get("/").await.html.contains("Cancel all 40"));
    let id = cause["id"].as_str().unwrap();
    let reasons = async |of: &[String]| {
        let jobs = join_all(of.iter().map(|id| ada.job(id))).await;
        jobs.into_iter().map(|job| job.unwrap()["reason"].clone()).collect::<Vec<_>>()
    };

    let keep = format!("/causes/{id}/keep");
    assert_eq!(room.call("instructor", Method::POST, &keep, Value::Null).await.0, 409, "nothing to keep");
    // As the page's script does it.
    let answer = room.act(&format!("/causes/{id}/cancel"), &[]).await;
    assert_eq!(answer["said"], "Cancelled in ten seconds: 40 jobs.");
    assert_eq!(answer["undo"], json!(keep));
    assert!(reasons(&ids).await.iter().all(|reason| reason == "cancelling"));
    let answer = room.act(&keep, &[]).await;
    assert_eq!(answer["said"], "Kept: 40 jobs.");
    assert_eq!(room.last_deed().await, ("cause.keep".to_owned(), id.to_owned()));
    assert!(reasons(&ids).await.iter().all(|reason| reason != "cancelling"));
    assert_eq!(room.call("instructor", Method::POST, &keep, Value::Null).await.0, 409, "once");
    for other in ["0", "zzzzzzzzzzzz"] {
        let path = format!("/causes/{other}/keep");
        assert_eq!(room.call("instructor", Method::POST, &path, Value::Null).await.0, 404);
    }
}
