//! Whoever may not listen any more: what is open closes, what comes back is not let in, and a word that was lost is
//! noticed later.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use testkit::tab::{basic, close_code, connect};
use testkit::{Workshop, WorkshopBuilder, graphs, waiting};
use tokio_tungstenite::tungstenite::Message;

const AWAY: Option<u16> = Some(1001);
const LIMIT: Duration = Duration::from_secs(20);

async fn session(workshop: &Workshop, name: &str) -> String {
    let body = json!({"name": name, "password": workshop.password(name).unwrap()});
    let answer = Client::new().post(format!("{}/api/v1/session", workshop.direct)).json(&body).send();
    let answer: Value = answer.await.unwrap().json().await.unwrap();
    format!("Bearer {}", answer["token"].as_str().unwrap())
}

async fn status(workshop: &Workshop, method: Method, authorization: &str) -> u16 {
    let request = Client::new().request(method, format!("{}/api/v1/session", workshop.direct));
    request.header("authorization", authorization).send().await.unwrap().status().as_u16()
}

/// Asks with a session without a pause, so that it is always believed, and opens a socket as soon as the old one is
/// closed, as a tab does by itself: every try must be refused.
async fn comes_back(workshop: &Workshop, path: &str, authorization: &str, command: &[&str]) {
    let address = format!("{}{path}", workshop.direct);
    let mut open = connect(&address, authorization).await.unwrap();
    let asking = async { while status(workshop, Method::GET, authorization).await != 0 {} };
    let closing = async {
        workshop.operator_json(command).await.unwrap();
        assert_eq!(close_code(&mut open).await.unwrap(), AWAY);
        for _ in 0..20 {
            assert!(connect(&address, authorization).await.is_err(), "{path} is open again");
        }
    };
    tokio::select! {
        () = asking => {}
        () = closing => {}
    }
}

#[tokio::test]
async fn a_tab_that_comes_back_after_its_account_was_disabled_is_not_let_in() {
    let workshop = WorkshopBuilder::new().workers(0).start().await.unwrap();
    let ada = session(&workshop, "user001").await;
    comes_back(&workshop, "/user001/ws", &ada, &["user", "disable", "user001"]).await;
    let ben = session(&workshop, "user002").await;
    comes_back(&workshop, "/api/v1/feed", &ben, &["user", "disable", "user002"]).await;
    let boss = session(&workshop, "instructor").await;
    let demote = ["user", "role", "instructor", "participant"];
    comes_back(&workshop, "/api/v1/feed", &boss, &demote).await;
}

#[tokio::test]
async fn signing_out_closes_the_sockets_of_that_session_and_of_no_other() {
    let workshop = WorkshopBuilder::new().workers(0).start().await.unwrap();
    let (first, second) = (session(&workshop, "user001").await, session(&workshop, "user001").await);
    let seat = format!("{}/user001/ws", workshop.direct);
    let feed = format!("{}/api/v1/feed", workshop.direct);
    let mut gone = [connect(&seat, &first).await.unwrap(), connect(&feed, &first).await.unwrap()];
    let mut events = Client::new()
        .get(format!("{}/api/v1/events", workshop.direct))
        .header("authorization", &first)
        .send()
        .await
        .unwrap();
    let mut stays =
        [connect(&seat, &second).await.unwrap(), connect(&seat, &basic_of(&workshop)).await.unwrap()];
    assert_eq!(status(&workshop, Method::DELETE, &first).await, 204);
    for socket in &mut gone {
        assert_eq!(close_code(socket).await.unwrap(), AWAY);
    }
    let ended = async { while let Ok(Some(_)) = events.chunk().await {} };
    tokio::time::timeout(LIMIT, ended).await.expect("the events end");
    workshop.person("user001").unwrap().submit(&graphs::white_picture()).await.unwrap();
    for socket in &mut stays {
        let heard = async {
            while !matches!(socket.next().await.unwrap().unwrap(), Message::Text(text) if text.contains("\"queue_remaining\":1"))
            {
            }
        };
        tokio::time::timeout(LIMIT, heard).await.expect("another session of theirs goes on");
    }
}

fn basic_of(workshop: &Workshop) -> String {
    basic("user001", workshop.password("user001").unwrap()).unwrap()
}

/// Takes every session and token out of the store without a word.
async fn forget_silently(workshop: &Workshop, kind: &str) {
    let keys = workshop.redis(&["--scan", "--pattern", &format!("{{workshop}}:{kind}:*")]).await.unwrap();
    assert!(keys.lines().count() > 0, "there are such keys");
    for key in keys.lines() {
        workshop.redis(&["del", key]).await.unwrap();
    }
}

#[tokio::test]
async fn an_end_that_nobody_heard_of_is_noticed_when_listening_begins_again() {
    let mut workshop = WorkshopBuilder::new().start().await.unwrap();
    let ada = session(&workshop, "user001").await;
    let mut sockets = Vec::new();
    for path in ["/user001/ws", "/api/v1/feed"] {
        sockets.push(connect(&format!("{}{path}", workshop.direct), &ada).await.unwrap());
    }
    let mut stays = workshop.person("user002").unwrap().tab(None).await.unwrap();
    forget_silently(&workshop, "session").await;
    forget_silently(&workshop, "token").await;
    workshop.redis(&["client", "kill", "type", "pubsub"]).await.unwrap();
    for socket in &mut sockets {
        assert_eq!(close_code(socket).await.unwrap(), AWAY);
    }
    waiting::until("the link to end", LIMIT, async || {
        Ok(workshop.queue_manager.output().contains("the worker's token was revoked").then_some(()))
    })
    .await
    .unwrap();
    workshop.person("user002").unwrap().submit(&graphs::white_picture()).await.unwrap();
    stays.next().await.expect("nobody else is sent away");
    workshop.workers[0].kill().await.unwrap();
}

#[tokio::test]
async fn an_end_that_nobody_heard_of_is_noticed_within_the_minute() {
    let workshop = WorkshopBuilder::new().workers(0).start().await.unwrap();
    let ada = session(&workshop, "user001").await;
    let mut tab = connect(&format!("{}/user001/ws", workshop.direct), &ada).await.unwrap();
    let mut feed = connect(&format!("{}/api/v1/feed", workshop.direct), &ada).await.unwrap();
    forget_silently(&workshop, "session").await;
    let both = async { tokio::join!(close_code(&mut tab), close_code(&mut feed)) };
    let (tab, feed) = tokio::time::timeout(Duration::from_secs(60), both).await.expect("within the minute");
    assert_eq!((tab.unwrap(), feed.unwrap()), (AWAY, AWAY));
}

#[tokio::test]
async fn a_token_that_was_revoked_before_the_hello_is_lent_nothing() {
    let workshop = WorkshopBuilder::new().workers(0).start().await.unwrap();
    let secret = workshop.operator(&["token", "issue", "gpu-9"]).await.unwrap().stdout;
    let authorization = format!("Bearer {}", String::from_utf8(secret).unwrap().trim());
    let mut link = connect(&format!("{}/link", workshop.link), &authorization).await.unwrap();
    let tokens = workshop.operator_json(&["token", "list"]).await.unwrap();
    workshop.operator_json(&["token", "revoke", tokens[0]["id"].as_str().unwrap()]).await.unwrap();
    workshop.person("user001").unwrap().submit(&graphs::white_picture()).await.unwrap();
    let hello = json!({"hello": {"version": "0", "gpu": "none", "vram_total": 0, "comfyui_version": "0",
        "object_info": "0".repeat(64), "parts": {}, "leases": [], "yielding": false}});
    link.send(Message::Text(hello.to_string().into())).await.unwrap();
    // The link may be closed already.
    drop(link.send(Message::Text(json!("ready").to_string().into())).await);
    let first = tokio::time::timeout(LIMIT, link.next()).await.expect("an answer");
    assert!(!matches!(first, Some(Ok(Message::Text(_)))), "{first:?}");
    let workers = workshop.redis(&["zscore", "{workshop}:workers", "gpu-9"]).await.unwrap();
    assert_eq!(workers.trim(), "", "it does not even count as a worker");
}
