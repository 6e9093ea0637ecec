//! The room is for instructors: whoever else brings a token to the dashboard sees nothing of it, also while an instructor's
//! page asks for it all the time.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::WorkshopBuilder;
use tokio_tungstenite::tungstenite::Message;

use crate::room_dashboard::Dashboard;
use crate::room_live::{listen_as, next};

const LONG: Duration = Duration::from_secs(60);
const CANARY: &str = "canary-of-the-room";

/// A room that an instructor's open page asks for each second, as something is put aside.
async fn watched_room() -> Dashboard {
    let room = Dashboard::open(WorkshopBuilder::new().workers(1)).await;
    let label = json!({"label": CANARY});
    room.call("instructor", Method::PATCH, "/accounts/user002", label).await;
    room.call("instructor", Method::PATCH, "/queue", json!({"paused": true})).await;
    let job = room.submit("user002").await;
    let (held, _) = room.call("instructor", Method::POST, &format!("/jobs/{job}/hold"), Value::Null).await;
    assert_eq!(held, 204);
    room
}

#[tokio::test]
async fn the_live_feed_says_nothing_to_whoever_may_not_see_the_room() {
    let room = watched_room().await;
    let mut instructor = listen_as(&room, &room.cookie, "").await.unwrap();
    assert!(next(&mut instructor).await.to_string().contains(CANARY));
    let worker = room.workshop.worker_token(1).unwrap();
    for token in [worker.as_str(), "nonsense"] {
        assert!(listen_as(&room, &format!("atelier-admin={token}"), "").await.is_err(), "{token}");
    }
    let cookie = format!("atelier-admin={}", room.token("user001").await);
    let mut participant = listen_as(&room, &cookie, "").await.unwrap();
    let over = tokio::time::timeout(LONG, async {
        while let Some(Ok(heard)) = participant.next().await {
            assert!(matches!(heard, Message::Close(_)), "a participant heard {heard}");
        }
    });
    over.await.expect("the feed of a participant ends at once");
    // The instructor's goes on.
    room.call("instructor", Method::PATCH, "/queue", json!({"paused": false})).await;
    while next(&mut instructor).await["change"]["zones"]["controls"].is_null() {}
}

#[tokio::test]
async fn no_page_shows_the_room_to_whoever_may_not_see_it_however_many_instructors_look_at_once() {
    let room = watched_room().await;
    let participant = room.token("user001").await;
    let worker = room.workshop.worker_token(1).unwrap();
    let strangers = [participant.as_str(), &worker, "nonsense"].map(|token| format!("atelier-admin={token}"));
    let pages = ["/", "/workers", "/alerts", "/longest", "/find?q=canary", "/history", "/report"];
    for page in pages {
        let looks = (0..24).map(|n| {
            let stranger = &strangers[n % strangers.len()];
            let (cookie, page) = if n % 2 == 0 { (&room.cookie, "/") } else { (stranger, page) };
            let room = &room;
            async move { (n % 2 == 1, room.get_as(cookie, page).await) }
        });
        for (is_stranger, seen) in join_all(looks).await {
            if is_stranger {
                let refused = matches!(seen.status, 401 | 403) || seen.to.starts_with("/sign-in");
                assert!(refused && !seen.html.contains(CANARY), "{page}: {} {}", seen.status, seen.html);
            } else {
                assert!(seen.status == 200 && seen.html.contains(CANARY), "{page}: {}", seen.status);
            }
        }
    }
}
