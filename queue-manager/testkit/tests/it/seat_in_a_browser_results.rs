//! What a person gets in the unmodified frontend: edited words in the picture, the job again as a workflow, an upload.

use serde_json::json;
use testkit::browser::Driver;
use testkit::process::repository;
use testkit::{WorkshopBuilder, graphs};

use crate::png_text::{embedded, solid};

#[tokio::test]
async fn edited_words_make_the_picture_and_its_job_is_opened_again_and_deleted() {
    let workshop = WorkshopBuilder::new().with_nginx().with_frontend().start().await.unwrap();
    let driver = Driver::start(&workshop.data()).await.unwrap();
    let browser = driver.browser(1280, 800).await.unwrap();
    browser.open_seat(&workshop.front, "user001", workshop.password("user001").unwrap()).await.unwrap();
    browser.load(&graphs::sampled_picture(7, 5), "first").await.unwrap();
    browser.rewrite("a cat", "a lighthouse at dusk").await.unwrap();
    browser.open_queue().await.unwrap();
    browser.click_run().await.unwrap();
    let row =
        browser.row("the result", |row| row.words.starts_with("sampled_") && row.picture).await.unwrap();
    let address = browser.picture_of(&row.id).await.unwrap();
    let ada = workshop.person("user001").unwrap();
    let picture =
        ada.get(address.strip_prefix(&workshop.front).unwrap()).await.unwrap().bytes().await.unwrap();
    assert_eq!(embedded(&picture, "prompt")["6"]["inputs"]["text"], "a lighthouse at dusk");

    browser.choose_in_row(&row.id, "Open as workflow in new tab").await.unwrap();
    browser.shows(&format!("Job {}", row.id)).await.unwrap();
    let words = "return [...document.querySelectorAll('textarea')].some((area) => area.value === 'a lighthouse at dusk' \
        && area.offsetParent !== null);";
    browser.wait_for("the words again", words, vec![]).await.unwrap();
    browser.screenshot(&repository().join("screenshots/seat-opened-again.png")).await.unwrap();

    browser.choose_in_row(&row.id, "Delete asset").await.unwrap();
    browser.shows("This asset will be permanently removed").await.unwrap();
    browser.click_words("//*[@role='dialog']", "Delete").await.unwrap();
    browser.rows_are(0).await.unwrap();
    browser.page.refresh().await.unwrap();
    browser.editor().await.unwrap();
    browser.open_queue().await.unwrap();
    browser.queue_says("Job Queue").await.unwrap();
    browser.rows_are(0).await.unwrap();

    browser.load(&graphs::inverted_upload("nothing yet.png"), "upload").await.unwrap();
    let file = workshop.data().join("from my desk.png");
    std::fs::write(&file, solid(40, 24)).unwrap();
    browser.choose_file("LoadImage", "upload", &file).await.unwrap();
    let chosen = "const node = window.app.graph.nodes.find((node) => node.type === 'LoadImage'); \
        return node.widgets[0].value === 'from my desk.png' \
            && node.imgs?.some((image) => image.naturalWidth === 40 && image.src.includes('type=input'));";
    browser.wait_for("the upload on its node", chosen, vec![]).await.unwrap();
    browser.click_run().await.unwrap();
    let row = browser.row("the inverted one", |row| row.words.starts_with("inverted_")).await.unwrap();
    browser.picture_of(&row.id).await.unwrap();
    let size =
        "return window.app.graph.nodes.find((node) => node.type === 'SaveImage').imgs[0].naturalWidth;";
    assert_eq!(browser.script(size, vec![]).await.unwrap(), json!(40), "as wide as what was uploaded");
    browser.screenshot(&repository().join("screenshots/seat-upload.png")).await.unwrap();
    browser.close().await.unwrap();
}
