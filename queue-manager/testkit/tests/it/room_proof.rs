//! Every action of the dashboard, one row each: by a click and by the keyboard in a real browser, and by the API with the
//! instructor's token. After each the audit log has it, and within a second the tabs it concerns are told or closed; nobody else can do it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use fantoccini::Locator;
use fantoccini::key::Key;
use reqwest::header::{COOKIE, SET_COOKIE};
use reqwest::{Client, Method, RequestBuilder, redirect};
use serde_json::{Value, json};
use testkit::browser::{Browser, Driver};
use testkit::{WorkshopBuilder, graphs, waiting};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::room_actions::open;
use crate::room_dashboard::Dashboard;
use crate::room_table::{Call, Row, Told, clear, field_of, of_jobs, of_people, of_the_room};

const LONG: Duration = Duration::from_secs(30);

/// So soon after the log has it, a tab has it.
const SOON: Duration = Duration::from_secs(1);

/// What a tab of somebody hears.
struct Ear {
    heard: Arc<Mutex<String>>,
    closed: CancellationToken,
}

impl Ear {
    async fn open(feed: RequestBuilder, tasks: &TaskTracker) -> Self {
        let mut feed = feed.send().await.unwrap().error_for_status().unwrap();
        let ear = Self { heard: Arc::default(), closed: CancellationToken::new() };
        let (log, closed) = (Arc::clone(&ear.heard), ear.closed.clone());
        tasks.spawn(async move {
            while let Ok(Some(chunk)) = feed.chunk().await {
                log.lock().unwrap().push_str(&String::from_utf8_lossy(&chunk));
            }
            closed.cancel();
        });
        ear
    }

    /// How much it has heard, once what was done before has arrived.
    async fn so_far(&self) -> usize {
        let mut before = usize::MAX;
        let quiet = waiting::until("a quiet moment", LONG, async || {
            let now = self.heard.lock().unwrap().len();
            Ok((std::mem::replace(&mut before, now) == now).then_some(now))
        });
        quiet.await.unwrap()
    }

    async fn hears(&self, since: usize, text: &str) {
        let heard = waiting::until(text, SOON, async || {
            Ok(self.heard.lock().unwrap()[since..].contains(text).then_some(()))
        });
        heard.await.unwrap();
    }

    /// Events since then that are no totals.
    fn others(&self, since: usize) -> Vec<String> {
        let heard = self.heard.lock().unwrap();
        let events = heard[since..].lines().filter(|line| line.starts_with("event:"));
        events.filter(|line| *line != "event: counts").map(ToOwned::to_owned).collect()
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
    tasks: TaskTracker,
}

impl Proof {
    async fn begin(room: Dashboard) -> Self {
        let client = Client::builder().redirect(redirect::Policy::none()).build().unwrap();
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
            let feed = room.workshop.person(who).unwrap().request(Method::GET, "/api/v1/events");
            ears.push((who, Ear::open(feed, &tasks).await));
        }
        Self { room, client, tokens: tokens.try_into().unwrap(), ears, tasks }
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

    /// A tab that somebody opened with a card, whatever their password is by now.
    async fn tab_of(&self, who: &str) -> Ear {
        let link = format!("/accounts/{who}/link");
        let (_, card) = self.room.call("instructor", Method::POST, &link, Value::Null).await;
        let direct = &self.room.workshop.direct;
        let opened = self.client.post(format!("{direct}{}", card["path"].as_str().unwrap()));
        let opened = opened.send().await.unwrap();
        let feed = self.client.get(format!("{direct}/api/v1/events"));
        Ear::open(feed.header(COOKIE, &opened.headers()[SET_COOKIE]), &self.tasks).await
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
            let field = browser.page.wait().for_element(Locator::Css(field)).await.unwrap();
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
        let told = row.told.as_ref().expect("every row says what tabs see of it");
        let tab = match told {
            Told::Closes(who) => Some(self.tab_of(who).await),
            _ => None,
        };
        let mut ears = Vec::new();
        for (who, ear) in &self.ears {
            ears.push((*who, ear, ear.so_far().await));
        }
        let (was, ..) = self.newest().await;
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
        match told {
            Told::Hears(who, text) => {
                let (_, ear, since) = ears.iter().find(|(of, ..)| of == who).unwrap();
                ear.hears(*since, text).await;
            }
            Told::Closes(who) => {
                let closed = tab.as_ref().unwrap().closed.cancelled();
                let closed = tokio::time::timeout(SOON, closed).await;
                closed.unwrap_or_else(|_| panic!("{name}: the tab of {who} is open"));
            }
            // The first has a job that runs, and hears of that all the time.
            Told::Nothing(why) => {
                for (who, ear, since) in &ears[1..] {
                    assert_eq!(ear.others(*since), [""; 0], "{name}: {who} is told, but {why:?}");
                }
            }
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
    let clear = clear();
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
