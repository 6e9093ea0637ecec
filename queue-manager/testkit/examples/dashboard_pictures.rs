//! Pictures of the dashboard in every state and of two seats, for a person's eyes: `screenshots/dashboard/`.
//! scripts/dashboard-pictures.sh runs it. Words behind the command choose some: `busy`, `pages`, `empty`, `trouble`, `seats`.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::browser::{Browser, Driver};
use testkit::process::repository;
use testkit::{Person, Workshop, WorkshopBuilder, graphs, waiting};
use tokio_util::task::TaskTracker;

const SIZES: [(&str, u32, u32); 3] =
    [("1280x720", 1280, 720), ("1920x1080", 1920, 1080), ("360x740", 360, 740)];
const NAMES: [&str; 20] = [
    "Ada Lovelace",
    "Ben",
    "Çağla Yılmaz",
    "Dmitri",
    "Eve",
    "Fatima al-Fihri",
    "Gustav",
    "Hana 花",
    "Ines",
    "Jonas",
    "Karla",
    "Liu Wei",
    "Maximilian von und zu Hohenstein",
    "Nora",
    "Oskar",
    "Priya",
    "Quentin",
    "Rosa",
    "Sven",
    "Tomás",
];

struct Room {
    workshop: Workshop,
    driver: Driver,
    teacher: Person,
}

fn folder() -> PathBuf {
    repository().join("screenshots/dashboard")
}

impl Room {
    async fn open(people: usize, workers: usize) -> anyhow::Result<Self> {
        let builder =
            WorkshopBuilder::new().with_admin().people(people).workers(workers).step_ms(150).lease_ms(10_000);
        Self::of(builder).await
    }

    async fn of(builder: WorkshopBuilder) -> anyhow::Result<Self> {
        let workshop = builder.start().await?;
        let driver = Driver::start(&workshop.data()).await?;
        let teacher = workshop.person("instructor")?;
        let admin = workshop.admin.clone().context("a dashboard")?;
        let up = waiting::until("the dashboard", Duration::from_secs(20), async || {
            Ok(reqwest::get(format!("{admin}/healthz")).await?.status().is_success().then_some(()))
        });
        up.await?;
        Ok(Self { workshop, driver, teacher })
    }

    async fn tell(&self, method: Method, path: &str, body: Value) -> anyhow::Result<Value> {
        let answer = self.teacher.request(method, &format!("/api/v1{path}")).json(&body).send().await?;
        Ok(answer.error_for_status()?.json().await.unwrap_or_default())
    }

    /// Twenty people in their seats, three GPUs at work, a long queue, and some things that went wrong.
    async fn fill(&self) -> anyhow::Result<()> {
        self.tell(Method::PATCH, "/queue", json!({"mode": "round_robin", "price_per_hour": 120})).await?;
        for (n, name) in (1..).zip(NAMES) {
            let account = format!("/accounts/user{n:03}");
            self.tell(Method::PATCH, &account, json!({"label": name, "seat": n})).await?;
        }
        let tabs = TaskTracker::new();
        for n in 1..=16 {
            let mut tab = self.workshop.person(&format!("user{n:03}"))?.tab(None).await?;
            // Open until the workshop is over.
            tabs.spawn(async move { while tab.next().await.is_ok() {} });
        }
        for n in [2, 5, 9, 12] {
            let person = self.workshop.person(&format!("user{n:03}"))?;
            for how in ["out_of_memory", "fail"].into_iter().take(1 + n % 2) {
                let id = person
                    .submit(&graphs::misbehaving(graphs::sampled_picture(n as u64, 2), "3", how))
                    .await?;
                person.wait_for(&id, "failed").await?;
            }
        }
        for n in [1, 3, 4, 7] {
            let person = self.workshop.person(&format!("user{n:03}"))?;
            let id = person.submit(&graphs::sampled_picture(n, 30)).await?;
            person.wait_for(&id, "completed").await?;
        }
        for round in 0..3_u64 {
            for n in 1..=(14 - 4 * round) {
                let person = self.workshop.person(&format!("user{n:03}"))?;
                person.submit(&graphs::sampled_picture(100 * round + n, 300)).await?;
            }
        }
        let running = waiting::until("three running jobs", Duration::from_secs(30), async || {
            let room = self.tell(Method::GET, "/room", Value::Null).await?;
            let steps = room["workers"]
                .as_array()
                .into_iter()
                .flatten()
                .filter(|worker| worker["step"]["value"].as_u64() > Some(20));
            Ok((steps.count() == 3).then_some(()))
        });
        running.await
    }

    async fn browser(&self, width: u32, height: u32) -> anyhow::Result<Browser> {
        let browser = self.driver.browser(width, height).await?;
        if width > 500 {
            browser.show_at(width, height).await?;
        }
        let admin = self.workshop.admin.clone().context("a dashboard")?;
        browser.sign_in(&admin, "instructor", self.workshop.password("instructor")?).await?;
        browser.wait_for("the room", "return !!document.querySelector('#headline');", vec![]).await?;
        Ok(browser)
    }

    async fn theme(&self, browser: &Browser, theme: &str) -> anyhow::Result<()> {
        let code = "const [look, done] = arguments; fetch('/look', { method: 'POST', redirect: 'manual', \
            body: new URLSearchParams({ look }) }).then(() => done(true), (error) => done(String(error)));";
        browser.page.execute_async(code, vec![json!(theme)]).await?;
        Ok(())
    }

    /// One page in both themes and all sizes.
    async fn picture(&self, name: &str, path: &str, ready: &str) -> anyhow::Result<()> {
        let admin = self.workshop.admin.clone().context("a dashboard")?;
        for (size, width, height) in SIZES {
            let browser = self.browser(width, height).await?;
            for theme in ["light", "dark"] {
                self.theme(&browser, theme).await?;
                browser.page.goto(&format!("{admin}{path}")).await?;
                if !ready.is_empty() {
                    browser.wait_for(name, ready, vec![]).await?;
                }
                browser.screenshot(&folder().join(format!("{name}-{size}-{theme}.png"))).await?;
            }
            browser.close().await?;
        }
        println!("{name}");
        Ok(())
    }
}

const LIVE: &str = "return document.getElementById('live')?.textContent === 'Live';";

async fn busy(pages: bool) -> anyhow::Result<()> {
    let room = Room::open(20, 3).await?;
    room.fill().await?;
    room.picture("busy", "/", LIVE).await?;
    if !pages {
        return Ok(());
    }
    room.tell(Method::POST, "/queue/demo", json!({})).await?;
    room.tell(Method::PATCH, "/queue", json!({"paused": true, "one_each": true})).await?;
    room.picture("paused-demo", "/", LIVE).await?;
    let list = room.tell(Method::GET, "/jobs?state=failed", Value::Null).await?;
    let failed = list["jobs"][0]["id"].as_str().context("a failed job")?.to_owned();
    for (name, path) in [
        ("person", "/person/user001".to_owned()),
        ("job-failed", format!("/job/{failed}")),
        ("people", "/people".to_owned()),
        ("workers", "/workers".to_owned()),
        ("history", "/history".to_owned()),
        ("report", "/report".to_owned()),
        ("audit", "/audit".to_owned()),
        ("setup", "/setup".to_owned()),
    ] {
        room.picture(name, &path, "").await?;
    }
    Ok(())
}

async fn empty() -> anyhow::Result<()> {
    let room = Room::open(2, 1).await?;
    room.picture("empty", "/", LIVE).await?;
    let nobody = Room::open(20, 0).await?;
    nobody.workshop.person("user001")?.submit(&graphs::white_picture()).await?;
    nobody.picture("no-worker", "/", LIVE).await
}

/// A job that was opened: its picture and its workflow.
async fn opened(room: &Room) -> anyhow::Result<()> {
    let list = room.tell(Method::GET, "/jobs?state=completed", Value::Null).await?;
    let job = list["jobs"][0]["id"].as_str().context("a job that ended well")?.to_owned();
    let admin = room.workshop.admin.clone().context("a dashboard")?;
    for (size, width, height) in SIZES {
        let browser = room.browser(width, height).await?;
        browser.page.goto(&format!("{admin}/job/{job}")).await?;
        let open = "document.querySelector('form[action$=\"/open\"]').submit();";
        browser.script(open, vec![]).await?;
        let seen = "return document.querySelector('.opened img')?.naturalWidth > 0;";
        browser.wait_for("the picture", seen, vec![]).await?;
        browser.script("document.querySelector('.opened').scrollIntoView();", vec![]).await?;
        browser.screenshot(&folder().join(format!("job-opened-{size}.png"))).await?;
        browser.close().await?;
    }
    println!("job-opened");
    Ok(())
}

async fn trouble() -> anyhow::Result<()> {
    // No disk has so much room: storage is nearly full from the start.
    let builder = WorkshopBuilder::new().setting("ATELIER_DISK_FREE_MB", "1000000000");
    let builder = builder.with_admin().people(20).workers(3).step_ms(150).lease_ms(10_000);
    let mut room = Room::of(builder).await?;
    room.fill().await?;
    opened(&room).await?;
    room.workshop.workers[2].kill().await?;
    let lost = "return document.getElementById('live')?.textContent === 'Live' \
        && !!document.querySelector('#zone-problems [aria-label^=\"Forget gpu-3\"]');";
    room.picture("alerts", "/", lost).await?;
    let browser = room.browser(1280, 720).await?;
    browser.wait_for("the dashboard to be live", LIVE, vec![]).await?;
    let info = room.workshop.redis(&["info", "server"]).await?;
    let pid = info.lines().find_map(|line| line.strip_prefix("process_id:")).context("no process_id")?.trim();
    let signal = |name: &str| std::process::Command::new("kill").args([name, pid]).status();
    signal("-STOP")?;
    let away = "return !document.getElementById('away').hidden || document.body.classList.contains('stale');";
    browser.wait_for("Redis to be missed", away, vec![]).await?;
    browser.screenshot(&folder().join("redis-down-1280x720.png")).await?;
    browser.page.refresh().await?;
    let page = "return !!document.querySelector('.message');";
    browser.wait_for("the page without Redis", page, vec![]).await?;
    browser.screenshot(&folder().join("redis-down-page-1280x720.png")).await?;
    signal("-CONT")?;
    room.workshop.wait_until_up().await?;
    browser.page.refresh().await?;
    browser.wait_for("the dashboard to be live again", LIVE, vec![]).await?;
    room.workshop.queue_manager.kill().await?;
    let off = "return document.getElementById('live').classList.contains('off') || !document.getElementById('away').hidden;";
    browser.wait_for("the lost queue-manager", off, vec![]).await?;
    browser.screenshot(&folder().join("disconnected-1280x720.png")).await?;
    browser.page.refresh().await?;
    browser
        .wait_for("the page without the queue", "return !!document.querySelector('.message');", vec![])
        .await?;
    browser.screenshot(&folder().join("away-1280x720.png")).await?;
    browser.close().await
}

/// Two people in ComfyUI's editor: one's picture is there, the other's is being made.
async fn seats() -> anyhow::Result<()> {
    let workshop = WorkshopBuilder::new().with_frontend().step_ms(200).lease_ms(10_000).start().await?;
    let driver = Driver::start(&workshop.data()).await?;
    for (name, seed, steps, node) in [("user001", 7, 20, "SaveImage"), ("user002", 23, 300, "KSampler")] {
        let browser = driver.browser(800, 560).await?;
        browser.show_at(800, 560).await?;
        browser.open_seat(&workshop.front, name, workshop.password(name)?).await?;
        let still = "window.app.extensionManager.setting.set('Comfy.Minimap.Visible', false);";
        browser.script(still, vec![]).await?;
        browser.run(&graphs::sampled_picture(seed, steps), name).await?;
        if node == "SaveImage" {
            browser.picture_on_a_node().await?;
        }
        let seen = "const node = window.app.graph.nodes.find((node) => node.type === arguments[0]); \
            window.app.canvas.ds.scale = 0.8; window.app.canvas.centerOnNode(node); \
            return node.type === 'SaveImage' || node.progress > 0.3;";
        browser.wait_for("the node to photograph", seen, vec![json!(node)]).await?;
        browser.screenshot(&folder().join(format!("seat-{name}.png"))).await?;
        browser.close().await?;
    }
    println!("seats");
    Ok(())
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let wanted = |word: &str| words.is_empty() || words.iter().any(|one| one == word);
    if wanted("busy") || wanted("pages") {
        busy(wanted("pages")).await?;
    }
    if wanted("empty") {
        empty().await?;
    }
    if wanted("trouble") {
        trouble().await?;
    }
    if wanted("seats") {
        seats().await?;
    }
    Ok(())
}
