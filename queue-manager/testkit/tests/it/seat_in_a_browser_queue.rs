//! A person's queue in the unmodified frontend: Run, previews, a batch, in front, out of line, stopped, cleared.

use testkit::browser::Driver;
use testkit::browser::editor::{CONTROL, ENTER, SHIFT};
use testkit::browser::queue_panel::Row;
use testkit::process::repository;
use testkit::{WorkshopBuilder, graphs};

#[tokio::test]
async fn a_batch_gets_in_line_one_goes_in_front_some_are_cancelled_and_the_rest_is_cleared() {
    let workshop = WorkshopBuilder::new().with_nginx().with_frontend().step_ms(60).start().await.unwrap();
    let driver = Driver::start(&workshop.data()).await.unwrap();
    let browser = driver.browser(1280, 800).await.unwrap();
    browser.open_seat(&workshop.front, "user001", workshop.password("user001").unwrap()).await.unwrap();
    browser.load(&graphs::sampled_picture(1, 3_000), "long").await.unwrap();
    browser.open_queue().await.unwrap();

    browser.click_run().await.unwrap();
    browser.queue_says("1 running").await.unwrap();
    let running = browser.row("a preview in the panel", |row| row.runs() && row.picture).await.unwrap();
    let preview = "return window.app.graph.nodes.some((node) => node.type === 'KSampler' \
        && node.imgs?.some((image) => image.src.startsWith('blob:') && image.naturalWidth > 0));";
    browser.wait_for("a preview on the sampler", preview, vec![]).await.unwrap();
    browser.progress_on_a_node().await.unwrap();

    browser.set_batch(10).await.unwrap();
    browser.click_run().await.unwrap();
    browser.queue_says("1 running, 10 queued").await.unwrap();
    let batch = browser.rows_are(11).await.unwrap();
    assert!(batch[..10].iter().all(Row::waits), "{batch:?}");
    browser.screenshot(&repository().join("screenshots/seat-batch.png")).await.unwrap();

    browser.set_batch(1).await.unwrap();
    // The keys of the frontend's "queue front", with the focus on nothing else.
    browser.script("document.activeElement.blur(); return true;", vec![]).await.unwrap();
    browser.press(&[CONTROL, SHIFT, ENTER]).await.unwrap();
    let with_front = browser.rows_are(12).await.unwrap();
    let front = &with_front[0];
    assert!(front.waits() && batch.iter().all(|row| row.id != front.id), "{with_front:?}");

    let pending = &batch[0];
    browser.cancel_in_row(&pending.id).await.unwrap();
    browser.queue_says("1 running, 10 queued").await.unwrap();
    let after = browser.rows_are(11).await.unwrap();
    assert!(
        after.iter().all(|row| row.id != pending.id),
        "what was cancelled in line leaves no trace, as in ComfyUI"
    );

    browser.click("[aria-label='Cancel current run']").await.unwrap();
    let stopped = browser.row("the stopped one", |row| row.words.starts_with("Failed")).await.unwrap();
    assert_eq!(stopped.id, running.id);
    let next = browser.row("the next one to run", Row::runs).await.unwrap();
    assert_eq!(next.id, front.id, "the one in front came before the whole batch");

    browser.click("[aria-label='Clear queued']").await.unwrap();
    browser.queue_says("1 running").await.unwrap();
    let cleared = browser.rows_are(2).await.unwrap();
    assert!(cleared[0].id == front.id && cleared[1].id == running.id, "{cleared:?}");
    browser.click("[aria-label='Cancel current run']").await.unwrap();
    browser.queue_says("Job Queue").await.unwrap();
    browser.shows("0 active").await.unwrap();
    browser.screenshot(&repository().join("screenshots/seat-cleared.png")).await.unwrap();
    browser.close().await.unwrap();
}
