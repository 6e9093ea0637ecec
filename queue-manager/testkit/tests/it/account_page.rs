//! The account page of a seat: sessions and tokens, seen and ended by their owner in a browser, and by nobody else.

use fantoccini::Locator;
use reqwest::{Client, Method};
use serde_json::Value;
use testkit::browser::{Driver, PATIENCE};
use testkit::process::repository;
use testkit::{Workshop, WorkshopBuilder};
use tokio_util::task::TaskTracker;

const PAGE: &str = "/user001/account";

async fn with_token(workshop: &Workshop, method: Method, path: &str, token: &str) -> u16 {
    let request = Client::new().request(method, format!("{}{path}", workshop.front)).bearer_auth(token);
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn a_person_sees_where_they_are_signed_in_and_gives_and_takes_tokens_by_forms_alone() {
    let workshop = WorkshopBuilder::new().workers(0).with_nginx().start().await.unwrap();
    let ada = workshop.person("user001").unwrap();
    let elsewhere = ada.session().await.unwrap();
    let mut tab_elsewhere = ada.tab_of_session(&elsewhere, None).await.unwrap();
    // Whoever does not read answers no pings, and is thought to be gone.
    let listening = TaskTracker::new().spawn(async move {
        loop {
            if let Ok(code) = tab_elsewhere.closed().await {
                return code;
            }
        }
    });
    let driver = Driver::start(&workshop.data()).await.unwrap();
    for (width, height, label) in [(1280, 800, "a <b>script</b>"), (360, 740, "another")] {
        let browser = driver.browser(width, height).await.unwrap();
        browser.sign_in(&workshop.front, "user001", workshop.password("user001").unwrap()).await.unwrap();
        let page = &browser.page;
        page.goto(&format!("{}{PAGE}", workshop.front)).await.unwrap();
        let text = page.find(Locator::Css("main")).await.unwrap().text().await.unwrap();
        assert!(text.contains("This browser") && text.contains("Chrome on Linux"), "{text}");

        page.find(Locator::Id("label")).await.unwrap().send_keys(label).await.unwrap();
        page.find(Locator::Css("form.card button")).await.unwrap().click().await.unwrap();
        let made = page.wait().for_element(Locator::Id("made")).await.unwrap().text().await.unwrap();
        assert_eq!(with_token(&workshop, Method::GET, "/api/v1/jobs", &made).await, 200);
        assert_eq!(
            with_token(&workshop, Method::POST, "/user001/interrupt", &made).await,
            403,
            "it only sees"
        );
        assert_eq!(with_token(&workshop, Method::GET, PAGE, &made).await, 403, "and makes no others");
        browser.screenshot(&repository().join(format!("screenshots/account-{width}.png"))).await.unwrap();

        page.goto(&format!("{}{PAGE}", workshop.front)).await.unwrap();
        let text = page.find(Locator::Css("main")).await.unwrap().text().await.unwrap();
        assert!(!text.contains(&made), "it is shown once");
        assert!(text.contains(label) && text.contains("sees jobs and files"), "{text}");
        page.find(Locator::Css("form[action$=revoke] button")).await.unwrap().click().await.unwrap();
        page.wait().for_element(Locator::XPath("//li[text()='None yet.']")).await.unwrap();
        assert_eq!(with_token(&workshop, Method::GET, "/api/v1/jobs", &made).await, 401);

        page.find(Locator::Css("form[action$='sessions/end'] button")).await.unwrap().click().await.unwrap();
        page.wait().for_element(Locator::Css("ul.rows li:only-child strong")).await.unwrap();
        let sessions: Value = ada.json("/api/v1/account/sessions").await.unwrap();
        assert_eq!(sessions["sessions"].as_array().unwrap().len(), 1, "this browser's alone");
        browser.close().await.unwrap();
    }
    let code = tokio::time::timeout(PATIENCE, listening).await.unwrap().unwrap();
    assert!(code.is_some(), "what it had opened is closed");
}

#[tokio::test]
async fn an_account_page_is_its_owners_and_says_what_is_wrong_with_a_form() {
    let workshop = WorkshopBuilder::new().workers(0).with_nginx().start().await.unwrap();
    let (ada, ben) = (workshop.person("user001").unwrap(), workshop.person("user002").unwrap());
    let session = ada.session().await.unwrap();
    let listed: Value = ada.json("/api/v1/account/sessions").await.unwrap();
    let id = listed["sessions"][0]["id"].as_str().unwrap().to_owned();
    let form = "application/x-www-form-urlencoded";
    let token = "label=x&may=work&days=3";
    for (method, path) in [
        (Method::GET, PAGE.to_owned()),
        (Method::POST, format!("{PAGE}/sessions/end")),
        (Method::POST, format!("{PAGE}/sessions/{id}/end")),
        (Method::POST, format!("{PAGE}/tokens")),
        (Method::POST, format!("{PAGE}/tokens/{id}/revoke")),
    ] {
        let request = ben.request(method.clone(), &path).header("content-type", form).body(token);
        assert_eq!(request.send().await.unwrap().status(), 404, "{path} is not ben's");
        let own = path.replace("user001", "user002");
        if own.contains(&id) {
            let request = ben.request(method.clone(), &own).header("content-type", form);
            request.body(token).send().await.unwrap();
        }
        let client = Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let forged = client.request(method.clone(), format!("{}{path}", workshop.front));
        let forged = forged.header("cookie", &session).header("content-type", form).body(token);
        let status = forged.header("sec-fetch-site", "cross-site").send().await.unwrap().status();
        assert!(method == Method::GET || status == 403, "{path} from another site answered {status}");
    }
    let left: Value = ada.json("/api/v1/account/sessions").await.unwrap();
    assert_eq!(left["sessions"][0]["id"], id.as_str(), "nobody ended it");
    let tokens: Value = ada.json("/api/v1/account/tokens").await.unwrap();
    assert_eq!(tokens["tokens"].as_array().unwrap().len(), 0, "and nobody made one");
    for (days, label) in [("0", "x"), ("many", "x"), ("367", "x"), ("30", &"x".repeat(61))] {
        let body = format!("label={label}&may=read&days={days}");
        let request = ada.request(Method::POST, &format!("{PAGE}/tokens")).header("content-type", form);
        let answer = request.body(body).send().await.unwrap();
        assert_eq!(answer.status(), 400);
        let page = answer.text().await.unwrap();
        assert!(page.contains("must"), "{page}");
    }
    let made = ada.request(Method::POST, &format!("{PAGE}/tokens")).header("content-type", form);
    assert_eq!(made.body(token).send().await.unwrap().status(), 200);
    let tokens: Value = ada.json("/api/v1/account/tokens").await.unwrap();
    assert_eq!(tokens["tokens"][0]["scopes"], serde_json::json!(["read", "work"]));
}

#[tokio::test]
async fn signing_out_everywhere_else_revokes_tokens_and_keeps_this_browser() {
    let workshop = WorkshopBuilder::new().workers(0).with_nginx().start().await.unwrap();
    let ada = workshop.person("user001").unwrap();
    let (here, elsewhere) = (ada.session().await.unwrap(), ada.session().await.unwrap());
    let client = Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let asked = async |cookie: &str, method: Method, path: &str, body: &'static str| {
        let request = client.request(method, format!("{}{path}", workshop.front)).header("cookie", cookie);
        let request = request.header("sec-fetch-site", "same-origin");
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
        request.send().await.unwrap()
    };
    let make = |cookie| asked(cookie, Method::POST, "/user001/account/tokens", "label=x&may=work&days=300");
    let page = make(&elsewhere).await.text().await.unwrap();
    let token = page.split("id=\"made\">").nth(1).unwrap().split('<').next().unwrap().to_owned();
    assert_eq!(with_token(&workshop, Method::GET, "/api/v1/jobs", &token).await, 200);

    let path = format!("{PAGE}/sessions/end");
    assert_eq!(asked(&here, Method::POST, &path, "").await.status(), 303);
    assert_eq!(with_token(&workshop, Method::GET, "/api/v1/jobs", &token).await, 401);
    assert_eq!(asked(&elsewhere, Method::GET, PAGE, "").await.status(), 401);
    let page = asked(&here, Method::GET, PAGE, "").await;
    assert_eq!(page.status(), 200);
    assert!(page.text().await.unwrap().contains("None yet."));
    assert_eq!(make(&here).await.status(), 200, "this browser goes on as before");
}
