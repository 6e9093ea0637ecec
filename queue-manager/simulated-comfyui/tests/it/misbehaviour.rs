//! Being told to be slow, to fail, to run out of memory, to hang, to drop the socket, to die.

use std::time::Duration;

use serde_json::{Value, json};

use crate::files::{inverted, sampled};
use crate::live::{Live, patiently};

fn told(what: &Value) -> Value {
    let mut graph = inverted(1);
    graph["2"]["inputs"]["simulate"] = what.clone();
    graph
}

#[tokio::test]
async fn a_node_told_to_fail_fails_its_own_job_and_no_other() {
    let live = Live::start(Duration::ZERO).await;
    let socket = live.socket("worker").await;
    let failed = live.run(&socket, &told(&json!("fail"))).await;
    let (event, error) = (&failed["status"]["messages"][2][0], &failed["status"]["messages"][2][1]);
    assert_eq!(event, "execution_error");
    assert_eq!((&error["node_id"], &error["executed"]), (&json!("2"), &json!(["1"])));
    let fine = live.run(&socket, &inverted(1)).await;
    assert_eq!(fine["status"]["completed"], true);
}

#[tokio::test]
async fn running_out_of_memory_is_told_in_the_words_of_torch() {
    let live = Live::start(Duration::ZERO).await;
    let socket = live.socket("worker").await;
    let failed = live.run(&socket, &told(&json!("out_of_memory"))).await;
    let error = &failed["status"]["messages"][2][1];
    assert_eq!(error["exception_type"], "torch.OutOfMemoryError");
    assert!(error["exception_message"].as_str().unwrap().starts_with("Allocation on device"));
}

#[tokio::test]
async fn a_batch_too_large_for_the_device_runs_out_of_memory_and_not_this_machine() {
    let live = Live::start(Duration::ZERO).await;
    let socket = live.socket("worker").await;
    let mut graph = inverted(1);
    graph["1"]["inputs"] = json!({"width": 16384, "height": 16384, "batch_size": 4096, "color": 1});
    let failed = live.run(&socket, &graph).await;
    assert_eq!(failed["status"]["messages"][2][1]["exception_type"], "torch.OutOfMemoryError");
}

#[tokio::test]
async fn a_hanging_node_hangs_until_it_is_interrupted() {
    let live = Live::start(Duration::ZERO).await;
    let socket = live.socket("worker").await;
    let id = live.submit("worker", &told(&json!("hang"))).await;
    socket.wait_for_kind("executing").await;
    live.post("/interrupt", &json!({"prompt_id": id})).await;
    socket.wait_for_end(&id).await;
    assert!(socket.kinds().contains(&"execution_interrupted".to_owned()));
}

#[tokio::test]
async fn an_ignored_interrupt_takes_effect_once_interrupts_count_again() {
    let live = Live::start(Duration::ZERO).await;
    let socket = live.socket("worker").await;
    live.post("/simulation", &json!({"ignore_interrupt": true, "next": "hang"})).await;
    let id = live.submit("worker", &inverted(1)).await;
    socket.wait_for_kind("executing").await;
    assert_eq!(live.post("/interrupt", &json!({"prompt_id": id})).await.status(), 200);
    assert_eq!(live.get_json("/queue").await["queue_running"][0][1], id);
    live.post("/simulation", &json!({"ignore_interrupt": false})).await;
    socket.wait_for_end(&id).await;
}

#[tokio::test]
async fn a_dropped_socket_closes_and_the_job_goes_on() {
    let live = Live::start(Duration::ZERO).await;
    let socket = live.socket("worker").await;
    let mut graph = told(&json!("drop_socket"));
    graph["3"]["inputs"]["simulate"] = "hang".into();
    let id = live.submit("worker", &graph).await;
    socket.wait_for_close().await;
    assert!(!socket.kinds().contains(&"execution_success".to_owned()));
    let again = live.socket("worker").await;
    live.post("/interrupt", &json!({"prompt_id": id})).await;
    again.wait_for_end(&id).await;
}

#[tokio::test]
async fn dying_closes_every_socket_and_ends_the_server_with_an_error() {
    let mut live = Live::start(Duration::ZERO).await;
    let (worker, other) = (live.socket("worker").await, live.socket("other").await);
    live.submit("worker", &told(&json!("die"))).await;
    worker.wait_for_close().await;
    other.wait_for_close().await;
    let ended = patiently("the server to end", live.ended.wait_for(Option::is_some)).await.unwrap();
    assert!(ended.as_ref().unwrap().as_ref().is_err_and(|error| error.contains("told to die")));
}

#[tokio::test]
async fn a_misbehaviour_set_while_a_sampler_runs_strikes_at_its_next_step() {
    let live = Live::start(Duration::from_millis(10)).await;
    let socket = live.socket("worker").await;
    let mut graph = sampled(1, "x");
    graph["3"]["inputs"]["steps"] = 5000.into();
    let id = live.submit("worker", &graph).await;
    socket.wait_for_kind("progress").await;
    let control = live.post_json("/simulation", &json!({"next": "out_of_memory"})).await;
    assert_eq!(control["step_ms"], 10);
    socket.wait_for_end(&id).await;
    assert!(socket.kinds().contains(&"execution_error".to_owned()));
    assert_eq!(live.get_json("/simulation").await["next"], Value::Null);
}

#[tokio::test]
async fn a_node_can_be_told_how_long_to_take() {
    let live = Live::start(Duration::ZERO).await;
    let socket = live.socket("worker").await;
    let entry = live.run(&socket, &told(&json!({"node_ms": 200}))).await;
    let at = |message: usize| entry["status"]["messages"][message][1]["timestamp"].as_u64().unwrap();
    assert!(at(2) - at(0) >= 200);
}

#[tokio::test]
async fn an_unknown_field_or_word_in_the_control_is_refused() {
    let live = Live::start(Duration::ZERO).await;
    for body in [json!({"next": "explode"}), json!({"speed": 3})] {
        assert_eq!(live.post("/simulation", &body).await.status(), 400);
    }
}
