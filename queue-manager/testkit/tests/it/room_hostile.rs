//! Names that are code, formulas, or written backwards are texts on every page and in every file.

use reqwest::Method;
use serde_json::json;
use testkit::browser::Driver;
use testkit::{WorkshopBuilder, graphs};

use crate::room_dashboard::Dashboard;

const HOSTILE: [&str; 4] = [
    "<img src=x onerror=\"window.hacked=1\">",
    "\u{202e}drawkcab\"'><script>window.hacked=1</script>",
    "=cmd|' /C calc'!A0",
    "{{7*7}}${7*7}",
];

async fn hostile_room() -> (Dashboard, String) {
    let room = Dashboard::open(WorkshopBuilder::new().people(5)).await;
    for (n, label) in (1..).zip(HOSTILE.map(str::to_owned).into_iter().chain(["x".repeat(200)])) {
        let body = json!({"label": label, "seat": n});
        let (status, _) =
            room.call("instructor", Method::PATCH, &format!("/accounts/user{n:03}"), body).await;
        assert_eq!(status, 200);
    }
    let ada = room.workshop.person("user001").unwrap();
    let id = ada.submit(&graphs::misbehaving(graphs::sampled_picture(1, 1), "3", "fail")).await.unwrap();
    ada.wait_for(&id, "failed").await.unwrap();
    room.call("instructor", Method::PATCH, "/queue", json!({"paused": true})).await;
    ada.submit(&graphs::white_picture()).await.unwrap();
    room.call("instructor", Method::POST, "/messages", json!({"text": HOSTILE[0]})).await;
    (room, id)
}

#[tokio::test]
async fn hostile_names_are_texts_on_every_page() {
    let (room, id) = hostile_room().await;
    let pages = [
        "/",
        "/people",
        "/workers",
        "/history",
        "/report",
        "/audit",
        "/setup",
        "/person/user001",
        "/person/user002",
    ];
    let driver = Driver::start(&room.workshop.data()).await.unwrap();
    let browser = driver.browser(1280, 720).await.unwrap();
    browser.sign_in(&room.admin, "instructor", room.workshop.password("instructor").unwrap()).await.unwrap();
    browser.wait_for("the room", "return !!document.querySelector('#headline');", vec![]).await.unwrap();
    for page in pages.into_iter().map(str::to_owned).chain([format!("/job/{id}")]) {
        let html = room.get(&page).await;
        assert_eq!(html.status, 200, "{page}");
        assert!(!html.html.contains("<img") && !html.html.contains("<script>"), "{page}");
        assert!(
            !html.html.contains(" style=") && !html.html.contains(" onclick="),
            "{page} keeps its policy"
        );
        browser.page.goto(&format!("{}{page}", room.admin)).await.unwrap();
        let fine =
            "return window.hacked === undefined && document.documentElement.scrollWidth <= innerWidth;";
        assert_eq!(browser.script(fine, vec![]).await.unwrap(), json!(true), "{page}");
    }
    let hidden = room.client_with("atelier-look=.hidden", "/").await;
    assert!(
        hidden.contains("Seat 1") && !hidden.contains("onerror"),
        "hidden names are not on the page at all"
    );
    for page in pages {
        let hidden = room.client_with("atelier-look=.hidden", page).await;
        assert!(!hidden.contains("drawkcab") && !hidden.contains("7*7"), "{page} names somebody: {hidden}");
    }
    browser.close().await.unwrap();
}

#[tokio::test]
async fn no_field_of_an_export_is_a_formula() {
    let (room, _) = hostile_room().await;
    room.call("instructor", Method::PATCH, "/accounts/user003", json!({"label": "+1;=2"})).await;
    let report = room.get("/report.csv").await.html;
    assert!(report.lines().any(|line| line.starts_with("user003,\"'+1;=2\"")), "{report}");
    let audit = room.get("/export/audit.csv").await.html;
    for (text, what) in [(&report, "report"), (&audit, "audit")] {
        for field in text.split([',', '\n']).map(|field| field.trim_start_matches('"')) {
            assert!(!field.starts_with(['=', '+', '-', '@']), "{what}: {field}");
        }
    }
    let history = room.get("/export/history.csv?state=failed").await.html;
    assert_eq!(
        history.lines().next().unwrap(),
        "id,person,state,reason,submitted,started,ended,worker,attempts,error"
    );
    assert!(history.contains(",user001,failed,"), "{history}");
    let json: serde_json::Value = serde_json::from_str(&room.get("/export/history.json").await.html).unwrap();
    assert_eq!(json.as_array().unwrap().len(), 2);
    assert_eq!(room.get("/export/passwords.csv").await.status, 404);
}
