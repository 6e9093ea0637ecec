//! axe-core on every page, light and dark, on a desktop and on a phone: nothing serious or critical.

use reqwest::Method;
use serde_json::{Value, json};
use testkit::browser::Driver;
use testkit::process::repository;
use testkit::{WorkshopBuilder, graphs};

use crate::room_dashboard::Dashboard;

fn axe() -> String {
    let path = repository().join("data/axe/axe.min.js");
    std::fs::read_to_string(path).expect("run scripts/fetch-axe.sh first (scripts/test.sh does)")
}

const RUN: &str = "const done = arguments[arguments.length - 1]; axe.run(document, { resultTypes: ['violations'] }) \
    .then((found) => done(found.violations.filter((one) => ['serious', 'critical'].includes(one.impact)) \
    .map((one) => `${one.id}: ${one.nodes.slice(0, 3).map((node) => node.html + ' ' + (node.any[0]?.message ?? '')).join(' | ')}`)), \
    (error) => done([String(error)]));";

#[tokio::test]
async fn no_page_has_a_serious_fault_in_any_size_or_colour() {
    let room = Dashboard::open(WorkshopBuilder::new().workers(1).people(4).step_ms(200)).await;
    let ada = room.workshop.person("user001").unwrap();
    let failed = ada.submit(&graphs::misbehaving(graphs::sampled_picture(1, 1), "3", "fail")).await.unwrap();
    ada.wait_for(&failed, "failed").await.unwrap();
    for who in ["user001", "user002", "user003"] {
        room.workshop.person(who).unwrap().submit(&graphs::sampled_picture(1, 3_000)).await.unwrap();
    }
    room.call("instructor", Method::PATCH, "/queue", json!({"one_each": true})).await;
    room.call("instructor", Method::POST, "/queue/demo", json!({})).await;
    let pages = [
        "/",
        "/people",
        "/workers",
        "/history",
        "/report",
        "/audit",
        "/setup",
        "/person/user001",
        "/nothing",
    ];
    let pages: Vec<_> = pages.into_iter().map(str::to_owned).chain([format!("/job/{failed}")]).collect();
    let driver = Driver::start(&room.workshop.data()).await.unwrap();
    let axe = axe();
    let mut faults = Vec::new();
    for (width, height) in [(1280, 720), (360, 740)] {
        let browser = driver.browser(width, height).await.unwrap();
        browser.page.goto(&format!("{}/sign-in", room.admin)).await.unwrap();
        faults.extend(look(&browser, &axe, &format!("/sign-in {width}")).await);
        browser
            .sign_in(&room.admin, "instructor", room.workshop.password("instructor").unwrap())
            .await
            .unwrap();
        browser.wait_for("the room", "return !!document.querySelector('#headline');", vec![]).await.unwrap();
        for theme in ["light", "dark"] {
            let code = "const [look, done] = arguments; fetch('/look', { method: 'POST', redirect: 'manual', \
                body: new URLSearchParams({ look }) }).then(() => done(true));";
            browser.page.execute_async(code, vec![json!(theme)]).await.unwrap();
            for page in &pages {
                browser.page.goto(&format!("{}{page}", room.admin)).await.unwrap();
                let themed = "return document.documentElement.dataset.theme === arguments[0];";
                browser.wait_for("the theme", themed, vec![json!(theme)]).await.unwrap();
                faults.extend(look(&browser, &axe, &format!("{page} {width} {theme}")).await);
                let wide = "return document.documentElement.scrollWidth <= innerWidth;";
                if browser.script(wide, vec![]).await.unwrap() != json!(true) {
                    faults.push(format!("{page} {width} is cut off"));
                }
            }
        }
        browser.close().await.unwrap();
    }
    assert_eq!(faults, Vec::<String>::new());
}

async fn look(browser: &testkit::browser::Browser, axe: &str, page: &str) -> Vec<String> {
    browser.script(axe, vec![]).await.unwrap();
    let found = browser.page.execute_async(RUN, vec![]).await.unwrap();
    let found: Vec<Value> = found.as_array().cloned().unwrap_or_else(|| vec![found]);
    found.iter().map(|fault| format!("{page}: {fault}")).collect()
}
