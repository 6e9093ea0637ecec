//! What holds for every recording, whoever made it.

use serde_json::Value;

use crate::recording::{Exchange, Frame, Recording};

/// Fails where a recording breaks one of the protocol's laws.
pub(crate) fn assert_lawful(recording: &Recording) {
    for frames in recording.streams.values() {
        a_stream_begins_with_its_own_id(frames);
        an_ending_is_followed_by_the_queue_length_and_a_last_executing(frames);
        nodes_start_and_finish_in_turn(frames);
    }
    for exchange in &recording.exchanges {
        if exchange.is("POST", "/prompt") && exchange.headers.contains_key("content-type") {
            a_prompt_is_accepted_or_refused_in_the_known_form(exchange);
        }
        if exchange.path().starts_with("/history/") {
            a_history_entry_agrees_with_what_was_told(exchange, recording);
        }
    }
}

fn a_stream_begins_with_its_own_id(frames: &[Frame]) {
    assert_eq!(frames[0].kind(), "status");
    assert!(frames[0].data()["sid"].is_string());
    let later = frames[1..].iter().filter(|frame| frame.kind() == "status");
    assert!(later.into_iter().all(|frame| frame.data()["sid"].is_null()));
}

fn an_ending_is_followed_by_the_queue_length_and_a_last_executing(frames: &[Frame]) {
    let told: Vec<&Frame> = frames.iter().collect();
    for (at, frame) in told.iter().enumerate() {
        let ending = ["execution_success", "execution_error", "execution_interrupted"];
        if ending.contains(&frame.kind().as_str()) {
            // A job that came in between may add status frames.
            let mut rest = told[at + 1..].iter().skip_while(|frame| frame.kind() == "status");
            assert_eq!(told[at + 1].kind(), "status");
            let last = rest.next().unwrap();
            assert!(last.ends_a_job(), "{last:?}");
            assert_eq!(last.data()["prompt_id"], frame.data()["prompt_id"]);
        }
    }
}

/// `executing` comes after the `progress_state` that says so, and what a job told once stays in its later states.
fn nodes_start_and_finish_in_turn(frames: &[Frame]) {
    let mut known: Option<(Value, usize)> = None;
    for pair in frames.windows(2) {
        let (before, frame) = (&pair[0], &pair[1]);
        if frame.kind() == "executing" && frame.data()["prompt_id"].is_string() && !frame.ends_a_job() {
            let node = frame.data()["node"].as_str().unwrap();
            if before.kind() == "progress_state" {
                assert_eq!(before.data()["nodes"][node]["state"], "running");
            }
        }
        if frame.kind() == "execution_start" {
            known = None;
        }
        if frame.kind() == "progress_state" {
            let id = frame.data()["prompt_id"].clone();
            let nodes = frame.data()["nodes"].as_object().unwrap().len();
            if let Some((_, before)) = known.as_ref().filter(|(known, _)| *known == id) {
                assert!(nodes >= *before, "the states of a job only grow");
            }
            known = Some((id, nodes));
        }
    }
}

fn a_prompt_is_accepted_or_refused_in_the_known_form(exchange: &Exchange) {
    match exchange.status {
        200 => {
            let answer = exchange.json();
            assert_eq!(answer["prompt_id"].as_str().unwrap().len(), 36);
            assert!(answer["number"].is_number());
            assert!(answer["node_errors"].is_object());
        }
        400 => {
            let answer = exchange.json();
            for field in ["type", "message", "details"] {
                assert!(answer["error"][field].is_string());
            }
            assert!(answer["error"]["extra_info"].is_object());
            for error in answer["node_errors"].as_object().unwrap().values() {
                assert!(error["class_type"].is_string());
                assert!(!error["dependent_outputs"].as_array().unwrap().is_empty());
                assert!(!error["errors"].as_array().unwrap().is_empty());
            }
        }
        other => assert_eq!(other, 500),
    }
}

fn a_history_entry_agrees_with_what_was_told(exchange: &Exchange, recording: &Recording) {
    for (id, entry) in exchange.json().as_object().unwrap() {
        let status = &entry["status"];
        let last = status["messages"].as_array().unwrap().last().unwrap();
        let success = last[0] == "execution_success";
        assert_eq!(status["completed"], success);
        assert_eq!(status["status_str"], if success { "success" } else { "error" });
        assert_eq!(entry["prompt"][1], id.as_str());
        for frame in recording.streams.values().flatten() {
            if frame.kind() == "executed" && frame.data()["prompt_id"] == id.as_str() && success {
                let node = frame.data()["node"].as_str().unwrap();
                assert_eq!(entry["outputs"][node], frame.data()["output"]);
                assert_eq!(entry["meta"][node]["real_node_id"], node);
            }
        }
    }
}
