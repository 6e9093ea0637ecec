//! Each capture is held to the laws; then its requests are played to the simulation, which is held to the same laws and
//! to the capture.

use crate::compare::assert_alike;
use crate::differences::is_not_asked;
use crate::laws::assert_lawful;
use crate::player::play;
use crate::recording::{capture, captured};

/// Whether the queue lengths of a capture can be expected again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Statuses {
    Same,
    /// Requests and the executor raced.
    Race,
}

async fn replay(name: &str, statuses: Statuses) {
    let lines = capture(name);
    let theirs = captured(&lines);
    assert_lawful(&theirs);
    let race = statuses == Statuses::Race;
    let ours = play(&lines, is_not_asked, race).await;
    assert_lawful(&ours);
    assert_alike(name, &theirs, &ours, race);
}

#[tokio::test]
async fn an_idle_server_answers_as_the_real_one() {
    replay("01_idle_get_routes", Statuses::Same).await;
}

#[tokio::test]
async fn a_graph_runs_is_cached_and_runs_again_as_on_the_real_one() {
    replay("02_empty_invert_save_preview", Statuses::Same).await;
}

#[tokio::test]
async fn prompts_without_client_or_with_odd_fields_are_taken_as_by_the_real_one() {
    replay("03_no_client_and_shapes", Statuses::Same).await;
}

#[tokio::test]
async fn uploads_are_stored_loaded_and_blended_as_by_the_real_one() {
    replay("04_upload_load_scale_blend_save", Statuses::Same).await;
}

#[tokio::test]
async fn prompts_are_refused_in_the_words_of_the_real_one() {
    replay("05_validation_errors", Statuses::Race).await;
}

#[tokio::test]
async fn a_failing_node_is_told_as_by_the_real_one() {
    replay("06_execution_error", Statuses::Same).await;
}

#[tokio::test]
async fn a_sampler_tells_steps_and_previews_as_the_real_one() {
    replay("07_sampler_progress_previews_metadata", Statuses::Same).await;
}

#[tokio::test]
async fn a_client_without_feature_flags_gets_plain_previews_as_from_the_real_one() {
    replay("08_sampler_previews_old_client", Statuses::Same).await;
}

#[tokio::test]
async fn interrupts_end_what_they_name_as_on_the_real_one() {
    replay("09_interrupt_running", Statuses::Same).await;
}

#[tokio::test]
async fn the_queue_and_the_history_change_as_on_the_real_one() {
    replay("10_queue_two_clients_delete_clear_history", Statuses::Same).await;
}

#[tokio::test]
async fn batches_and_texts_are_shown_as_by_the_real_one() {
    replay("11_batch_and_multiple_outputs", Statuses::Same).await;
}

#[tokio::test]
async fn a_client_that_comes_back_is_told_the_running_node_as_by_the_real_one() {
    replay("12_reconnect_while_running", Statuses::Same).await;
}

#[tokio::test]
async fn subfolders_repeated_ids_and_hostile_prefixes_end_as_on_the_real_one() {
    replay("15_worker_edge_cases", Statuses::Race).await;
}
