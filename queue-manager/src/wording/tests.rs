//! The words themselves.

use serde_json::{Value, json};

use super::*;

fn job(more: &Value) -> Job {
    let mut job = json!({
        "id": "3f0c1a54-2c4b-4b0e-9c55-0d6a4a3f0a01", "participant": "ada", "state": "pending", "reason": null,
        "lane": "normal", "position": null, "starts_in": null, "attempts": 1, "worker": null,
        "retry_of": null, "cancel_at": null, "submitted_at": 1, "started_at": null, "ended_at": null,
        "outputs": [], "error": null,
    });
    job.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(job).unwrap()
}

/// A queue with one worker.
pub(crate) fn queue() -> QueueStatus {
    QueueStatus {
        mode: Mode::RoundRobin,
        paused: false,
        demo: None,
        one_each: false,
        pending_jobs: 3,
        running_jobs: 1,
        completed_jobs: 0,
        failed_jobs: 0,
        total_workers: 1,
        active_workers: 1,
        queue_depth: 4,
    }
}

fn said(more: &Value, order: Mode) -> (String, String) {
    let Words { text, detail } = about(&job(more), &QueueStatus { mode: order, ..queue() });
    (text, detail)
}

#[test]
fn a_waiting_job_says_its_place_its_time_and_why() {
    let third =
        json!({"position": 3, "people_ahead": 2, "starts_in": {"soonest_ms": 350_000, "latest_ms": 500_000}});
    let (text, detail) = said(&third, Mode::RoundRobin);
    assert_eq!(text, "3rd in line · about 6–9 min");
    assert_eq!(
        detail,
        "Taking turns: one job each before anyone gets a second. 2 jobs go first; 2 other people are ahead of you."
    );
    let own_between = json!({"position": 6, "people_ahead": 1});
    assert_eq!(
        said(&own_between, Mode::Fifo).1,
        "First come, first served. 5 jobs go first; 1 other person is ahead of you. No estimate yet."
    );
    let (text, detail) = said(&json!({"position": 3, "people_ahead": 0}), Mode::Fifo);
    assert_eq!(
        (text.as_str(), detail.as_str()),
        ("3rd in line", "First come, first served. 2 of your own jobs go first. No estimate yet.")
    );
    let soon = json!({"position": 1, "people_ahead": 0, "starts_in": {"soonest_ms": 0, "latest_ms": 9_000}});
    assert_eq!(said(&soon, Mode::Fair).0, "Next in line · starts within a minute");
}

#[test]
fn a_place_is_counted_as_people_count() {
    let places = [2, 3, 4, 11, 12, 13, 21, 22, 111, 112].map(in_line);
    let words: Vec<_> = places.iter().map(|place| place.strip_suffix(" in line").unwrap()).collect();
    assert_eq!(words, ["2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "22nd", "111th", "112th"]);
}

#[test]
fn a_job_that_nobody_can_run_says_what_is_missing_and_no_place() {
    let held = json!({"reason": "on_hold", "missing": ["ltx-2-19b.safetensors"]});
    let (text, detail) = said(&held, Mode::Fifo);
    assert_eq!(text, "On hold");
    assert!(detail.starts_with("No GPU here has ltx-2-19b.safetensors."), "{detail}");
}

#[test]
fn a_pause_keeps_the_place_but_not_for_the_instructor() {
    let paused = QueueStatus { paused: true, ..queue() };
    let words = about(&job(&json!({"position": 2})), &paused);
    assert_eq!(
        (words.text.as_str(), words.detail.as_str()),
        ("Paused by your instructor", "Your place is kept: 2nd in line.")
    );
    let own = about(&job(&json!({"position": 1, "lane": "instructor"})), &paused);
    assert_eq!(own.text, "Next in line");
    let nobody = QueueStatus { active_workers: 0, ..queue() };
    assert!(about(&job(&json!({"position": 2})), &nobody).detail.starts_with("No GPU is connected."));
}

#[test]
fn an_ended_job_says_how_long_it_took_or_what_to_do() {
    assert_eq!(
        said(&json!({"state": "completed", "started_at": 1_000, "ended_at": 193_000}), Mode::Fifo).0,
        "Done in 3:12"
    );
    let memory = json!({"state": "failed", "error": {"exception_type": "torch.OutOfMemoryError", "exception_message": "CUDA"}});
    assert!(said(&memory, Mode::Fifo).1.contains("smaller picture"));
    let plain = json!({"state": "failed", "error": {"exception_type": "ValueError", "exception_message": "no such file\nmore"}});
    assert_eq!(said(&plain, Mode::Fifo).1, "no such file");
    let running = json!({"state": "running", "worker": "gpu-1", "usual_ms": 100_000});
    assert_eq!(said(&running, Mode::Fifo).1, "On gpu-1. Such jobs usually take 1:40.");
}

#[test]
fn what_the_instructor_does_for_all_is_said_to_those_who_wait() {
    let waiting = job(&json!({"position": 2, "people_ahead": 1}));
    let each = about(&waiting, &QueueStatus { one_each: true, ..queue() });
    assert!(each.detail.starts_with("One job each for now. "), "{}", each.detail);
}

#[test]
fn a_time_is_said_in_the_largest_unit_that_fits() {
    let said = [0, 119, 120, 7_200, 172_800].map(|seconds| ago(seconds * 1_000, 0));
    assert_eq!(said, ["0 s ago", "119 s ago", "2 min ago", "2 h ago", "2 days ago"]);
    assert_eq!(ago(0, 5), "0 s ago", "the clock went back");
}
