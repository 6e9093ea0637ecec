//! What people let their programs and browsers do: tokens with scopes and an end, sessions that are listed and ended one
//! by one, idle ones and old ones that end by themselves.

use queue_manager::api::table::{Needs, Who, rows};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use testkit::tab::{close_code, connect};
use testkit::{Workshop, WorkshopBuilder, graphs};

const HOUR: i64 = 3_600_000;

fn as_bearer(workshop: &Workshop, method: Method, path: &str, secret: &str) -> RequestBuilder {
    Client::new().request(method, format!("{}{path}", workshop.front)).bearer_auth(secret)
}

async fn session(workshop: &Workshop, name: &str) -> String {
    let body = json!({"name": name, "password": workshop.password(name).unwrap()});
    let request = Client::new().post(format!("{}/api/v1/session", workshop.front)).json(&body);
    let answer: Value = request
        .header("user-agent", format!("browser of {name}"))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    answer["token"].as_str().unwrap().to_owned()
}

async fn make(workshop: &Workshop, secret: &str, wanted: Value) -> (u16, Value) {
    let answer = as_bearer(workshop, Method::POST, "/api/v1/account/tokens", secret)
        .json(&wanted)
        .send()
        .await
        .unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

async fn status(workshop: &Workshop, method: Method, path: &str, secret: &str) -> u16 {
    as_bearer(workshop, method, path, secret).send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn a_token_opens_what_its_scopes_say_of_every_route_and_nothing_that_makes_tokens() {
    let workshop = WorkshopBuilder::new().workers(0).with_nginx().start().await.unwrap();
    let mut cells = 0;
    for (name, scopes) in [
        ("user001", vec!["read"]),
        ("user001", vec!["work"]),
        ("user001", vec!["read", "work"]),
        ("instructor", vec!["read", "work"]),
        ("instructor", vec!["steer"]),
    ] {
        let signed_in = session(&workshop, name).await;
        let (made, token) = make(&workshop, &signed_in, json!({"scopes": scopes, "label": "a script"})).await;
        assert_eq!(made, 201, "{token}");
        let token = token["token"].as_str().unwrap().to_owned();
        for row in rows() {
            if row.who == Who::Anyone {
                continue;
            }
            let path =
                row.path.replace("{id}", "7f2c1b9e-0a55-4b7c-9f56-0e6c56b1f001").replace("{name}", "user009");
            let path =
                path.replace("{worker}", "gpu-9").replace("{cause}", "0").replace("{hash}", &"0".repeat(64));
            let path = path.replace("{token}", "000000000000").replace("{session}", "000000000000");
            let mut request = as_bearer(&workshop, row.method.clone(), &format!("/api/v1{path}"), &token);
            if row.body.is_some() {
                request = request.json(&json!({"no such field": true}));
            }
            let got = request.send().await.unwrap().status().as_u16();
            let enough = match row.needs() {
                Needs::InPerson => false,
                Needs::Scope(scope) => scopes.contains(&scope.word()),
            };
            let may = enough && (row.who == Who::Account || name == "instructor");
            assert_eq!(
                got != 403,
                may,
                "{} {} with {scopes:?} of {name} answered {got}",
                row.method,
                row.path
            );
            cells += 1;
        }
        for (method, path, scope) in [
            (Method::GET, format!("/{name}/api/queue"), "read"),
            (Method::GET, format!("/{name}/api/userdata?dir=workflows"), "read"),
            (Method::POST, format!("/{name}/interrupt"), "work"),
            (Method::POST, format!("/{name}/api/userdata/workflows%2Fa.json"), "work"),
        ] {
            let got = status(&workshop, method, &path, &token).await;
            assert_eq!(got != 403, scopes.contains(&scope), "{path} with {scopes:?} answered {got}");
        }
        assert_eq!(
            status(&workshop, Method::GET, "/user002/api/queue", &token).await,
            404,
            "and no other seat"
        );
    }
    println!("{cells} cells");
}

#[tokio::test]
async fn an_instructors_token_without_steer_sees_no_more_than_a_participant() {
    let workshop = WorkshopBuilder::new().workers(0).start().await.unwrap();
    let job = workshop.person("user001").unwrap().submit(&graphs::white_picture()).await.unwrap();
    let boss = session(&workshop, "instructor").await;
    let path = format!("/api/v1/jobs/{job}");
    assert_eq!(status(&workshop, Method::GET, &path, &boss).await, 200);
    for (scopes, wanted) in [(json!(["read", "work"]), 404), (json!(["read", "steer"]), 200)] {
        let token = make(&workshop, &boss, json!({"scopes": scopes})).await.1;
        assert_eq!(
            status(&workshop, Method::GET, &path, token["token"].as_str().unwrap()).await,
            wanted,
            "{scopes}"
        );
    }
}

#[tokio::test]
async fn a_token_is_listed_without_itself_and_ends_when_it_is_revoked_or_its_owner_is_signed_out() {
    let workshop = WorkshopBuilder::new().workers(0).start().await.unwrap();
    let (ada, ben) = (session(&workshop, "user001").await, session(&workshop, "user002").await);
    for (wrong, why) in [
        (json!({"scopes": []}), "none"),
        (json!({"scopes": ["everything"]}), "unknown"),
        (json!({"scopes": ["read"], "days": 0}), "no day"),
        (json!({"scopes": ["read"], "days": 1000}), "for ever"),
        (json!({"scopes": ["read"], "label": "two\nlines"}), "two lines"),
        (json!({"scopes": ["read"], "account": "instructor"}), "somebody else's"),
    ] {
        assert_eq!(make(&workshop, &ada, wrong).await.0, 400, "{why}");
    }
    assert_eq!(
        make(&workshop, &ada, json!({"scopes": ["read", "steer"]})).await.0,
        403,
        "only the instructor steers"
    );
    let mut made = Vec::new();
    for n in 0..3 {
        let (status, token) = make(
            &workshop,
            &ada,
            json!({"scopes": ["work", "read", "read"], "label": format!("script {n}"), "days": 7}),
        )
        .await;
        assert_eq!(status, 201);
        made.push((token["id"].as_str().unwrap().to_owned(), token["token"].as_str().unwrap().to_owned()));
    }
    assert_eq!(status(&workshop, Method::GET, "/user001/api/queue", &made[0].1).await, 200);
    let list = as_bearer(&workshop, Method::GET, "/api/v1/account/tokens", &ada)
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(made.iter().all(|(_, secret)| !list.contains(secret)), "{list}");
    let list: Value = serde_json::from_str(&list).unwrap();
    let first = &list["tokens"][0];
    assert_eq!((&first["scopes"], &first["label"]), (&json!(["read", "work"]), &json!("script 0")));
    assert_eq!(first["expires_at"].as_i64().unwrap() - first["made_at"].as_i64().unwrap(), 7 * 24 * HOUR);
    assert!(first["used_at"].is_u64() && list["tokens"][1]["used_at"].is_null(), "{list}");
    let theirs = as_bearer(&workshop, Method::GET, "/api/v1/account/tokens", &ben).send().await.unwrap();
    assert_eq!(theirs.json::<Value>().await.unwrap()["tokens"], json!([]));

    // Nobody else revokes it; its owner does, and what it opened closes.
    let (id, secret) = &made[0];
    let path = format!("/api/v1/account/tokens/{id}");
    assert_eq!(status(&workshop, Method::DELETE, &path, &ben).await, 404);
    let mut tab =
        connect(&format!("{}/user001/ws", workshop.direct), &format!("Bearer {secret}")).await.unwrap();
    assert_eq!(status(&workshop, Method::DELETE, &path, &ada).await, 204);
    assert_eq!(close_code(&mut tab).await.unwrap(), Some(1001));
    assert_eq!(status(&workshop, Method::GET, "/user001/api/queue", secret).await, 401);
    assert_eq!(status(&workshop, Method::DELETE, &path, &ada).await, 404);

    // Its time is over.
    let (id, secret) = &made[1];
    let keys = workshop.redis(&["hget", "{workshop}:person-tokens", id]).await.unwrap();
    workshop
        .redis(&["hset", &format!("{{workshop}}:token:{}", keys.trim()), "expires_at", "1"])
        .await
        .unwrap();
    assert_eq!(status(&workshop, Method::GET, "/user001/api/queue", secret).await, 401);

    // Whatever signs its owner out.
    let (_, secret) = &made[2];
    assert_eq!(status(&workshop, Method::GET, "/user001/api/queue", secret).await, 200);
    workshop.operator_json(&["user", "password", "user001"]).await.unwrap();
    testkit::waiting::until("it to be worth nothing", std::time::Duration::from_secs(5), async || {
        Ok((status(&workshop, Method::GET, "/user001/api/queue", secret).await == 401).then_some(()))
    })
    .await
    .unwrap();
    let log = workshop.logs();
    assert!(made.iter().all(|(_, secret)| !log.contains(secret)));
}

#[tokio::test]
async fn an_operator_makes_lists_and_revokes_tokens_of_people_and_of_workers() {
    let workshop = WorkshopBuilder::new().workers(0).start().await.unwrap();
    let person = workshop
        .operator_json(&["token", "grant", "user001", "--scope", "read", "--days", "2", "--label", "ci"])
        .await
        .unwrap();
    let worker = workshop.operator_json(&["token", "issue", "gpu-7", "--days", "3"]).await.unwrap();
    let secret = person["token"].as_str().unwrap();
    assert_eq!(status(&workshop, Method::GET, "/user001/api/queue", secret).await, 200);
    let listed = workshop.operator_json(&["token", "list"]).await.unwrap();
    assert_eq!((&listed[0]["worker"], &listed[1]["account"]), (&json!("gpu-7"), &json!("user001")));
    assert_eq!(listed[1]["scopes"], json!(["read"]));
    assert!(
        !listed.to_string().contains(secret)
            && !listed.to_string().contains(worker["token"].as_str().unwrap())
    );
    let shown = String::from_utf8(workshop.operator(&["token", "list"]).await.unwrap().stdout).unwrap();
    assert!(shown.contains("ends in 3 days") && shown.contains("ends in 2 days"), "{shown}");
    for wrong in [
        &["token", "grant", "nobody", "--scope", "read"][..],
        &["token", "grant", "user001"],
        &["token", "grant", "user001", "--scope", "root"],
        &["token", "issue", "gpu-7", "--days", "0"],
    ] {
        assert!(!workshop.operator(wrong).await.unwrap().status.success(), "{wrong:?}");
    }

    // A worker's token whose time is over opens nothing, and closes what it opened.
    let bearer = format!("Bearer {}", worker["token"].as_str().unwrap());
    connect(&format!("{}/link", workshop.link), &bearer).await.unwrap();
    let hash =
        workshop.redis(&["hget", "{workshop}:worker-tokens", worker["id"].as_str().unwrap()]).await.unwrap();
    workshop
        .redis(&["hset", &format!("{{workshop}}:token:{}", hash.trim()), "expires_at", "1"])
        .await
        .unwrap();
    assert!(connect(&format!("{}/link", workshop.link), &bearer).await.is_err());
    let ids: Vec<_> = [&person, &worker].map(|token| token["id"].as_str().unwrap().to_owned()).into();
    let revoked = workshop.operator_json(&["token", "revoke", &ids[0], &ids[1]]).await.unwrap();
    assert_eq!(revoked["revoked"], json!(ids));
    assert_eq!(workshop.operator_json(&["token", "list"]).await.unwrap(), json!([]));
}

#[tokio::test]
async fn somebody_sees_where_they_are_signed_in_and_signs_out_there() {
    let workshop = WorkshopBuilder::new().workers(0).start().await.unwrap();
    let (here, there) = (session(&workshop, "user001").await, session(&workshop, "user001").await);
    let ben = session(&workshop, "user002").await;
    let list = as_bearer(&workshop, Method::GET, "/api/v1/account/sessions", &here).send().await.unwrap();
    let text = list.text().await.unwrap();
    assert!(!text.contains(&here) && !text.contains(&there));
    let list: Value = serde_json::from_str(&text).unwrap();
    let sessions = list["sessions"].as_array().unwrap();
    assert_eq!(sessions.len(), 2, "{list}");
    assert!(sessions.iter().all(|session| session["about"] == "browser of user001"));
    let other = sessions.iter().find(|session| session["current"] == false).unwrap();
    assert!(sessions.iter().any(|session| session["current"] == true));
    let path = format!("/api/v1/account/sessions/{}", other["id"].as_str().unwrap());
    assert_eq!(status(&workshop, Method::DELETE, &path, &ben).await, 404, "nobody else's");
    let mut tab =
        connect(&format!("{}/user001/ws", workshop.direct), &format!("Bearer {there}")).await.unwrap();
    assert_eq!(status(&workshop, Method::DELETE, &path, &here).await, 204);
    assert_eq!(close_code(&mut tab).await.unwrap(), Some(1001));
    assert_eq!(status(&workshop, Method::GET, "/api/v1/jobs", &there).await, 401);
    assert_eq!(status(&workshop, Method::GET, "/api/v1/jobs", &here).await, 200);
    assert_eq!(status(&workshop, Method::DELETE, &path, &here).await, 404);
}

/// Milliseconds until a session ends, and its key.
async fn left(workshop: &Workshop, name: &str) -> (i64, String) {
    let keys = workshop.redis(&["hvals", &format!("{{workshop}}:sessions:{name}")]).await.unwrap();
    let key = format!("{{workshop}}:session:{}", keys.lines().next().unwrap());
    (workshop.redis(&["pttl", &key]).await.unwrap().trim().parse().unwrap(), key)
}

#[tokio::test]
async fn a_session_ends_when_it_is_idle_and_sixteen_hours_after_it_began_whatever_is_done() {
    let workshop = WorkshopBuilder::new().workers(0).start().await.unwrap();
    for (name, idle) in [("user001", 8), ("instructor", 2)] {
        let secret = session(&workshop, name).await;
        let (ttl, key) = left(&workshop, name).await;
        assert!(ttl <= idle * HOUR && ttl > idle * HOUR - 60_000, "{name}: {ttl}");
        // Used after a while: its idle time begins again.
        workshop.redis(&["pexpire", &key, "600000"]).await.unwrap();
        let mut tab =
            connect(&format!("{}/api/v1/feed", workshop.direct), &format!("Bearer {secret}")).await.unwrap();
        let (ttl, _) = left(&workshop, name).await;
        assert!(ttl > idle * HOUR - 60_000, "{name}: {ttl}");
        // Fifteen hours and a half old: it is used, and yet it has half an hour.
        let made_at: i64 = workshop.redis(&["hget", &key, "made_at"]).await.unwrap().trim().parse().unwrap();
        let earlier = |ms: i64| (made_at - ms).to_string();
        workshop.redis(&["hset", &key, "made_at", &earlier(31 * HOUR / 2)]).await.unwrap();
        testkit::waiting::until("a look that believes no cache", testkit::browser::PATIENCE, async || {
            assert_eq!(status(&workshop, Method::GET, "/api/v1/jobs", &secret).await, 200);
            let (ttl, _) = left(&workshop, name).await;
            Ok((ttl <= HOUR / 2).then_some(()))
        })
        .await
        .unwrap();
        workshop.redis(&["hset", &key, "made_at", &earlier(17 * HOUR)]).await.unwrap();
        testkit::waiting::until("its end", testkit::browser::PATIENCE, async || {
            Ok((status(&workshop, Method::GET, "/api/v1/jobs", &secret).await == 401).then_some(()))
        })
        .await
        .unwrap();
        assert_eq!(close_code(&mut tab).await.unwrap(), Some(1001), "{name}: and what it had open closes");
    }
}
