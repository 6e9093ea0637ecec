//! Every action of the dashboard, one row each: by a click and by the keyboard in a real browser, and by the API with the
//! instructor's token. After each the audit log has it and the tabs it concerns are told; nobody else can do it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use fantoccini::Locator;
use fantoccini::key::Key;
use reqwest::{Client, Method};
use serde_json::{Value, json};
use testkit::browser::{Browser, Driver};
use testkit::{WorkshopBuilder, graphs, waiting};
use tokio_util::task::TaskTracker;

use crate::room_actions::open;
use crate::room_dashboard::Dashboard;

const LONG: Duration = Duration::from_secs(30);

/// One request to the API.
type Call = (Method, String, Value);

fn call(method: Method, path: impl Into<String>, body: Value) -> Call {
    (method, path.into(), body)
}

fn post(path: impl Into<String>, body: Value) -> Call {
    call(Method::POST, path, body)
}

fn queue(body: Value) -> Call {
    call(Method::PATCH, "/queue", body)
}

struct Row {
    /// The state in which it can be done.
    before: Vec<Call>,
    page: String,
    /// What must be opened first.
    menu: Option<&'static str>,
    /// What is typed where.
    types: Vec<(&'static str, &'static str)>,
    button: String,
    /// Where its form goes.
    form: String,
    api: Call,
    deed: (&'static str, String),
    /// Whose tab is told, and what.
    told: Option<(&'static str, String)>,
}

/// A button that says by itself where it goes.
fn button(page: &str, form: String, before: Vec<Call>, api: Call, deed: &'static str, on: &str) -> Row {
    Row {
        before,
        page: page.to_owned(),
        menu: None,
        types: Vec::new(),
        button: format!("[formaction='{form}']"),
        form,
        api,
        deed: (deed, on.to_owned()),
        told: None,
    }
}

/// A form with fields.
fn form(
    page: &str,
    form: &str,
    types: &[(&'static str, &'static str)],
    api: Call,
    deed: &'static str,
    on: &str,
) -> Row {
    Row {
        types: types.to_vec(),
        button: format!("form[action='{form}'] button:not([type=button])"),
        ..button(page, form.to_owned(), Vec::new(), api, deed, on)
    }
}

impl Row {
    fn tells(self, who: &'static str, what: impl Into<String>) -> Self {
        Self { told: Some((who, what.into())), ..self }
    }

    fn behind(self, menu: &'static str) -> Self {
        Self { menu: Some(menu), ..self }
    }

    fn after(self, before: Call) -> Self {
        Self { before: vec![before], ..self }
    }
}

fn of_the_room() -> Vec<Row> {
    let change = |verb: &str, from: Value, to: Value| {
        button("/", format!("/do/{verb}"), vec![queue(from)], queue(to), "queue.change", "")
    };
    let flip = |name: &str, value: Value| json!({name: value});
    let demo = || post("/queue/demo", json!({}));
    let end = || call(Method::DELETE, "/queue/demo", Value::Null);
    vec![
        change("pause", flip("paused", json!(false)), flip("paused", json!(true)))
            .tells("user002", "\"paused\":true"),
        change("resume", flip("paused", json!(true)), flip("paused", json!(false)))
            .tells("user002", "\"paused\":false"),
        change("mode/round_robin", flip("mode", json!("fifo")), flip("mode", json!("round_robin")))
            .tells("user002", "\"mode\":\"round_robin\""),
        change("one-each/on", flip("one_each", json!(false)), flip("one_each", json!(true)))
            .tells("user002", "\"one_each\":true"),
        change("one-each/off", flip("one_each", json!(true)), flip("one_each", json!(false)))
            .tells("user002", "\"one_each\":false"),
        button("/", "/do/demo".into(), vec![end()], demo(), "demo.begin", "instructor")
            .tells("user002", "\"demo\":{\"participant\":\"instructor\""),
        button("/", "/do/demo/end".into(), vec![demo()], end(), "demo.end", "instructor"),
        form(
            "/",
            "/do/message",
            &[("#say-text", "Break.")],
            post("/messages", json!({"text": "Break."})),
            "message.send",
            "",
        )
        .behind("#say > summary")
        .tells("user002", "Break."),
        form(
            "/",
            "/do/price",
            &[("#price", "1.50")],
            queue(json!({"price_per_hour": 150})),
            "queue.change",
            "",
        )
        .behind(".menus details:last-child > summary")
        .after(queue(json!({"price_per_hour": 0}))),
        form(
            "/people",
            "/do/caps",
            &[("#cap-waiting", "7")],
            call(Method::PATCH, "/caps", json!({"waiting_per_participant": 7})),
            "caps.change",
            "",
        )
        .after(call(Method::PATCH, "/caps", json!({"waiting_per_participant": 100}))),
        button(
            "/",
            "/workers/gpu-1/drain".into(),
            vec![post("/workers/gpu-1/resume", Value::Null)],
            post("/workers/gpu-1/drain", Value::Null),
            "worker.drain",
            "gpu-1",
        )
        .tells("user002", "\"active_workers\""),
        button(
            "/",
            "/workers/gpu-1/resume".into(),
            vec![post("/workers/gpu-1/drain", Value::Null)],
            post("/workers/gpu-1/resume", Value::Null),
            "worker.resume",
            "gpu-1",
        )
        .tells("user002", "\"active_workers\""),
    ]
}

fn of_jobs(runs: &str, waits: &str) -> Vec<Row> {
    let job = |page: &str, id: &str, verb: &str, before: Call, api: Call, deed: &'static str| {
        button(page, format!("/jobs/{id}/{verb}"), vec![before], api, deed, id)
    };
    let to = |id: &str, verb: &str, body: Value| post(format!("/jobs/{id}/{verb}"), body);
    let cancel = |id: &str| to(id, "cancel", json!({"after_ms": 60_000}));
    let keep = |id: &str| to(id, "keep", Value::Null);
    let lane = |lane: &str| to(waits, "lane", json!({"lane": lane}));
    let own = format!("/job/{waits}");
    vec![
        job("/", runs, "stop", keep(runs), cancel(runs), "job.cancel").tells("user001", runs),
        job("/", runs, "keep", cancel(runs), keep(runs), "job.keep").tells("user001", runs),
        job("/", waits, "cancel", keep(waits), cancel(waits), "job.cancel")
            .tells("user002", "\"reason\":\"cancelling\""),
        job("/", waits, "keep", cancel(waits), keep(waits), "job.keep").tells("user002", waits),
        job("/", waits, "first", lane("normal"), lane("instructor"), "job.lane").tells("user002", waits),
        job("/", waits, "normal", lane("instructor"), lane("normal"), "job.lane").tells("user002", waits),
        job(
            &own,
            waits,
            "hold",
            to(waits, "release", Value::Null),
            to(waits, "hold", Value::Null),
            "job.hold",
        )
        .tells("user002", "\"reason\":\"held\""),
        job(
            &own,
            waits,
            "release",
            to(waits, "hold", Value::Null),
            to(waits, "release", Value::Null),
            "job.release",
        )
        .tells("user002", waits),
    ]
}

fn of_people() -> Vec<Row> {
    let page = "/person/user003";
    let account = |body: Value| call(Method::PATCH, "/accounts/user003", body);
    let to = |verb: &str, body: Value| post(format!("/accounts/user003/{verb}"), body);
    let press = |verb: &str, before: Call, api: Call, deed| {
        button(page, format!("/people/user003/{verb}"), vec![before], api, deed, "user003")
    };
    let later = || to("sign-out", json!({"after_ms": 10_000}));
    vec![
        form(
            page,
            "/people/user003/place",
            &[("#label", "Ada")],
            account(json!({"label": "Ada"})),
            "account.place",
            "user003",
        )
        .after(account(json!({"label": "Eve"}))),
        form(
            page,
            "/people/user003/caps",
            &[("#waiting", "9")],
            call(Method::PATCH, "/accounts/user003/caps", json!({"waiting_per_participant": 9})),
            "caps.change",
            "user003",
        )
        .after(call(Method::PATCH, "/accounts/user003/caps", json!({"waiting_per_participant": 8}))),
        form(
            page,
            "/do/message",
            &[("#text", "Yours.")],
            post("/messages", json!({"to": "user003", "text": "Yours."})),
            "message.send",
            "user003",
        )
        .tells("user003", "Yours."),
        press("sign-out", to("stay", Value::Null), later(), "account.sign_out"),
        press("stay", later(), to("stay", Value::Null), "account.stay"),
        press(
            "demo",
            call(Method::DELETE, "/queue/demo", Value::Null),
            post("/queue/demo", json!({"participant": "user003"})),
            "demo.begin",
        )
        .tells("user002", "\"demo\":{\"participant\":\"user003\""),
        press(
            "disable",
            account(json!({"disabled": false})),
            account(json!({"disabled": true})),
            "account.change",
        ),
        press(
            "enable",
            account(json!({"disabled": true})),
            account(json!({"disabled": false})),
            "account.change",
        ),
        form(
            page,
            "/people/user003/password",
            &[],
            to("password", Value::Null),
            "account.password",
            "user003",
        ),
        form(page, "/cards", &[], to("link", Value::Null), "account.link", "user003"),
    ]
}

/// What a tab of somebody hears.
struct Ear(Arc<Mutex<String>>);

impl Ear {
    async fn open(room: &Dashboard, who: &str, tasks: &TaskTracker) -> Self {
        let mut feed = room.workshop.person(who).unwrap().get("/api/v1/events").await.unwrap();
        let heard = Arc::<Mutex<String>>::default();
        let log = Arc::clone(&heard);
        tasks.spawn(async move {
            while let Ok(Some(chunk)) = feed.chunk().await {
                log.lock().unwrap().push_str(&String::from_utf8_lossy(&chunk));
            }
        });
        Self(heard)
    }

    fn so_far(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    async fn hears(&self, since: usize, text: &str) {
        let heard = waiting::until(text, LONG, async || {
            Ok(self.0.lock().unwrap()[since..].contains(text).then_some(()))
        });
        heard.await.unwrap();
    }
}

#[derive(Debug, Clone, Copy)]
enum Way {
    Click,
    Keyboard,
    Api,
}

struct Proof {
    room: Dashboard,
    client: Client,
    /// The instructor's, that of a participant whom nothing here concerns, and a worker's.
    tokens: [String; 3],
    ears: Vec<(&'static str, Ear)>,
    _tasks: TaskTracker,
}

impl Proof {
    async fn begin(room: Dashboard) -> Self {
        let client = Client::new();
        let mut tokens = Vec::new();
        for who in ["instructor", "user004"] {
            let session = json!({"name": who, "password": room.workshop.password(who).unwrap()});
            let (_, signed_in) = room.call(who, Method::POST, "/session", session).await;
            tokens.push(signed_in["token"].as_str().unwrap().to_owned());
        }
        tokens.push(room.workshop.worker_token(1).unwrap());
        let tasks = TaskTracker::new();
        let mut ears = Vec::new();
        for who in ["user001", "user002", "user003"] {
            ears.push((who, Ear::open(&room, who, &tasks).await));
        }
        Self { room, client, tokens: tokens.try_into().unwrap(), ears, _tasks: tasks }
    }

    async fn api(&self, token: &str, (method, path, body): &Call) -> u16 {
        let url = format!("{}/api/v1{path}", self.room.workshop.direct);
        let request = self.client.request(method.clone(), url).bearer_auth(token);
        let request = if body.is_null() { request } else { request.json(body) };
        request.send().await.unwrap().status().as_u16()
    }

    async fn newest(&self) -> (u64, String, String) {
        let log = self.room.ask("/audit?limit=1").await;
        let newest = &log["entries"][0];
        let text = |name: &str| newest[name].as_str().unwrap_or_default().to_owned();
        (newest["id"].as_u64().unwrap_or_default(), text("what"), text("target"))
    }

    async fn in_the_browser(&self, browser: &Browser, row: &Row, way: Way) {
        browser.page.goto(&format!("{}{}", self.room.admin, row.page)).await.unwrap();
        let ready = "return document.body.classList.contains('room') \
            ? document.getElementById('live').textContent === 'Live' : document.readyState === 'complete';";
        browser.wait_for(&row.page, ready, vec![]).await.unwrap();
        let press = async |css: &str| {
            // Once more where the row was replaced under the finger.
            let pressed = waiting::until(css, LONG, async || {
                let element = browser.page.find(Locator::Css(css)).await?;
                match way {
                    Way::Keyboard => element.send_keys(&Key::Enter.to_string()).await?,
                    _ => element.click().await?,
                }
                Ok(Some(()))
            });
            pressed.await.unwrap();
        };
        if let Some(menu) = row.menu {
            press(menu).await;
        }
        for (field, text) in &row.types {
            let field = browser.page.find(Locator::Css(field)).await.unwrap();
            field.clear().await.unwrap();
            field.send_keys(text).await.unwrap();
        }
        press(&row.button).await;
    }

    async fn prove(&self, browser: &Browser, row: &Row, way: Way) {
        let name = format!("{} by {way:?}", row.form);
        for before in &row.before {
            let status = self.api(&self.tokens[0], before).await;
            assert!(status < 300 || status == 409, "{name}: {before:?} {status}");
        }
        let (was, ..) = self.newest().await;
        let ear = row
            .told
            .as_ref()
            .map(|(who, text)| (&self.ears.iter().find(|(of, _)| of == who).unwrap().1, text));
        let since = ear.as_ref().map_or(0, |(ear, _)| ear.so_far());
        match way {
            Way::Api => {
                let status = self.api(&self.tokens[0], &row.api).await;
                assert!(status < 300, "{name}: {status}");
            }
            _ => self.in_the_browser(browser, row, way).await,
        }
        let logged = waiting::until(&name, LONG, async || {
            let (now, what, target) = self.newest().await;
            Ok((now > was && what == row.deed.0 && target == row.deed.1).then_some(()))
        });
        logged.await.unwrap();
        if let Some((ear, text)) = ear {
            ear.hears(since, text).await;
        }
    }

    /// Neither a participant nor a worker can do it, by the API or by the dashboard's form.
    async fn refuse(&self, row: &Row) {
        let (was, ..) = self.newest().await;
        // Of jobs a participant may cancel, keep and hold their own; another's does not exist.
        let of_a_job = row.api.1.starts_with("/jobs/") && !row.api.1.ends_with("/lane");
        let no = if of_a_job { 404 } else { 403 };
        for (token, by_api, by_form) in [(&self.tokens[1], no, no), (&self.tokens[2], 401, 303)] {
            assert_eq!(self.api(token, &row.api).await, by_api, "{}", row.form);
            let fields: Vec<_> = row.types.iter().map(|(css, text)| (field_of(css), *text)).collect();
            let page = self.room.post_as(&format!("atelier-admin={token}"), &row.form, &fields).await;
            assert_eq!(page.status, by_form, "{}: {}", row.form, page.html);
            assert!(by_form != 303 || page.to.starts_with("/sign-in"), "{} goes to {}", row.form, page.to);
        }
        assert_eq!(self.newest().await.0, was, "{} left no trace", row.form);
    }
}

/// The name under which a form sends the field.
fn field_of(css: &'static str) -> &'static str {
    match css {
        "#say-text" | "#text" => "text",
        "#clear" => "expected",
        "#cap-waiting" | "#waiting" => "waiting_per_participant",
        other => other.trim_start_matches('#'),
    }
}

#[tokio::test]
async fn every_action_works_by_click_by_keyboard_and_by_the_api_is_logged_told_and_nobody_elses() {
    let room =
        Dashboard::open(WorkshopBuilder::new().workers(1).people(4).step_ms(100).lease_ms(30_000)).await;
    let ada = room.workshop.person("user001").unwrap();
    let runs = ada.submit(&graphs::sampled_picture(1, 9_000)).await.unwrap();
    ada.wait_for(&runs, "running").await.unwrap();
    let waits = room.submit("user002").await;
    let driver = Driver::start(&room.workshop.data()).await.unwrap();
    let browser = open(&driver, &room, 1280, 720).await;
    let proof = Proof::begin(room).await;
    let mut table = of_the_room();
    table.extend(of_jobs(&runs, &waits));
    table.extend(of_people());
    for row in &table {
        for way in [Way::Click, Way::Keyboard, Way::Api] {
            proof.prove(&browser, row, way).await;
        }
        proof.refuse(row).await;
    }
    println!("{} actions, {} cells", table.len(), table.len() * 7);
    // Last, since it takes away what waits: as many as are typed, or nothing.
    let clear = form(
        "/",
        "/do/clear",
        &[("#clear", "1")],
        post("/queue/clear", json!({"expected": 1})),
        "queue.clear",
        "",
    )
    .behind(".menus details:last-child > summary")
    .tells("user002", "\"pending_jobs\":0");
    proof.refuse(&clear).await;
    for way in [Way::Click, Way::Keyboard, Way::Api] {
        let (status, queue) = proof.room.call("instructor", Method::GET, "/queue", Value::Null).await;
        assert_eq!(status, 200);
        if queue["pending_jobs"] == 0 {
            proof.room.submit("user002").await;
        }
        proof.prove(&browser, &clear, way).await;
    }
    browser.close().await.unwrap();
}
