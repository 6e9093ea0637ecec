//! Every action of the dashboard, one row each: where it is, what the API calls it, what the log says, who is told.

use reqwest::Method;
use serde_json::{Value, json};

/// One request to the API.
pub type Call = (Method, String, Value);

fn call(method: Method, path: impl Into<String>, body: Value) -> Call {
    (method, path.into(), body)
}

fn post(path: impl Into<String>, body: Value) -> Call {
    call(Method::POST, path, body)
}

fn queue(body: Value) -> Call {
    call(Method::PATCH, "/queue", body)
}

/// What open tabs see of an action, within a second.
#[derive(Debug)]
pub enum Told {
    /// This person's tab hears this.
    Hears(&'static str, String),
    /// This person's tab is closed.
    Closes(&'static str),
    /// No tab hears anything but totals that are as before.
    Nothing(Silent),
}

/// Why no tab is told.
#[derive(Debug)]
pub enum Silent {
    /// What a GPU costs is the instructor's affair.
    Price,
    /// A cap speaks when it is met: in the answer to whoever submits one job more.
    Cap,
    /// What the dashboard calls somebody and where they sit is shown in no seat.
    Place,
    /// Nobody is alarmed by what can still be taken back. After ten seconds the tab is closed: `room_details.rs`.
    Delayed,
    /// Whoever is disabled has no tab.
    NoTab,
    /// A card does nothing before somebody uses it.
    Unused,
}

pub struct Row {
    /// The state in which it can be done.
    pub before: Vec<Call>,
    pub page: String,
    /// What must be opened first.
    pub menu: Option<&'static str>,
    /// What is typed where.
    pub types: Vec<(&'static str, &'static str)>,
    pub button: String,
    /// Where its form goes.
    pub form: String,
    pub api: Call,
    pub deed: (&'static str, String),
    /// What tabs see of it; every row says so.
    pub told: Option<Told>,
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
        Self { told: Some(Told::Hears(who, what.into())), ..self }
    }

    fn closes(self, who: &'static str) -> Self {
        Self { told: Some(Told::Closes(who)), ..self }
    }

    fn tells_nobody(self, why: Silent) -> Self {
        Self { told: Some(Told::Nothing(why)), ..self }
    }

    fn behind(self, menu: &'static str) -> Self {
        Self { menu: Some(menu), ..self }
    }

    fn after(self, before: Call) -> Self {
        Self { before: vec![before], ..self }
    }
}

pub fn of_the_room() -> Vec<Row> {
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
        // Totals in which no demo stands between these two.
        button("/", "/do/demo/end".into(), vec![demo()], end(), "demo.end", "instructor")
            .tells("user002", "\"queue_depth\":2,\"one_each\""),
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
        .after(queue(json!({"price_per_hour": 0})))
        .tells_nobody(Silent::Price),
        form(
            "/people",
            "/do/caps",
            &[("#cap-waiting", "7")],
            call(Method::PATCH, "/caps", json!({"waiting_per_participant": 7})),
            "caps.change",
            "",
        )
        .after(call(Method::PATCH, "/caps", json!({"waiting_per_participant": 100})))
        .tells_nobody(Silent::Cap),
        // A tab hears that something is another way, and asks when its own jobs will start now.
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

pub fn of_jobs(runs: &str, waits: &str) -> Vec<Row> {
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

pub fn of_people() -> Vec<Row> {
    let page = "/person/user003";
    let account = |body: Value| call(Method::PATCH, "/accounts/user003", body);
    let to = |verb: &str, body: Value| post(format!("/accounts/user003/{verb}"), body);
    let press = |verb: &str, before: Call, api: Call, deed| {
        button(page, format!("/people/user003/{verb}"), vec![before], api, deed, "user003")
    };
    let later = || to("sign-out", json!({"after_ms": 60_000}));
    vec![
        form(
            page,
            "/people/user003/place",
            &[("#label", "Ada")],
            account(json!({"label": "Ada"})),
            "account.place",
            "user003",
        )
        .after(account(json!({"label": "Eve"})))
        .tells_nobody(Silent::Place),
        form(
            page,
            "/people/user003/caps",
            &[("#waiting", "9")],
            call(Method::PATCH, "/accounts/user003/caps", json!({"waiting_per_participant": 9})),
            "caps.change",
            "user003",
        )
        .after(call(Method::PATCH, "/accounts/user003/caps", json!({"waiting_per_participant": 8})))
        .tells_nobody(Silent::Cap),
        form(
            page,
            "/do/message",
            &[("#text", "Yours.")],
            post("/messages", json!({"to": "user003", "text": "Yours."})),
            "message.send",
            "user003",
        )
        .tells("user003", "Yours."),
        press("sign-out", to("stay", Value::Null), later(), "account.sign_out").tells_nobody(Silent::Delayed),
        press("stay", later(), to("stay", Value::Null), "account.stay").tells_nobody(Silent::Delayed),
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
        )
        .closes("user003"),
        press(
            "enable",
            account(json!({"disabled": true})),
            account(json!({"disabled": false})),
            "account.change",
        )
        .tells_nobody(Silent::NoTab),
        form(
            page,
            "/people/user003/password",
            &[],
            to("password", Value::Null),
            "account.password",
            "user003",
        )
        .closes("user003"),
        form(page, "/cards", &[], to("link", Value::Null), "account.link", "user003")
            .tells_nobody(Silent::Unused),
    ]
}

/// As many as are typed, or nothing.
pub fn clear() -> Row {
    form(
        "/",
        "/do/clear",
        &[("#clear", "1")],
        post("/queue/clear", json!({"expected": 1})),
        "queue.clear",
        "",
    )
    .behind(".menus details:last-child > summary")
    .tells("user002", "\"pending_jobs\":0")
}

/// The name under which a form sends the field.
pub fn field_of(css: &'static str) -> &'static str {
    match css {
        "#say-text" | "#text" => "text",
        "#clear" => "expected",
        "#cap-waiting" | "#waiting" => "waiting_per_participant",
        other => other.trim_start_matches('#'),
    }
}
