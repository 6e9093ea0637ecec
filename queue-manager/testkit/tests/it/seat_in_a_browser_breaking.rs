//! A person's tab in the unmodified frontend while things break: a reload, a queue-manager that goes, a worker that dies.

use std::time::Duration;

use serde_json::json;
use testkit::browser::queue_panel::Row;
use testkit::browser::{Browser, Driver};
use testkit::process::repository;
use testkit::{WorkshopBuilder, graphs, waiting};

/// Runs something that no GPU has in its cache, and answers the job once it shows a preview.
async fn run(browser: &Browser, seed: u64, steps: u32) -> String {
    browser.load(&graphs::sampled_picture(seed, steps), &format!("work {seed}")).await.unwrap();
    let before: Vec<_> = browser.rows().await.unwrap().into_iter().map(|row| row.id).collect();
    browser.click_run().await.unwrap();
    let is = |row: &Row| row.runs() && row.picture && !before.contains(&row.id);
    browser.row("the job to run", is).await.unwrap().id
}

#[tokio::test]
async fn a_reload_a_restarted_queue_manager_and_a_killed_worker_cost_nobody_their_picture() {
    let builder = WorkshopBuilder::new().with_nginx().with_frontend().workers(2).step_ms(60);
    let mut workshop = builder.start().await.unwrap();
    let driver = Driver::start(&workshop.data()).await.unwrap();
    let browser = driver.browser(1280, 800).await.unwrap();
    browser.open_seat(&workshop.front, "user001", workshop.password("user001").unwrap()).await.unwrap();
    let ada = workshop.person("user001").unwrap();
    browser.open_queue().await.unwrap();

    let job = run(&browser, 1, 500).await;
    browser.page.refresh().await.unwrap();
    browser.editor().await.unwrap();
    browser.open_queue().await.unwrap();
    browser.row("the same job to go on", |row| row.id == job && row.runs()).await.unwrap();
    browser.progress_on_a_node().await.unwrap();
    browser.picture_of(&job).await.unwrap();

    // It ends while nobody can tell the tab.
    let job = run(&browser, 2, 100).await;
    let worker = if ada.job(&job).await.unwrap()["worker"] == "gpu-1" { 1 } else { 2 };
    workshop.queue_manager.kill().await.unwrap();
    browser.shows("Reconnecting").await.unwrap();
    browser.screenshot(&repository().join("screenshots/seat-reconnecting.png")).await.unwrap();
    waiting::until("ComfyUI to be done", Duration::from_secs(60), async || {
        Ok(workshop.ask_comfyui(worker, "/history").await?.get(&job).is_some().then_some(()))
    })
    .await
    .unwrap();
    workshop.restart_queue_manager().await.unwrap();
    browser.picture_of(&job).await.unwrap();
    browser
        .row("its picture in the panel", |row| row.id == job && row.words.starts_with("sampled_"))
        .await
        .unwrap();

    let job = run(&browser, 3, 300).await;
    let victim = usize::from(ada.job(&job).await.unwrap()["worker"] == "gpu-2");
    workshop.workers[victim].kill().await.unwrap();
    browser.picture_of(&job).await.unwrap();
    assert_eq!(ada.job(&job).await.unwrap()["attempts"], json!(2), "it ran again on the other one");
    let errors = "return document.querySelector('[data-testid=error-overlay]')?.innerText ?? '';";
    assert_eq!(browser.script(errors, vec![]).await.unwrap(), "", "and the person was shown no error");
    browser.screenshot(&repository().join("screenshots/seat-after-a-crash.png")).await.unwrap();
    browser.close().await.unwrap();
}
