//! A room runs thousands of jobs with a word of its owner's in each; everything that anybody's tab and feed hears is searched
//! for the others' words.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::try_join_all;
use serde_json::{Value, json};
use testkit::tab::{Socket, basic, connect};
use testkit::{Person, Workshop, WorkshopBuilder, graphs};
use tokio_tungstenite::tungstenite::Message;

const PEOPLE: usize = 20;
const WORD: &str = "canary-of-";
/// As fast as one person may submit, beyond a first burst.
const PACE: Duration = Duration::from_millis(500);
/// Within everybody's cap.
const AT_ONCE: usize = 20;

#[derive(Default)]
struct Heard {
    messages: usize,
    own: usize,
    foreign: usize,
}

async fn listen(mut socket: Socket, name: String, over: Arc<AtomicBool>) -> Heard {
    let (own, mut heard) = (format!("{WORD}{name}"), Heard::default());
    while !over.load(Ordering::Relaxed) {
        let quiet = tokio::time::timeout(Duration::from_secs(2), socket.next());
        let bytes = match quiet.await {
            Ok(Some(Ok(Message::Text(text)))) => text.as_bytes().to_vec(),
            Ok(Some(Ok(Message::Binary(bytes)))) => bytes.to_vec(),
            Ok(Some(Ok(_))) | Err(_) => continue,
            Ok(None | Some(Err(_))) => break,
        };
        let text = String::from_utf8_lossy(&bytes);
        heard.messages += 1;
        let (all, own) = (text.matches(WORD).count(), text.matches(&own).count());
        heard.own += own;
        heard.foreign += all - own;
    }
    heard
}

/// Runs so many jobs, some at a time.
async fn run(person: Person, tab: &str, jobs: usize) -> anyhow::Result<()> {
    let word = format!("{WORD}{}", person.name);
    let mut waiting = Vec::new();
    for n in 0..jobs {
        let mut graph = graphs::sampled_picture(n as u64, 20);
        graph["9"]["inputs"]["filename_prefix"] = json!(word);
        graph["6"]["inputs"]["text"] = json!(word);
        let body = json!({"prompt": graph, "client_id": tab, "extra_data": {"extra_pnginfo": {"workflow": {"id": word}}}});
        let mut answer = person.post(&format!("/{}/prompt", person.name), &body).await?;
        while answer.status() == 429 {
            tokio::time::sleep(PACE).await;
            answer = person.post(&format!("/{}/prompt", person.name), &body).await?;
        }
        let answer: Value = answer.error_for_status()?.json().await?;
        waiting.push(answer["prompt_id"].as_str().unwrap_or_default().to_owned());
        if waiting.len() == AT_ONCE {
            person.wait_for(&waiting.remove(AT_ONCE / 2), "completed").await?;
            waiting.clear();
        }
    }
    for id in waiting {
        person.wait_for(&id, "completed").await?;
    }
    Ok(())
}

async fn ears(workshop: &Workshop, name: &str, tab: &str) -> anyhow::Result<[Socket; 2]> {
    let authorization = basic(name, workshop.password(name)?)?;
    let seat = connect(&format!("{}/{name}/ws?clientId={tab}", workshop.front), &authorization).await?;
    Ok([seat, connect(&format!("{}/api/v1/feed", workshop.front), &authorization).await?])
}

#[expect(clippy::disallowed_methods, reason = "an example is no service: it ends with its tasks")]
pub(crate) async fn who_hears_what(jobs: usize) -> anyhow::Result<()> {
    let builder = WorkshopBuilder::new().workers(3).people(PEOPLE).with_nginx();
    let workshop = builder.step_ms(1).lease_ms(30_000).start().await?;
    let (over, mut listening, mut running) = (Arc::new(AtomicBool::new(false)), Vec::new(), Vec::new());
    for n in 1..=PEOPLE {
        let (name, tab) = (format!("user{n:03}"), format!("tab-of-{n}"));
        for socket in ears(&workshop, &name, &tab).await? {
            listening.push(tokio::spawn(listen(socket, name.clone(), Arc::clone(&over))));
        }
        let person = workshop.person(&name)?;
        running.push(async move { run(person, &tab, jobs / PEOPLE).await });
    }
    let began = std::time::Instant::now();
    try_join_all(running).await?;
    let took = began.elapsed();
    over.store(true, Ordering::Relaxed);
    let mut all = Heard::default();
    for heard in try_join_all(listening).await? {
        all.messages += heard.messages;
        all.own += heard.own;
        all.foreign += heard.foreign;
    }
    println!("{jobs} jobs of {PEOPLE} people in {took:?}, heard by {PEOPLE} tabs and as many feeds");
    println!("in {} messages: one's own word {} times, another's {}", all.messages, all.own, all.foreign);
    Ok(())
}
