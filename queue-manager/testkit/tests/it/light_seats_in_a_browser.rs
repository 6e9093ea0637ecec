//! What the unmodified frontend asks of a light seat, and what that costs.

use std::collections::BTreeSet;

use serde_json::json;
use testkit::browser::Driver;
use testkit::frontend::Frontend;
use testkit::process::repository;
use testkit::{WorkshopBuilder, graphs};

/// What a first load may weigh.
const FIRST_LOAD: u64 = 5_000_000;

/// What ComfyUI itself answers 404 to on a fresh installation.
const NOT_THERE_IN_COMFYUI_EITHER: [&str; 6] = [
    "user.css",
    "api/userdata/user.css",
    "api/userdata/comfy.templates.json",
    "api/userdata/workflows%2F.index.json",
    "api/userdata?dir=workflows",
    "api/userdata?dir=subgraphs",
];

#[tokio::test]
async fn the_first_load_is_small_and_all_of_it_comes_from_the_seat() {
    let workflows = repository().join("data/workflows");
    let workshop = WorkshopBuilder::new()
        .with_nginx()
        .with_frontend()
        .setting("ATELIER_WORKFLOWS", workflows.to_str().unwrap())
        .start()
        .await
        .unwrap();
    let driver = Driver::start(&workshop.data()).await.unwrap();
    let browser = driver.browser(1280, 800).await.unwrap();
    browser.open_seat(&workshop.front, "user001", workshop.password("user001").unwrap()).await.unwrap();
    let asked = browser.asked().await.unwrap();
    let weight: u64 = asked.iter().map(|request| request.bytes).sum();
    println!("first load: {} requests, {} KB", asked.len(), weight / 1_000);
    // Other versions weigh what they weigh; it is for a person to read.
    let most = if Frontend::to_try().unwrap().is_pinned { FIRST_LOAD } else { u64::MAX };
    assert!(weight > 1_000_000 && weight < most, "{weight} bytes");

    browser.run(&graphs::sampled_picture(7, 5), "user001").await.unwrap();
    browser.picture_on_a_node().await.unwrap();
    let open = "window.app.extensionManager.command.execute('Comfy.BrowseTemplates'); return true;";
    browser.script(open, vec![]).await.unwrap();
    let shown = "return document.body.innerText.includes('black-and-white') || null;";
    browser.wait_for("the workshop's template", shown, vec![]).await.unwrap();
    browser.screenshot(&repository().join("screenshots/seat-templates.png")).await.unwrap();

    let all: Vec<_> = asked.into_iter().chain(browser.asked().await.unwrap()).collect();
    let elsewhere: BTreeSet<_> = all
        .iter()
        .filter(|request| !request.url.starts_with(&workshop.front))
        .map(|request| (&request.url, &request.blocked))
        .collect();
    println!("kept from leaving by the page's policy: {elsewhere:#?}");
    assert!(elsewhere.iter().all(|(_, blocked)| *blocked == "csp"), "{elsewhere:#?}");
    let seat = format!("{}/user001/", workshop.front);
    let (mut fine, mut refused) = (BTreeSet::new(), BTreeSet::new());
    for request in all.iter().filter(|request| request.url.starts_with(&workshop.front)) {
        let path = request.url.strip_prefix(&seat).unwrap_or(&request.url);
        let known = NOT_THERE_IN_COMFYUI_EITHER.iter().any(|known| path.starts_with(known));
        if request.status < 400 || known { &mut fine } else { &mut refused }.insert((
            path,
            request.method.as_str(),
            request.status,
        ));
    }
    for (path, method, status) in fine.iter().filter(|(path, ..)| !path.contains("assets/")) {
        println!("{status} {method} {path}");
    }
    assert!(refused.is_empty(), "{refused:#?}");
    browser.close().await.unwrap();
}

#[tokio::test]
async fn a_first_visit_opens_the_default_workflow_and_the_next_one_what_was_left() {
    let folder = tempfile::tempdir().unwrap();
    let workflow = std::fs::read_to_string(repository().join("data/workflows/black-and-white.json")).unwrap();
    std::fs::write(folder.path().join("our-first.json"), workflow).unwrap();
    let workshop = WorkshopBuilder::new()
        .with_frontend()
        .setting("ATELIER_WORKFLOWS", folder.path().to_str().unwrap())
        .setting("ATELIER_DEFAULT_WORKFLOW", "our-first.json")
        .start()
        .await
        .unwrap();
    let driver = Driver::start(&workshop.data()).await.unwrap();
    let browser = driver.browser(1280, 800).await.unwrap();
    browser.open_seat(&workshop.front, "user001", workshop.password("user001").unwrap()).await.unwrap();
    if !Frontend::to_try().unwrap().opens_templates() {
        // An older frontend passes over the address, and opens what it always opens.
        let shown = "return window.app.extensionManager.workflow.activeWorkflow?.filename;";
        let shown = browser.wait_for("a workflow", shown, vec![]).await.unwrap();
        assert_eq!(shown, "Unsaved Workflow");
        return;
    }
    let shown = "const open = window.app.extensionManager.workflow.activeWorkflow; \
        return open && open.filename.startsWith('our-first') && !location.search || null;";
    browser.wait_for("the default workflow", shown, vec![]).await.unwrap();
    browser.screenshot(&repository().join("screenshots/seat-first-visit.png")).await.unwrap();
    let opened = "return window.app.extensionManager.workflow.openWorkflows.filter((one) => one.filename.startsWith('our-first')).length;";
    browser.page.refresh().await.unwrap();
    browser.wait_for("the editor again", shown, vec![]).await.unwrap();
    assert_eq!(browser.script(opened, vec![]).await.unwrap(), json!(1), "a reload opens no second one");
    let page = workshop.person("user001").unwrap().get("/user001/").await.unwrap();
    assert_eq!(page.status(), 200, "only the first visit is sent to it");
    browser.close().await.unwrap();
}
