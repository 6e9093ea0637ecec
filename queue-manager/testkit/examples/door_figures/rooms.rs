//! Two people run thousands of jobs with a word of their own in each; everything that either's tab and feed hears is searched
//! for the other's word.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::StreamExt;
use futures_util::future::try_join_all;
use serde_json::{Value, json};
use testkit::tab::{Socket, basic, connect};
use testkit::{Person, Workshop, WorkshopBuilder, graphs};
use tokio_tungstenite::tungstenite::Message;

/// Who hears, and which word is not for them.
const PEOPLE: [(&str, &str); 2] = [("user001", "canary-of-user002"), ("user002", "canary-of-user001")];
/// Within everybody's cap.
const AT_ONCE: usize = 20;

#[derive(Default)]
struct Heard {
    messages: usize,
    own: usize,
    foreign: usize,
}

async fn listen(mut socket: Socket, name: &str, foreign: &str, over: Arc<AtomicBool>) -> Heard {
    let (own, mut heard) = (format!("canary-of-{name}"), Heard::default());
    while !over.load(Ordering::Relaxed) {
        let quiet = tokio::time::timeout(std::time::Duration::from_secs(2), socket.next());
        let bytes = match quiet.await {
            Ok(Some(Ok(Message::Text(text)))) => text.as_bytes().to_vec(),
            Ok(Some(Ok(Message::Binary(bytes)))) => bytes.to_vec(),
            Ok(Some(Ok(_))) | Err(_) => continue,
            Ok(None | Some(Err(_))) => break,
        };
        let text = String::from_utf8_lossy(&bytes);
        heard.messages += 1;
        heard.own += usize::from(text.contains(&own));
        heard.foreign += usize::from(text.contains(foreign));
    }
    heard
}

/// Runs so many jobs, some at a time.
async fn run(person: Person, tab: &str, jobs: usize) -> anyhow::Result<()> {
    let word = format!("canary-of-{}", person.name);
    let mut waiting = Vec::new();
    for n in 0..jobs {
        let mut graph = graphs::sampled_picture(n as u64, 100);
        graph["9"]["inputs"]["filename_prefix"] = json!(word);
        graph["6"]["inputs"]["text"] = json!(word);
        let body = json!({"prompt": graph, "client_id": tab, "extra_data": {"extra_pnginfo": {"workflow": {"id": word}}}});
        let answer = person.post(&format!("/{}/prompt", person.name), &body).await?.error_for_status()?;
        let answer: Value = answer.json().await?;
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
    Ok([seat, connect(&format!("{}/api/v1/events", workshop.front), &authorization).await?])
}

#[expect(clippy::disallowed_methods, reason = "an example is no service: it ends with its tasks")]
pub(crate) async fn who_hears_what(jobs: usize) -> anyhow::Result<()> {
    let workshop = WorkshopBuilder::new().workers(2).with_nginx().step_ms(1).lease_ms(30_000).start().await?;
    let (over, mut listening, mut running) = (Arc::new(AtomicBool::new(false)), Vec::new(), Vec::new());
    for (name, foreign) in PEOPLE {
        let tab = format!("tab-of-{name}");
        for socket in ears(&workshop, name, &tab).await? {
            let over = Arc::clone(&over);
            listening.push((name, tokio::spawn(listen(socket, name, foreign, over))));
        }
        let person = workshop.person(name)?;
        running.push(async move { run(person, &tab, jobs / 2).await });
    }
    let began = std::time::Instant::now();
    try_join_all(running).await?;
    let took = began.elapsed();
    over.store(true, Ordering::Relaxed);
    println!("{jobs} jobs of two people in {took:?}");
    for (name, heard) in listening {
        let Heard { messages, own, foreign } = heard.await?;
        println!("{name} heard {messages} messages, their own word in {own}, the other's in {foreign}");
    }
    Ok(())
}
