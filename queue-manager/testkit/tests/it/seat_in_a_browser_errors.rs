//! What a person sees in the unmodified frontend when a workflow is refused, and when its GPU runs out of memory.

use serde_json::json;
use testkit::browser::Driver;
use testkit::process::repository;
use testkit::{WorkshopBuilder, graphs};

const FRAMED: &str =
    "return window.app.graph.nodes.filter((node) => node.has_errors).map((node) => node.type);";

#[tokio::test]
async fn a_refused_value_and_a_full_memory_are_told_on_the_node_they_are_about() {
    let workshop = WorkshopBuilder::new().with_nginx().with_frontend().step_ms(60).start().await.unwrap();
    let driver = Driver::start(&workshop.data()).await.unwrap();
    let browser = driver.browser(1280, 800).await.unwrap();
    browser.open_seat(&workshop.front, "user001", workshop.password("user001").unwrap()).await.unwrap();

    let mut refused = graphs::sampled_picture(1, 3_000);
    refused["5"]["inputs"]["width"] = json!(0);
    browser.load(&refused, "refused").await.unwrap();
    browser.click_run().await.unwrap();
    let told = "return document.querySelector('[data-testid=error-overlay]')?.innerText ?? null;";
    let words = browser.wait_for("the refusal", told, vec![]).await.unwrap();
    assert!(words.as_str().unwrap().contains("Value 0 smaller than min of 16"), "{words}");
    assert_eq!(browser.script(FRAMED, vec![]).await.unwrap(), json!(["EmptyLatentImage"]));
    browser.screenshot(&repository().join("screenshots/seat-refused.png")).await.unwrap();
    browser.click("[data-testid=error-overlay-dismiss]").await.unwrap();
    browser.shows("0 active").await.unwrap();

    browser.load(&graphs::sampled_picture(1, 3_000), "too large").await.unwrap();
    browser.open_queue().await.unwrap();
    assert_eq!(browser.rows().await.unwrap(), [], "what was refused is no job");
    browser.click_run().await.unwrap();
    let running = browser.row("progress", |row| row.runs() && row.picture).await.unwrap();
    workshop.simulate(1, &json!({"next": "out_of_memory"})).await.unwrap();
    let words = browser.wait_for("the error", told, vec![]).await.unwrap();
    assert!(words.as_str().unwrap().contains("out of memory"), "{words}");
    let about = "return window.app.graph.getNodeById(window.app.lastExecutionError.node_id).type;";
    assert_eq!(browser.script(about, vec![]).await.unwrap(), json!("KSampler"));
    let row = browser.row("the failed job", |row| row.words.starts_with("Failed")).await.unwrap();
    assert_eq!(row.id, running.id);
    browser.screenshot(&repository().join("screenshots/seat-out-of-memory.png")).await.unwrap();
    browser.close().await.unwrap();
}
