//! A whole room signs in from one address while somebody guesses.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use reqwest::Client;
use serde_json::{Value, json};
use testkit::{Workshop, WorkshopBuilder};

const ROOM: usize = 20;

/// Status of one sign-in, and how long it took.
async fn sign_in(workshop: &Workshop, client: &Client, name: &str, password: &str) -> (u16, Duration) {
    let began = Instant::now();
    let body = json!({"name": name, "password": password});
    let answer = client.post(format!("{}/api/v1/session", workshop.front)).json(&body).send().await.unwrap();
    (answer.status().as_u16(), began.elapsed())
}

fn longest(times: &[(u16, Duration)]) -> Duration {
    times.iter().map(|(_, time)| *time).max().unwrap_or_default()
}

/// `bad` wrong sign-ins spread over `spread`, half of them for the first `names` of the room, and in their midst everybody's
/// first good one, all at once.
async fn room_signs_in(bad: usize, names: usize, spread: Duration) {
    let workshop = WorkshopBuilder::new().people(ROOM).workers(0).with_nginx().start().await.unwrap();
    let client = Client::new();
    let wrong = |n: usize| {
        let (workshop, client) = (&workshop, &client);
        async move {
            tokio::time::sleep(spread * u32::try_from(n).unwrap() / u32::try_from(bad).unwrap()).await;
            let name = match n % 2 {
                0 => format!("user{:03}", n / 2 % names + 1),
                _ => format!("stranger{n}"),
            };
            sign_in(workshop, client, &name, &format!("guess {n}")).await
        }
    };
    let good = |n: usize| {
        let (workshop, client) = (&workshop, &client);
        async move {
            tokio::time::sleep(spread / 2).await;
            let name = format!("user{n:03}");
            sign_in(workshop, client, &name, workshop.password(&name).unwrap()).await
        }
    };
    let (wrong, good) = tokio::join!(join_all((0..bad).map(wrong)), join_all((1..=ROOM).map(good)));
    println!(
        "{ROOM} good sign-ins at once beside {bad} bad ones over {spread:?}: the slowest took {:?}",
        longest(&good)
    );
    println!("the slowest bad one took {:?}", longest(&wrong));
    let count =
        |answers: &[(u16, Duration)], status: u16| answers.iter().filter(|(s, _)| *s == status).count();
    assert_eq!(count(&good, 201), ROOM, "everybody is let in at the first try");
    assert_eq!(count(&wrong, 401), bad, "and nobody else");
}

#[tokio::test]
async fn a_room_signs_in_while_somebody_guesses() {
    room_signs_in(300, 5, Duration::from_secs(3)).await;
}

#[tokio::test]
#[ignore = "the full figure, by hand: cargo test -p testkit --test it -- --ignored two_thousand --nocapture"]
async fn a_room_signs_in_beside_two_thousand_guesses() {
    room_signs_in(2_000, ROOM, Duration::from_secs(10)).await;
}

#[tokio::test]
async fn nobody_is_kept_out_by_somebody_elses_wrong_tries() {
    let workshop = WorkshopBuilder::new().workers(0).start().await.unwrap();
    let client = Client::new();
    for name in ["user001", "instructor"] {
        let wrong = join_all((0..100).map(|n| {
            let (workshop, client) = (&workshop, &client);
            async move { sign_in(workshop, client, name, &format!("guess {n}")).await.0 }
        }));
        assert!(wrong.await.iter().all(|status| *status == 401));
        let right = workshop.password(name).unwrap();
        assert_eq!(sign_in(&workshop, &client, name, right).await.0, 201, "{name} gets in at the first try");
    }
    let log = workshop.queue_manager.output();
    assert_eq!(log.matches("many wrong passwords").count(), 2, "one line for each: {log}");
}

#[tokio::test]
async fn many_requests_with_a_name_and_a_password_at_once_all_pass() {
    let workshop = WorkshopBuilder::new().workers(0).start().await.unwrap();
    let ada = workshop.person("user001").unwrap();
    let answers = join_all((0..40).map(|_| ada.json("/api/v1/jobs"))).await;
    assert!(answers.iter().all(|answer| answer.as_ref().is_ok_and(|body: &Value| body["jobs"].is_array())));
}

async fn sessions(workshop: &Workshop) -> usize {
    let keys = workshop.redis(&["--scan", "--pattern", "{workshop}:session:*"]).await.unwrap();
    keys.lines().filter(|key| !key.is_empty()).count()
}

#[tokio::test]
async fn who_signs_in_again_and_again_is_slowed_and_fills_the_store_with_nothing() {
    let workshop = WorkshopBuilder::new().workers(0).start().await.unwrap();
    let (client, password) = (Client::new(), workshop.password("user001").unwrap());
    let tries = join_all((0..150).map(|_| sign_in(&workshop, &client, "user001", password))).await;
    let count = |wanted: u16| tries.iter().filter(|(status, _)| *status == wanted).count();
    assert!(count(201) >= 60 && count(429) > 0 && count(201) + count(429) == 150, "{} got in", count(201));
    assert_eq!(sessions(&workshop).await, 50);
    let bens = workshop.password("user002").unwrap();
    assert_eq!(sign_in(&workshop, &client, "user002", bens).await.0, 201, "nobody else is slowed");
    workshop.operator_json(&["user", "password", "user001"]).await.unwrap();
    assert_eq!(sessions(&workshop).await, 1, "what was ended is gone, and ben's is there");
}

#[tokio::test]
async fn a_password_that_nobody_can_have_is_not_even_hashed() {
    let workshop = WorkshopBuilder::new().workers(0).start().await.unwrap();
    let (client, long) = (Client::new(), "x".repeat(257));
    // Were it looked at, it would be right.
    let hash = queue_manager::identity::password::hash(&long).unwrap();
    workshop.redis(&["hset", "{workshop}:account:user001", "password_hash", &hash]).await.unwrap();
    assert_eq!(sign_in(&workshop, &client, "user001", &long).await.0, 401);
    let basic = client.get(format!("{}/api/v1/session", workshop.front)).basic_auth("user001", Some(&long));
    assert_eq!(basic.send().await.unwrap().status(), 401);
    let huge = "x".repeat(20_000);
    assert_eq!(sign_in(&workshop, &client, "user001", &huge).await.0, 413);
    let form = client.post(format!("{}/sign-in", workshop.front)).header("sec-fetch-site", "same-origin");
    let form = form.header("content-type", "application/x-www-form-urlencoded");
    let answer = form.body(format!("name=user001&password={huge}")).send().await.unwrap();
    assert_eq!(answer.status(), 413);
}
