//! Logs for programs: every line is JSON and names what it is about.

use serde_json::Value;
use testkit::{Process, WorkshopBuilder, graphs};

fn lines(process: &Process) -> Vec<Value> {
    let output = process.output();
    output.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect()
}

/// What a line says about `field`, itself or by the span it stands in.
fn about<'a>(line: &'a Value, field: &str) -> Option<&'a str> {
    line.get(field).or_else(|| line["span"].get(field)).and_then(Value::as_str)
}

#[tokio::test]
async fn every_line_of_a_json_log_is_json_and_jobs_people_and_workers_can_be_followed() {
    let builder = WorkshopBuilder::new().setting("ATELIER_LOG_FORMAT", "json").with_admin();
    let mut workshop = builder.start().await.unwrap();
    let ada = workshop.person("user001").unwrap();
    let id = ada.submit(&graphs::white_picture()).await.unwrap();
    ada.wait_for(&id, "completed").await.unwrap();
    workshop.workers[0].stop().await.unwrap();
    workshop.queue_manager.stop().await.unwrap();

    let queue_manager = lines(&workshop.queue_manager);
    let whole = |line: &&Value| {
        about(line, "job.id") == Some(&id)
            && about(line, "participant.id") == Some("user001")
            && about(line, "worker.id") == Some("gpu-1")
    };
    assert!(queue_manager.iter().any(|line| whole(&line)), "{queue_manager:#?}");
    let worker = lines(&workshop.workers[0]);
    assert!(worker.iter().any(|line| about(line, "job.id") == Some(&id)), "{worker:#?}");
    assert!(worker.iter().any(|line| about(line, "worker.id") == Some("gpu-1")));
    for line in queue_manager.iter().chain(&worker) {
        assert!(line["timestamp"].is_string() && line["level"].is_string() && line["message"].is_string());
    }
    assert!(!workshop.logs().contains(workshop.password("user001").unwrap()));
}
