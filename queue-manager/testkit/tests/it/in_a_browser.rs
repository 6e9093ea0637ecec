//! Two people in two browsers with the unmodified frontend, and the plain page where it is missing.

use std::path::PathBuf;

use fantoccini::Locator;
use serde_json::json;
use testkit::browser::{Browser, Driver};
use testkit::process::repository;
use testkit::{Workshop, WorkshopBuilder, graphs};

use crate::png_text::embedded;

/// Where the pictures for a person's eyes go; not part of any check.
fn screenshots() -> PathBuf {
    repository().join("screenshots")
}

async fn open_seat(workshop: &Workshop, browser: &Browser, name: &str) {
    browser.open_seat(&workshop.front, name, workshop.password(name).unwrap()).await.unwrap();
}

#[tokio::test]
async fn two_people_click_run_on_the_same_graph_and_each_sees_their_own_picture() {
    let workshop = WorkshopBuilder::new().with_nginx().with_frontend().step_ms(60).start().await.unwrap();
    let driver = Driver::start(&workshop.data()).await.unwrap();
    let people = ["user001", "user002"];
    let browsers = [driver.browser(1280, 800).await.unwrap(), driver.browser(1280, 800).await.unwrap()];
    for (browser, name) in browsers.iter().zip(people) {
        open_seat(&workshop, browser, name).await;
    }
    let graph = graphs::sampled_picture(7, 100);
    browsers[0].run(&graph, people[0]).await.unwrap();
    browsers[0].progress_on_a_node().await.unwrap();
    browsers[0].screenshot(&screenshots().join("seat-running.png")).await.unwrap();
    browsers[1].run(&graph, people[1]).await.unwrap();
    for (browser, name) in browsers.iter().zip(people) {
        let address = browser.picture_on_a_node().await.unwrap();
        browser.screenshot(&screenshots().join(format!("seat-{name}-done.png"))).await.unwrap();
        assert!(address.contains(&format!("/{name}/api/view?")), "{address}");
        let person = workshop.person(name).unwrap();
        let path = address.strip_prefix(&workshop.front).unwrap();
        let picture = person.get(path).await.unwrap().bytes().await.unwrap();
        assert_eq!(embedded(&picture, "workflow")["extra"]["owner"], name);
        assert_eq!(embedded(&picture, "prompt")["3"]["inputs"]["seed"], 7, "the same graph and seed");
        let jobs = person.json(&format!("/{name}/api/jobs")).await.unwrap();
        assert_eq!(jobs["jobs"].as_array().unwrap().len(), 1);
        assert!(path.contains(jobs["jobs"][0]["id"].as_str().unwrap()));
    }
    for browser in browsers {
        browser.close().await.unwrap();
    }
}

#[tokio::test]
async fn an_error_is_shown_in_the_tab_and_a_cancel_stops_the_job() {
    let workshop = WorkshopBuilder::new().with_nginx().with_frontend().step_ms(60).start().await.unwrap();
    let driver = Driver::start(&workshop.data()).await.unwrap();
    let browser = driver.browser(1280, 800).await.unwrap();
    open_seat(&workshop, &browser, "user001").await;
    let ada = workshop.person("user001").unwrap();

    let mut refused = graphs::white_picture();
    refused["1"]["inputs"]["width"] = json!(0);
    browser.run(&refused, "user001").await.unwrap();
    // ComfyUI's words; newer frontends say it in their own.
    let said = "return /smaller than min|below the minimum/.test(document.body.innerText) || null;";
    browser.wait_for("the validation error", said, vec![]).await.unwrap();
    browser.screenshot(&screenshots().join("seat-error.png")).await.unwrap();
    browser.page.refresh().await.unwrap();
    open_seat(&workshop, &browser, "user001").await;

    browser.run(&graphs::sampled_picture(1, 3_000), "user001").await.unwrap();
    let job = testkit::waiting::until("the job to run", testkit::browser::PATIENCE, async || {
        let jobs = ada.json("/api/v1/jobs").await?;
        Ok(Some(jobs["jobs"][0].clone()).filter(|job| job["state"] == "running"))
    });
    let id = job.await.unwrap()["id"].as_str().unwrap().to_owned();
    let interrupt = "window.app.api.interrupt(arguments[0]); return true;";
    browser.script(interrupt, vec![json!(id)]).await.unwrap();
    ada.wait_for(&id, "cancelled").await.unwrap();
    let idle =
        "return !(window.app.rootGraph ?? window.app.graph).nodes.some((node) => node.progress > 0) || null;";
    browser.wait_for("no progress bar", idle, vec![]).await.unwrap();
    browser.close().await.unwrap();
}

#[tokio::test]
async fn without_the_frontend_a_dropped_workflow_runs_and_its_picture_shows() {
    let workshop = WorkshopBuilder::new().with_nginx().start().await.unwrap();
    let driver = Driver::start(&workshop.data()).await.unwrap();
    for (width, height, size, name) in [(1280, 800, "desktop", "user001"), (360, 740, "phone", "user002")] {
        let browser = driver.browser(width, height).await.unwrap();
        browser.page.goto(&format!("{}/sign-in", workshop.front)).await.unwrap();
        browser.screenshot(&screenshots().join(format!("sign-in-{size}.png"))).await.unwrap();
        browser.sign_in(&workshop.front, name, workshop.password(name).unwrap()).await.unwrap();
        let file = workshop.data().join("workflow.json");
        std::fs::write(&file, graphs::white_picture().to_string()).unwrap();
        let input = browser.page.wait().for_element(Locator::Id("file")).await.unwrap();
        input.send_keys(file.to_str().unwrap()).await.unwrap();
        let picture = "const image = document.querySelector('#jobs li[data-state=completed] img'); \
            return image && image.complete && image.naturalWidth === 64;";
        browser.wait_for("the picture", picture, vec![]).await.unwrap();
        browser.screenshot(&screenshots().join(format!("plain-page-{size}.png"))).await.unwrap();
        std::fs::write(&file, "no JSON").unwrap();
        let input = browser.page.find(Locator::Id("file")).await.unwrap();
        input.send_keys(file.to_str().unwrap()).await.unwrap();
        let said = "return document.getElementById('message').textContent.includes('not a workflow');";
        browser.wait_for("the reason", said, vec![]).await.unwrap();
        workshop.person(name).unwrap().submit(&graphs::white_picture()).await.unwrap();
        let listed = "return document.querySelectorAll('#jobs li[data-state=completed]').length === 2;";
        browser.wait_for("a job from elsewhere", listed, vec![]).await.unwrap();
        assert_eq!(
            browser.script(said, vec![]).await.unwrap(),
            json!(true),
            "a list that renews itself takes no answer away"
        );
        let told = "return !document.getElementById('simulated').hidden;";
        assert_eq!(
            browser.script(told, vec![]).await.unwrap(),
            json!(true),
            "the page says that it is simulated"
        );
        let wide = browser
            .script("return document.documentElement.scrollWidth <= innerWidth;", vec![])
            .await
            .unwrap();
        assert_eq!(wide, json!(true), "nothing is cut off on a {size}");
        browser.close().await.unwrap();
    }
}

#[tokio::test]
async fn the_dashboard_counts_live_on_a_projector_and_on_a_phone() {
    let workshop = WorkshopBuilder::new().with_admin().with_nginx().start().await.unwrap();
    let driver = Driver::start(&workshop.data()).await.unwrap();
    let admin = workshop.admin.clone().unwrap();
    let ada = workshop.person("user001").unwrap();
    for (done, (width, height, size)) in [(1, (1280, 720, "desktop")), (2, (360, 740, "phone"))] {
        let browser = driver.browser(width, height).await.unwrap();
        let password = workshop.password("instructor").unwrap();
        browser.sign_in(&admin, "instructor", password).await.unwrap();
        let live = "return document.getElementById('live')?.textContent === 'Live';";
        browser.wait_for("the dashboard to be live", live, vec![]).await.unwrap();
        let id = ada.submit(&graphs::white_picture()).await.unwrap();
        ada.wait_for(&id, "completed").await.unwrap();
        let had = "return document.querySelector('#p-user001 progress').value > 0;";
        browser.wait_for("the GPU time on the tile", had, vec![]).await.unwrap();
        let history = format!("{admin}/history");
        let page = format!("return fetch('{history}').then((page) => page.text());");
        let html = browser.script(&page, vec![]).await.unwrap();
        assert_eq!(
            html.as_str().unwrap().matches("Retry job").count(),
            done,
            "each job that ended is in the history"
        );
        browser.screenshot(&screenshots().join(format!("dashboard-{size}.png"))).await.unwrap();
        let wide = "return document.documentElement.scrollWidth <= innerWidth;";
        assert_eq!(
            browser.script(wide, vec![]).await.unwrap(),
            json!(true),
            "nothing is cut off on a {size}"
        );
        browser.close().await.unwrap();
    }
}
