//! What a seat keeps for a person of the unmodified frontend: workflows under their names, and settings.

use std::time::Duration;

use testkit::browser::editor::{CONTROL, ENTER};
use testkit::browser::{Browser, Driver};
use testkit::process::repository;
use testkit::{WorkshopBuilder, graphs, waiting};

const SIDEBAR: &str = "//*[@data-testid='workflows-sidebar']";

/// Answers the frontend's question for a name.
async fn name(browser: &Browser, name: &str) {
    browser.click("[role=dialog] input").await.unwrap();
    browser.press(&[CONTROL, 'a']).await.unwrap();
    browser.write(name).await.unwrap();
    browser.press(&[ENTER]).await.unwrap();
    let kept = "const open = window.app.extensionManager.workflow.activeWorkflow; \
        const tabs = document.querySelector('[data-testid=topbar-workflow-tabs]').innerText.split('\\n'); \
        return open.filename === arguments[0] && open.isPersisted && !open.isModified && tabs.includes(arguments[0]);";
    browser.wait_for("the workflow under its name", kept, vec![name.into()]).await.unwrap();
}

#[tokio::test]
async fn workflows_are_saved_copied_renamed_and_opened_and_settings_survive_a_reload() {
    let workshop = WorkshopBuilder::new().with_nginx().with_frontend().start().await.unwrap();
    let driver = Driver::start(&workshop.data()).await.unwrap();
    let browser = driver.browser(1280, 800).await.unwrap();
    browser.open_seat(&workshop.front, "user001", workshop.password("user001").unwrap()).await.unwrap();
    browser.load(&graphs::sampled_picture(7, 5), "draft").await.unwrap();
    browser.press(&[CONTROL, 's']).await.unwrap();
    name(&browser, "mine").await;
    browser.rewrite("a cat", "a second idea").await.unwrap();
    browser.command("Comfy.SaveWorkflowAs").await.unwrap();
    name(&browser, "my copy").await;
    browser.command("Comfy.RenameWorkflow").await.unwrap();
    name(&browser, "my other").await;

    let dark = "return document.body.classList.contains('dark-theme');";
    assert_eq!(browser.script(dark, vec![]).await.unwrap(), true);
    browser.command("Comfy.ToggleTheme").await.unwrap();
    let light = "return !document.body.classList.contains('dark-theme');";
    browser.wait_for("the light theme", light, vec![]).await.unwrap();
    let ada = workshop.person("user001").unwrap();
    waiting::until("the seat to keep it", Duration::from_secs(60), async || {
        Ok((ada.json("/user001/api/settings/Comfy.ColorPalette").await? == "light").then_some(()))
    })
    .await
    .unwrap();

    // What this browser remembers by itself is nothing that was saved.
    browser.script("localStorage.clear(); sessionStorage.clear(); return true;", vec![]).await.unwrap();
    browser.page.refresh().await.unwrap();
    browser.editor().await.unwrap();
    browser.wait_for("the light theme again", light, vec![]).await.unwrap();
    browser.click("[aria-label^='Workflows']").await.unwrap();
    let listed = "return [...document.querySelectorAll('[data-testid=workflows-sidebar] [role=treeitem]')] \
        .map((item) => item.innerText.trim()).join() === 'mine,my other';";
    browser.wait_for("both workflows and no third", listed, vec![]).await.unwrap();
    browser.screenshot(&repository().join("screenshots/seat-workflows.png")).await.unwrap();
    let words = "return [...document.querySelectorAll('textarea')].some((area) => area.value === arguments[0] \
        && area.offsetParent !== null);";
    for (file, idea) in [("mine", "a cat"), ("my other", "a second idea")] {
        browser.click_words(SIDEBAR, file).await.unwrap();
        browser.wait_for("its words", words, vec![idea.into()]).await.unwrap();
    }
    browser.close().await.unwrap();
}
