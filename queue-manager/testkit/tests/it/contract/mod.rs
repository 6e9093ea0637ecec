//! The contract with an unmodified frontend: every request that was recorded with a real ComfyUI is sent to a seat, in
//! both spellings of its routes, and what a seat answers and tells is held against the recording.

mod capture;
mod compare;
mod meant;
mod player;
mod shape;

use testkit::WorkshopBuilder;

use self::meant::MEANT;

/// How a route is written: ComfyUI has most of them twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spelling {
    /// `/user001/prompt`
    Bare,
    /// `/user001/api/prompt`
    Api,
}

/// Plays a recording in both spellings. An unlisted difference fails, and so does a listed one that is none any more.
async fn hold_to(name: &str) {
    // Slow enough that a sampler's previews, two a second, are among what is told.
    let workshop = WorkshopBuilder::new().step_ms(60).start().await.unwrap();
    let lines = capture::lines(name);
    let theirs = capture::seen(&lines);
    let listed: Vec<_> =
        MEANT.iter().filter(|meant| meant.recordings.iter().any(|start| name.starts_with(start))).collect();
    for (person, spelling) in [("user001", Spelling::Bare), ("user002", Spelling::Api)] {
        // The second participant must not find the first one's nodes cached: the recording's client did not.
        workshop
            .post_comfyui(1, "/free", &serde_json::json!({"unload_models": true, "free_memory": true}))
            .await
            .unwrap();
        let ours = player::play(&workshop, person, spelling, &lines).await;
        let found = compare::differences(&theirs, &ours);
        let unlisted: Vec<_> = found
            .iter()
            .filter(|found| !listed.iter().any(|meant| meant.covers(&found.route, &found.what)))
            .map(|found| format!("{}: {}\n{}", found.route, found.what, found.detail))
            .collect();
        assert!(unlisted.is_empty(), "{name}, {spelling:?}: not as recorded:\n{}", unlisted.join("\n"));
        for meant in listed.iter().filter(|meant| meant.always) {
            let still = found.iter().any(|found| meant.covers(&found.route, &found.what));
            assert!(
                still,
                "{name}, {spelling:?}: {}: {} is listed and does not differ",
                meant.route, meant.what
            );
        }
    }
}

#[test]
fn every_meant_difference_has_a_recording_and_a_reason() {
    assert!(MEANT.iter().all(|meant| !meant.why.is_empty() && !meant.recordings.is_empty()));
}

#[tokio::test]
async fn an_idle_seat_answers_as_recorded() {
    hold_to("01_idle_get_routes").await;
}

#[tokio::test]
async fn a_job_and_its_pictures_are_shown_as_recorded() {
    hold_to("02_empty_invert_save_preview").await;
}

#[tokio::test]
async fn prompts_with_odd_fields_are_taken_as_recorded() {
    hold_to("03_no_client_and_shapes").await;
}

#[tokio::test]
async fn uploads_are_kept_and_used_as_recorded() {
    hold_to("04_upload_load_scale_blend_save").await;
}

#[tokio::test]
async fn prompts_are_refused_as_recorded() {
    hold_to("05_validation_errors").await;
}

#[tokio::test]
async fn a_failing_job_is_told_as_recorded() {
    hold_to("06_execution_error").await;
}

#[tokio::test]
async fn a_sampler_is_told_as_recorded() {
    hold_to("07_sampler_progress_previews_metadata").await;
}

#[tokio::test]
async fn a_tab_that_knows_no_metadata_is_told_as_recorded() {
    hold_to("08_sampler_previews_old_client").await;
}

#[tokio::test]
async fn interrupts_are_obeyed_as_recorded() {
    hold_to("09_interrupt_running").await;
}

#[tokio::test]
async fn queue_and_history_change_as_recorded() {
    hold_to("10_queue_two_clients_delete_clear_history").await;
}

#[tokio::test]
async fn batches_and_texts_are_shown_as_recorded() {
    hold_to("11_batch_and_multiple_outputs").await;
}

#[tokio::test]
async fn a_tab_that_comes_back_is_told_as_recorded() {
    hold_to("12_reconnect_while_running").await;
}

#[tokio::test]
async fn edge_cases_end_as_recorded() {
    hold_to("15_worker_edge_cases").await;
}
