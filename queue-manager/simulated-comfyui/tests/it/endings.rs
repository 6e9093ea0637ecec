//! The server's own end.

use std::time::Duration;

use crate::files::sampled;
use crate::live::Live;

#[tokio::test]
async fn a_shutdown_in_the_middle_of_a_job_ends_at_once_and_closes_the_sockets() {
    let live = Live::start(Duration::from_secs(3600)).await;
    let socket = live.socket("worker").await;
    live.submit("worker", &sampled(1, "x")).await;
    socket.wait_for_kind("executing").await;
    let mut ended = live.ended.clone();
    drop(live);
    let ended = crate::live::patiently("the end", ended.wait_for(Option::is_some)).await.unwrap().clone();
    assert_eq!(ended, Some(Ok(())));
    socket.wait_for_close().await;
}

#[tokio::test]
async fn the_bare_routes_and_their_api_twins_are_the_same() {
    let live = Live::start(Duration::ZERO).await;
    for path in ["/prompt", "/queue", "/history", "/system_stats", "/features", "/object_info", "/models"] {
        assert_eq!(live.get_json(path).await, live.get_json(&format!("/api{path}")).await);
    }
    assert_eq!(live.get_json("/system_stats").await["system"]["comfyui_version"], simulated_comfyui::VERSION);
}
