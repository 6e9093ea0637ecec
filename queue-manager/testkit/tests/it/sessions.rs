//! Sessions from beginning to end, through nginx and directly: what was set before counts for nothing, what ended is over
//! everywhere at once, and no answer that refuses somebody gives or tells them anything.

use futures_util::SinkExt;
use futures_util::future::join_all;
use reqwest::header::{CACHE_CONTROL, COOKIE, ORIGIN, SET_COOKIE};
use reqwest::{Client, Method, Response, redirect};
use serde_json::{Value, json};
use testkit::tab::{Socket, close_code};
use testkit::{Workshop, WorkshopBuilder, wire};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

fn client() -> Client {
    Client::builder().redirect(redirect::Policy::none()).build().unwrap()
}

fn doors(workshop: &Workshop) -> [&str; 2] {
    [&workshop.front, &workshop.direct]
}

/// Signs in with cookies of somebody else's choice; the cookie that came back, or none.
async fn sign_in(base: &str, name: &str, password: &str, before: &str) -> (u16, Option<String>) {
    let request = client().post(format!("{base}/sign-in")).body(format!("name={name}&password={password}"));
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    let answer = request.header(ORIGIN, base).header(COOKIE, before).send().await.unwrap();
    let cookie = answer.headers().get(SET_COOKIE).map(|value| value.to_str().unwrap());
    (answer.status().as_u16(), cookie.map(|cookie| cookie.split(';').next().unwrap().to_owned()))
}

async fn get(base: &str, path: &str, cookie: &str) -> u16 {
    client().get(format!("{base}{path}")).header(COOKIE, cookie).send().await.unwrap().status().as_u16()
}

async fn socket(base: &str, path: &str, headers: &[(&'static str, &str)]) -> Result<Socket, u16> {
    let mut request = format!("{base}{path}").replacen("http", "ws", 1).into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    match connect_async(request).await {
        Ok((socket, _)) => Ok(socket),
        Err(tokio_tungstenite::tungstenite::Error::Http(answer)) => Err(answer.status().as_u16()),
        Err(error) => panic!("{path}: {error}"),
    }
}

#[tokio::test]
async fn an_id_that_was_set_before_is_never_the_id_of_a_session() {
    let workshop = WorkshopBuilder::new().workers(0).with_nginx().start().await.unwrap();
    let password = workshop.password("user001").unwrap();
    for base in doors(&workshop) {
        let mut seen = Vec::new();
        let mut before = "atelier=chosen-by-somebody-else".to_owned();
        for _ in 0..10 {
            let (status, cookie) = sign_in(base, "user001", password, &before).await;
            let cookie = cookie.unwrap();
            assert_eq!(status, 303);
            assert!(!seen.contains(&cookie) && cookie != before, "a new id at every sign-in");
            assert_eq!(get(base, "/user001/api/queue", &cookie).await, 200);
            seen.push(std::mem::replace(&mut before, cookie));
        }
        assert_eq!(get(base, "/user001/api/queue", &seen[0]).await, 401, "what was set before opens nothing");
        let both = format!("{}; {}", seen[0], seen[1]);
        assert_eq!(get(base, "/user002/api/queue", &both).await, 401, "nor beside a good one, for anybody");
    }
}

#[tokio::test]
async fn whatever_ends_a_person_ends_five_sessions_and_five_sockets_at_once() {
    let mut workshop = WorkshopBuilder::new().workers(0).people(3).with_nginx().start().await.unwrap();
    let base = workshop.front.clone();
    let commands: [(&str, &[&str]); 3] = [
        ("user001", &["user", "disable", "user001"]),
        ("user002", &["user", "password", "user002"]),
        ("instructor", &["user", "role", "instructor", "participant"]),
    ];
    let neighbour = sign_in(&base, "user003", workshop.password("user003").unwrap(), "").await.1.unwrap();
    let mut stays =
        socket(&base, "/user003/ws", &[("cookie", &neighbour), ("sec-fetch-site", "same-origin")])
            .await
            .unwrap();
    for (name, command) in commands {
        let password = workshop.password(name).unwrap().to_owned();
        let mut cookies = Vec::new();
        let mut sockets = Vec::new();
        for n in 0..5 {
            let cookie = sign_in(&base, name, &password, "").await.1.unwrap();
            let path = if n % 2 == 0 { format!("/{name}/ws") } else { "/api/v1/feed".to_owned() };
            let headers = [("cookie", cookie.as_str()), ("sec-fetch-site", "same-origin")];
            sockets.push(socket(&base, &path, &headers).await.unwrap());
            cookies.push(cookie);
        }
        workshop.operator_json(command).await.unwrap();
        for closed in join_all(sockets.iter_mut().map(close_code)).await {
            assert_eq!(closed.unwrap(), Some(1001), "{name}");
        }
        for cookie in &cookies {
            for door in doors(&workshop) {
                assert_eq!(get(door, &format!("/{name}/api/queue"), cookie).await, 401, "{name}");
            }
            let headers = [("cookie", cookie.as_str()), ("sec-fetch-site", "same-origin")];
            assert_eq!(socket(&base, &format!("/{name}/ws"), &headers).await.err(), Some(401));
        }
    }
    stays
        .send(tokio_tungstenite::tungstenite::Message::Ping(Vec::new().into()))
        .await
        .expect("nobody else is sent away");
    assert_eq!(get(&base, "/user003/api/queue", &neighbour).await, 200);
    workshop.queue_manager.stop().await.unwrap();
}

#[tokio::test]
async fn a_websocket_is_opened_by_its_owner_from_our_own_page_and_by_nobody_else() {
    let workshop = WorkshopBuilder::new().workers(0).with_nginx().start().await.unwrap();
    let mut opened = 0;
    for base in doors(&workshop) {
        let ada = sign_in(base, "user001", workshop.password("user001").unwrap(), "").await.1.unwrap();
        let over = sign_in(base, "user001", workshop.password("user001").unwrap(), "").await.1.unwrap();
        let out = client().post(format!("{base}/sign-out")).header(COOKIE, &over).header(ORIGIN, base);
        assert_eq!(out.send().await.unwrap().status(), 303);
        let ours = ("sec-fetch-site", "same-origin");
        let origin = ("origin", base);
        for path in ["/user001/ws", "/user001/api/ws", "/api/v1/feed"] {
            for (headers, wanted) in [
                (vec![("cookie", ada.as_str()), ours], 101),
                (vec![("cookie", &ada), origin], 101),
                (vec![("cookie", &ada), ("origin", "http://evil.example")], 403),
                (vec![("cookie", &ada), ("origin", "null")], 403),
                (vec![("cookie", &ada), ("origin", "")], 403),
                (vec![("cookie", &ada), ("origin", "http://127.0.0.1")], 403),
                (vec![("cookie", &ada), ("sec-fetch-site", "cross-site"), origin], 403),
                (vec![("cookie", &ada), ("sec-fetch-site", "same-site"), origin], 403),
                (vec![("cookie", &over), ours], 401),
                (vec![("cookie", "atelier=nothing"), ours], 401),
                (vec![ours], 401),
            ] {
                let got = socket(base, path, &headers).await.map_or_else(|status| status, |_| 101);
                assert_eq!(got, wanted, "{base}{path} with {headers:?}");
                opened += usize::from(got == 101);
            }
            // Without either header no browser sent it, and a cookie alone is not enough.
            let bare = socket(base, path, &[("cookie", &ada)]).await.err();
            assert_eq!(bare, Some(403), "{base}{path}");
        }
        for path in ["/user002/ws", "/user009/ws"] {
            let headers = [("cookie", ada.as_str()), ours];
            assert_eq!(socket(base, path, &headers).await.err(), Some(404), "{path}");
        }
    }
    assert_eq!(opened, 12, "the good ones, and no other");
}

/// Every answer that refuses somebody.
async fn refusals(base: &str, cookie: &str) -> Vec<(String, Response)> {
    let mut answers = Vec::new();
    let other = "7f2c1b9e-0a55-4b7c-9f56-0e6c56b1f001";
    for (method, path) in [
        (Method::GET, "/user001/api/queue".to_owned()),
        (Method::POST, "/user001/prompt".to_owned()),
        (Method::GET, "/user002/api/queue".to_owned()),
        (Method::GET, "/user001/view?filename=none.png".to_owned()),
        (Method::GET, "/user001/api/userdata/none.json".to_owned()),
        (Method::DELETE, "/user001/api/userdata/none.json".to_owned()),
        (Method::GET, "/nobody/at/all".to_owned()),
        (Method::GET, "/join/nothing".to_owned()),
        (Method::POST, "/sign-out".to_owned()),
        (Method::PUT, "/sign-in".to_owned()),
        (Method::POST, "/api/v1/session".to_owned()),
        (Method::GET, "/api/v1/accounts".to_owned()),
        (Method::GET, format!("/api/v1/jobs/{other}")),
        (Method::POST, format!("/api/v1/jobs/{other}/cancel")),
        (Method::PATCH, "/api/v1/queue".to_owned()),
        (Method::GET, "/user001/%5cx".to_owned()),
        (Method::GET, "/metrics".to_owned()),
    ] {
        for (who, header, value) in [
            ("nobody", "x-nothing", String::new()),
            ("a session", "cookie", cookie.to_owned()),
            ("a wrong session", "cookie", "atelier=canary-of-a-cookie".to_owned()),
            (
                "a wrong password",
                "authorization",
                testkit::tab::basic("user001", "canary-of-a-password").unwrap(),
            ),
            ("a wrong token", "authorization", "Bearer canary-of-a-token".to_owned()),
        ] {
            let request = client().request(method.clone(), format!("{base}{path}")).header(header, value);
            let request = request
                .header("content-type", "application/json")
                .body("{\"name\": \"user001\", \"password\": \"canary-of-a-password\"}");
            let answer = request.send().await.unwrap();
            if answer.status().is_client_error() || answer.status().is_server_error() {
                answers.push((format!("{method} {base}{path} as {who}"), answer));
            }
        }
    }
    answers
}

#[tokio::test]
async fn what_refuses_somebody_sets_no_cookie_tells_no_secret_and_is_stored_nowhere() {
    let workshop = WorkshopBuilder::new().workers(0).with_nginx().start().await.unwrap();
    for base in doors(&workshop) {
        let cookie = sign_in(base, "user001", workshop.password("user001").unwrap(), "").await.1.unwrap();
        let answers = refusals(base, &cookie).await;
        assert!(answers.len() >= 60, "{}", answers.len());
        let secret = cookie.split_once('=').unwrap().1.to_owned();
        for (what, answer) in answers {
            assert!(answer.headers().get(SET_COOKIE).is_none(), "{what} hands out a cookie");
            assert_eq!(answer.headers()[CACHE_CONTROL], "no-store", "{what}");
            assert!(answer.status() != 500, "{what}");
            let headers = format!("{:?}", answer.headers());
            let said = headers + &answer.text().await.unwrap();
            for canary in
                [secret.as_str(), "canary-of", workshop.password("user001").unwrap(), "/tmp/", "panicked"]
            {
                assert!(!said.contains(canary), "{what} says {canary}: {said}");
            }
        }
        let (_, cookie) = sign_in(base, "user001", "wrong", "").await;
        assert_eq!(cookie, None, "nor does a wrong password");
    }
}

#[tokio::test]
async fn what_is_somebodys_is_kept_by_no_browser_and_no_proxy() {
    let workshop = WorkshopBuilder::new().workers(0).with_nginx().start().await.unwrap();
    let ada = workshop.person("user001").unwrap();
    ada.submit(&testkit::graphs::white_picture()).await.unwrap();
    for base in doors(&workshop) {
        for path in [
            "/user001/",
            "/user001/jobs",
            "/user001/api/queue",
            "/user001/history",
            "/user001/api/jobs",
            "/user001/settings",
            "/user001/api/userdata?dir=workflows",
            "/api/v1/session",
            "/api/v1/jobs",
            "/api/v1/messages",
            "/sign-in",
            "/",
        ] {
            let answer = ada.at(base).get(path).await.unwrap();
            let kept = answer.headers()[CACHE_CONTROL].to_str().unwrap().to_owned();
            assert!(kept.contains("no-store"), "{base}{path}: {kept}");
        }
    }
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_told_the_same_as_a_wrong_password_at_every_door() {
    let workshop = WorkshopBuilder::new().workers(0).with_nginx().start().await.unwrap();
    let mut told = Vec::new();
    for base in doors(&workshop) {
        for name in ["user001", "instructor", "nobody", "Not A Name", "", "admin", "a\u{202e}b"] {
            let json = json!({"name": name, "password": "wrong"});
            let api = client().post(format!("{base}/api/v1/session")).json(&json).send().await.unwrap();
            let api = (api.status().as_u16(), api.text().await.unwrap());
            let form = client().post(format!("{base}/sign-in")).header(ORIGIN, base);
            let form = form.header("content-type", "application/x-www-form-urlencoded");
            let form =
                form.body(format!("name={}&password=wrong", name.replace(' ', "+"))).send().await.unwrap();
            let form = (form.status().as_u16(), form.headers().get("location").cloned());
            let basic = client().get(format!("{base}/api/v1/session")).basic_auth(name, Some("wrong"));
            let basic = basic.send().await.unwrap();
            let basic = (basic.status().as_u16(), basic.text().await.unwrap());
            told.push((api, form, basic));
        }
    }
    assert_eq!(told[0].0.0, 401);
    for other in &told[1..] {
        assert_eq!(*other, told[0]);
    }
}

#[tokio::test]
async fn a_role_that_was_taken_away_is_gone_for_the_next_request() {
    let workshop = WorkshopBuilder::new().workers(0).with_nginx().start().await.unwrap();
    let base = workshop.front.as_str();
    let password = workshop.password("instructor").unwrap();
    let cookie = sign_in(base, "instructor", password, "").await.1.unwrap();
    assert_eq!(get(base, "/api/v1/jobs", &cookie).await, 200);
    assert_eq!(get(base, "/api/v1/accounts", &cookie).await, 403, "a cookie of the seats never steers");
    // The cache of passwords that were verified must not remember the role either.
    let boss = workshop.person("instructor").unwrap();
    assert_eq!(boss.get("/api/v1/accounts").await.unwrap().status(), 200);
    workshop.operator_json(&["user", "role", "instructor", "participant"]).await.unwrap();
    for door in doors(&workshop) {
        assert_eq!(boss.at(door).get("/api/v1/accounts").await.unwrap().status(), 403, "{door}");
        // Until the word of it has come the cookie is whose it was, which never steers.
        testkit::waiting::until("the session to be over", std::time::Duration::from_secs(5), async || {
            let status = get(door, "/api/v1/accounts", &cookie).await;
            assert!(matches!(status, 401 | 403), "{door}: {status}");
            Ok((status == 401).then_some(()))
        })
        .await
        .unwrap();
        let seen: Value = boss.at(door).json("/api/v1/session").await.unwrap();
        assert_eq!(seen["role"], "participant");
    }
    let answer = wire::say(base, b"GET /api/v1/accounts HTTP/1.0\r\n\r\n").await.unwrap();
    assert!(wire::statuses(&answer).iter().all(|status| *status != 200));
}
