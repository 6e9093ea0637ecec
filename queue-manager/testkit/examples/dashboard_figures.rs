//! What the dashboard costs: sizes, times, memory. Prints, asserts nothing; docs/measurements.md has the figures.
//! `cargo build --workspace --bins && cargo run -p testkit --example dashboard_figures`

use std::io::Read;
use std::time::{Duration, Instant};

use anyhow::Context;
use flate2::read::DeflateDecoder;
use futures_util::StreamExt;
use reqwest::{Client, redirect};
use serde_json::{Value, json};
use testkit::tab::Socket;
use testkit::{Workshop, WorkshopBuilder, graphs, process, waiting};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

const PEOPLE: usize = 20;
const FINISHED: usize = 10_000;
const VIEWERS: usize = 20;

/// Copies one ended job so often, with everything that belongs to it.
const COPIES: &str = "local tag, id = ARGV[1], ARGV[2] \
    for n = 1, tonumber(ARGV[3]) do \
      local new = string.format('00000000-0000-4000-8000-%012x', n) \
      redis.call('COPY', tag .. ':job:' .. id, tag .. ':job:' .. new) \
      redis.call('COPY', tag .. ':result:' .. id, tag .. ':result:' .. new) \
      redis.call('COPY', tag .. ':body:' .. id, tag .. ':body:' .. new) \
      local seq = redis.call('INCR', tag .. ':seq:@jobs') \
      redis.call('HSET', tag .. ':job:' .. new, 'seq', seq) \
      redis.call('ZADD', tag .. ':all', seq, new) \
      redis.call('ZADD', tag .. ':mine:user001', seq, new) \
      redis.call('ZADD', tag .. ':ended', redis.call('HGET', tag .. ':job:' .. id, 'ended_at'), new) \
      redis.call('HINCRBY', tag .. ':counts', 'completed', 1) \
    end return 'copied'";

struct Room {
    workshop: Workshop,
    admin: String,
    cookies: Vec<String>,
    client: Client,
}

impl Room {
    async fn open() -> anyhow::Result<Self> {
        let builder =
            WorkshopBuilder::new().with_admin().people(PEOPLE).workers(3).step_ms(100).lease_ms(30_000);
        let workshop = builder.start().await?;
        let admin = workshop.admin.clone().context("a dashboard")?;
        let up = waiting::until("the dashboard", Duration::from_secs(20), async || {
            Ok(reqwest::get(format!("{admin}/healthz")).await?.status().is_success().then_some(()))
        });
        up.await?;
        let client = Client::builder().redirect(redirect::Policy::none()).build()?;
        // One account may have no more than 16 feeds.
        let made = workshop.operator_json(&["user", "add", "assistant", "--role", "instructor"]).await?;
        let assistant = made[0]["password"].as_str().context("a password")?.to_owned();
        let mut cookies = Vec::new();
        for (name, password) in
            [("instructor", workshop.password("instructor")?), ("assistant", assistant.as_str())]
        {
            let form = format!("name={name}&password={password}");
            let answer = client.post(format!("{admin}/sign-in")).body(form);
            let answer = answer.header("content-type", "application/x-www-form-urlencoded").send().await?;
            let cookie = answer.headers()["set-cookie"].to_str()?.split(';').next().unwrap_or_default();
            cookies.push(cookie.to_owned());
        }
        Ok(Self { workshop, admin, cookies, client })
    }

    async fn page(&self, path: &str) -> anyhow::Result<(usize, Duration)> {
        let before = Instant::now();
        let page = self
            .client
            .get(format!("{}{path}", self.admin))
            .header("cookie", &self.cookies[0])
            .send()
            .await?;
        let text = page.error_for_status()?.text().await?;
        Ok((text.len(), before.elapsed()))
    }

    async fn listen(&self, nth: usize) -> anyhow::Result<Socket> {
        let mut request =
            format!("{}/live?deflate=1", self.admin.replacen("http", "ws", 1)).into_client_request()?;
        request.headers_mut().insert("cookie", self.cookies[nth % 2].parse()?);
        Ok(tokio_tungstenite::connect_async(request).await?.0)
    }

    async fn pages(&self, what: &str) -> anyhow::Result<()> {
        for path in ["/", "/history", "/report", "/person/user001"] {
            let (mut times, mut size) = (Vec::new(), 0);
            for _ in 0..30 {
                let (bytes, took) = self.page(path).await?;
                times.push(took);
                size = bytes;
            }
            times.sort_unstable();
            println!("{what}: {path} {size} bytes, p50 {:?}, p95 {:?}", times[15], times[28]);
        }
        Ok(())
    }

    /// Memory that only the dashboard has, by its process.
    fn dashboard_kib(&self) -> anyhow::Result<u64> {
        let id = self.workshop.dashboard_id().context("the dashboard runs")?;
        Ok(process::resident_kib(id).context("its memory")?.0)
    }
}

/// What a large update is made of.
fn print_parts(update: &Value, size: usize) {
    let Some(zones) = update["change"]["zones"].as_object().filter(|_| size > 2_000) else { return };
    let parts = zones.iter().flat_map(|(zone, change)| {
        let parts = change.as_object().into_iter().flatten();
        parts.map(move |(part, what)| format!("{zone} {part} {}", what.to_string().len()))
    });
    println!("{size}: {}", parts.collect::<Vec<_>>().join(", "));
}

fn text_of(message: &Message) -> anyhow::Result<String> {
    let mut text = String::new();
    match message {
        Message::Binary(bytes) => drop(DeflateDecoder::new(bytes.as_ref()).read_to_string(&mut text)?),
        _ => text.push_str(message.to_text()?),
    }
    Ok(text)
}

async fn heard(socket: &mut Socket, wanted: &str) -> anyhow::Result<usize> {
    loop {
        let message = socket.next().await.context("the feed ended")??;
        if text_of(&message)?.contains(wanted) {
            return Ok(message.len());
        }
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let room = Room::open().await?;
    println!("dashboard before anyone looked: {} KiB", room.dashboard_kib()?);
    let teacher = room.workshop.person("instructor")?;
    teacher
        .request(reqwest::Method::PATCH, "/api/v1/queue")
        .json(&json!({"mode": "round_robin"}))
        .send()
        .await?;
    let ada = room.workshop.person("user001")?;
    let id = ada.submit(&graphs::sampled_picture(1, 5)).await?;
    ada.wait_for(&id, "completed").await?;
    for n in 1..=PEOPLE as u64 {
        let person = room.workshop.person(&format!("user{n:03}"))?;
        for seed in 0..3 {
            person.submit(&graphs::sampled_picture(100 * seed + n, 100)).await?;
        }
    }
    room.pages("20 people, 60 jobs").await?;
    let copied =
        room.workshop.redis(&["eval", COPIES, "0", "{workshop}", &id, &FINISHED.to_string()]).await?;
    println!("{} {FINISHED} finished jobs", copied.trim());
    room.pages("with them").await?;

    let mut viewers = Vec::new();
    for nth in 0..VIEWERS {
        viewers.push(room.listen(nth).await?);
    }
    let mut first = 0;
    for viewer in &mut viewers {
        first = heard(viewer, "\"version\"").await?;
    }
    println!("a viewer that knows nothing is sent {first} bytes");
    for (paused, wanted) in [(true, "Resume"), (false, "/do/pause"), (true, "Resume"), (false, "/do/pause")] {
        let before = Instant::now();
        let change = json!({"paused": paused});
        teacher.request(reqwest::Method::PATCH, "/api/v1/queue").json(&change).send().await?;
        let mut last = Duration::ZERO;
        for viewer in &mut viewers {
            heard(viewer, wanted).await?;
            last = last.max(before.elapsed());
        }
        println!("a change reached all {VIEWERS} viewers after {last:?}");
    }
    let (mut sizes, until) = (Vec::new(), Instant::now() + Duration::from_secs(40));
    while Instant::now() < until {
        let message = viewers[0].next().await.context("the feed ended")??;
        let update: Value = serde_json::from_str(&text_of(&message)?)?;
        if update["change"].is_object() {
            if std::env::args().any(|word| word == "parts") {
                print_parts(&update, message.len());
            }
            sizes.push(message.len());
        }
    }
    sizes.sort_unstable();
    let (count, sum): (usize, usize) = (sizes.len(), sizes.iter().sum());
    println!(
        "{count} updates in 40 s: p50 {} bytes, p95 {}, largest {}, all {sum}",
        sizes[count / 2],
        sizes[count * 95 / 100],
        sizes[count - 1]
    );
    println!("dashboard with {VIEWERS} viewers: {} KiB", room.dashboard_kib()?);
    Ok(())
}
