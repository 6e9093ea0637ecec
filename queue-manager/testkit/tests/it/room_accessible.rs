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

/// A room in which nothing moves by itself: a failure, a job that waits, a GPU that takes nothing.
async fn quiet_room() -> Dashboard {
    let room = Dashboard::open(WorkshopBuilder::new().workers(1).people(4)).await;
    let ada = room.workshop.person("user001").unwrap();
    let failed = ada.submit(&graphs::misbehaving(graphs::sampled_picture(1, 1), "3", "fail")).await.unwrap();
    ada.wait_for(&failed, "failed").await.unwrap();
    room.call("instructor", Method::POST, "/workers/gpu-1/drain", Value::Null).await;
    room.submit("user002").await;
    room
}

#[tokio::test]
async fn at_twice_the_size_everything_is_in_reach_on_every_page() {
    let room = quiet_room().await;
    let driver = Driver::start(&room.workshop.data()).await.unwrap();
    let browser = crate::room_actions::open(&driver, &room, 1280, 720).await;
    // Enlarged to 200 %, a window of 1280 × 720 has so many pixels of the page's own.
    browser.show_at(640, 360).await.unwrap();
    let lost = "const lost = []; for (const one of document.querySelectorAll('a[href], button, input:not([type=hidden]), select, textarea, summary')) { \
        if (!one.checkVisibility() || one.closest('details:not([open])') && one.tagName !== 'SUMMARY' || one.matches('.skip')) continue; \
        one.scrollIntoView({ block: 'center', inline: 'center' }); \
        const box = one.getBoundingClientRect(); \
        const there = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2); \
        if (box.left < -1 || box.right > innerWidth + 1 || !(there && (one.contains(there) || there.contains(one)))) \
            lost.push(one.outerHTML.slice(0, 90)); } \
        if (document.documentElement.scrollWidth > innerWidth) lost.push('the page is cut off'); return lost;";
    for page in ["/", "/people", "/workers", "/history", "/report", "/audit", "/setup", "/person/user001"] {
        browser.page.goto(&format!("{}{page}", room.admin)).await.unwrap();
        assert_eq!(browser.script(lost, vec![]).await.unwrap(), json!([]), "{page}");
    }
    browser.close().await.unwrap();
}

#[tokio::test]
async fn the_tab_key_reaches_every_control_and_shows_where_it_is() {
    let room = quiet_room().await;
    let driver = Driver::start(&room.workshop.data()).await.unwrap();
    let browser = crate::room_actions::open(&driver, &room, 1280, 720).await;
    let mark = "let n = 0; for (const one of document.querySelectorAll('a[href], button:not([disabled]), input:not([type=hidden]), select, textarea, summary')) \
        if (one.checkVisibility() && (one.tagName === 'SUMMARY' || !one.closest('details:not([open])'))) one.dataset.probe = n++; return n;";
    let controls = browser.script(mark, vec![]).await.unwrap().as_u64().unwrap();
    assert!(controls > 30, "{controls}");
    let at = "const one = document.activeElement; const style = getComputedStyle(one); \
        return [one.dataset.probe ?? null, one === document.body || style.outlineStyle !== 'none'];";
    let mut reached = std::collections::BTreeSet::new();
    for _ in 0..2 * controls {
        let active = browser.page.active_element().await.unwrap();
        active.send_keys(&fantoccini::key::Key::Tab.to_string()).await.unwrap();
        let here = browser.script(at, vec![]).await.unwrap();
        assert_eq!(here[1], json!(true), "the focus is to be seen at {}", here[0]);
        reached.extend(here[0].as_str().map(ToOwned::to_owned));
        if reached.len() as u64 == controls {
            break;
        }
    }
    let missed: Vec<_> = (0..controls).filter(|n| !reached.contains(&n.to_string())).collect();
    let name = "return document.querySelector(`[data-probe='${arguments[0]}']`)?.outerHTML ?? null;";
    for n in &missed {
        println!("{}", browser.script(name, vec![json!(n.to_string())]).await.unwrap());
    }
    assert_eq!(missed, Vec::<u64>::new());
    browser.close().await.unwrap();
}

#[tokio::test]
async fn nothing_moves_for_whoever_wants_no_motion() {
    let room = Dashboard::open(WorkshopBuilder::new().workers(0)).await;
    let driver = Driver::start(&room.workshop.data()).await.unwrap();
    let browser = crate::room_actions::open(&driver, &room, 1280, 720).await;
    let moving = "const found = []; const look = (rules) => { for (const rule of rules) { \
            if (rule instanceof CSSMediaRule) { if (matchMedia(rule.conditionText).matches) look(rule.cssRules); } \
            else if (rule.style && (parseFloat(rule.style.transitionDuration) > 0 || (rule.style.animationName || 'none') !== 'none')) \
                found.push(rule.selectorText); } }; \
        for (const sheet of document.styleSheets) look(sheet.cssRules); return found;";
    let motion = async |wanted: &str| {
        let features = json!({"features": [{"name": "prefers-reduced-motion", "value": wanted}]});
        browser.devtools("Emulation.setEmulatedMedia", features).await.unwrap();
        browser.script(moving, vec![]).await.unwrap()
    };
    assert_eq!(motion("no-preference").await, json!(["progress::-webkit-progress-value"]));
    assert_eq!(motion("reduce").await, json!([]));
    browser.close().await.unwrap();
}
