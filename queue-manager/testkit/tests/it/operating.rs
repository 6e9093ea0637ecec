//! What an operator types: accounts, tokens, settings. It takes effect on those who are signed in.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::tab::{basic, close_code, connect};
use testkit::{Workshop, WorkshopBuilder, waiting};

const LIMIT: Duration = Duration::from_secs(20);
const AWAY: Option<u16> = Some(1001);

async fn session(workshop: &Workshop, name: &str) -> String {
    let body = json!({"name": name, "password": workshop.password(name).unwrap()});
    let answer = reqwest::Client::new().post(format!("{}/api/v1/session", workshop.front)).json(&body).send();
    answer.await.unwrap().json::<Value>().await.unwrap()["token"].as_str().unwrap().to_owned()
}

async fn status(workshop: &Workshop, token: &str) -> u16 {
    let request = reqwest::Client::new().get(format!("{}/api/v1/jobs", workshop.front)).bearer_auth(token);
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn disabling_an_account_ends_its_sessions_and_tabs_and_enabling_it_brings_none_back() {
    let workshop = WorkshopBuilder::new().start().await.unwrap();
    let (ada, ben) = (workshop.person("user001").unwrap(), workshop.person("user002").unwrap());
    let (adas, bens) = (session(&workshop, "user001").await, session(&workshop, "user002").await);
    let mut tab = ada.tab(None).await.unwrap();
    let mut bens_tab = ben.tab(None).await.unwrap();
    let mut room = connect(
        &format!("{}/api/v1/feed", workshop.front),
        &basic("instructor", workshop.password("instructor").unwrap()).unwrap(),
    )
    .await
    .unwrap();
    assert_eq!(status(&workshop, &adas).await, 200);

    let said = workshop.operator_json(&["user", "disable", "user001"]).await.unwrap();
    assert_eq!(said, json!([{"name": "user001", "role": "participant", "disabled": true}]));
    assert_eq!(tab.closed().await.unwrap(), AWAY);
    // A session that was found valid is believed for a second.
    let ended = async || Ok((status(&workshop, &adas).await == 401).then_some(()));
    waiting::until("the end of the session", LIMIT, ended).await.unwrap();
    assert_eq!(ada.get("/api/v1/jobs").await.unwrap().status(), 401, "the password opens nothing");
    assert!(ada.tab(None).await.is_err());
    assert_eq!(status(&workshop, &bens).await, 200, "nobody else is signed out");

    workshop.operator_json(&["user", "enable", "user001"]).await.unwrap();
    assert_eq!(ada.get("/api/v1/jobs").await.unwrap().status(), 200, "the password is the same");
    assert_eq!(status(&workshop, &adas).await, 401, "the session is over for good");

    workshop.operator_json(&["user", "role", "instructor", "participant"]).await.unwrap();
    assert_eq!(close_code(&mut room).await.unwrap(), AWAY, "the room is not theirs to see any more");
    let list = workshop.operator_json(&["user", "list"]).await.unwrap();
    assert!(list.as_array().unwrap().iter().all(|account| account["role"] == "participant"));
    ben.submit(&testkit::graphs::white_picture()).await.unwrap();
    bens_tab.next().await.expect("ben's tab heard of his job and of nothing else");
}

#[tokio::test]
async fn a_new_password_replaces_the_old_one_and_adding_an_account_again_changes_nothing() {
    let workshop = WorkshopBuilder::new().workers(0).start().await.unwrap();
    let ada = workshop.person("user001").unwrap();
    let again =
        workshop.operator(&["user", "add", "user001", "user009", "--role", "instructor"]).await.unwrap();
    assert_eq!(again.status.code(), Some(1));
    let said = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(said.contains("user password user001"), "{said}");
    assert!(again.stdout.is_empty(), "all or nothing");
    assert_eq!(ada.get("/api/v1/jobs").await.unwrap().status(), 200);

    let made = workshop.operator(&["user", "password", "user001"]).await.unwrap();
    let line = String::from_utf8(made.stdout).unwrap();
    let password = line.trim().strip_prefix("user001  ").unwrap();
    assert_eq!(ada.get("/api/v1/jobs").await.unwrap().status(), 401);
    let ada = testkit::Person::new(&workshop.front, "user001", password);
    assert_eq!(ada.get("/api/v1/jobs").await.unwrap().status(), 200);

    let nobody = workshop.operator(&["user", "disable", "user002", "nobody"]).await.unwrap();
    assert!(String::from_utf8_lossy(&nobody.stderr).contains("no account nobody"));
    assert_eq!(workshop.person("user002").unwrap().get("/api/v1/jobs").await.unwrap().status(), 200);
    assert_eq!(workshop.operator(&["user", "add", "admin"]).await.unwrap().status.code(), Some(2));
}

#[tokio::test]
async fn a_revoked_token_closes_its_workers_link_and_opens_nothing() {
    let mut workshop = WorkshopBuilder::new().start().await.unwrap();
    let plain = workshop.operator(&["token", "issue", "gpu-2"]).await.unwrap();
    let secret = String::from_utf8(plain.stdout).unwrap().trim().to_owned();
    assert_eq!(secret.len(), 64, "nothing else is printed where a file is made of it");

    let list = workshop.operator_json(&["token", "list"]).await.unwrap();
    let tokens = list.as_array().unwrap();
    assert_eq!((&tokens[0]["worker"], &tokens[1]["worker"]), (&json!("gpu-1"), &json!("gpu-2")));
    assert!(tokens[0]["used_at"].is_u64() && tokens[1]["used_at"].is_null());
    let id = tokens[0]["id"].as_str().unwrap();
    let table = String::from_utf8(workshop.operator(&["token", "list"]).await.unwrap().stdout).unwrap();
    assert!(table.contains(id) && table.contains("never used"), "{table}");
    assert!(!table.contains(&secret) && !list.to_string().contains(&secret));

    assert_eq!(workshop.operator_json(&["token", "revoke", id]).await.unwrap(), json!({"revoked": [id]}));
    let ended = workshop.workers[0].ended().await.unwrap();
    assert_eq!(ended, Some(1), "trying again would not help, so it ends and says why");
    assert!(workshop.workers[0].output().contains("refused this worker's token"));
    let again = workshop.operator(&["token", "revoke", id]).await.unwrap();
    assert!(!again.status.success() && String::from_utf8_lossy(&again.stderr).contains("no token"));
}

#[tokio::test]
async fn settings_of_the_queue_are_shown_with_their_origin_checked_and_kept() {
    let mut workshop = WorkshopBuilder::new()
        .workers(0)
        .setting("ATELIER_QUEUE_MODE", "round_robin")
        .setting("ATELIER_AGEING_MINUTES", "20")
        .start()
        .await
        .unwrap();
    let of_queue = async |workshop: &Workshop, name: &str| {
        let shown = workshop.operator_json(&["config", "show"]).await.unwrap();
        let all = shown["queue"].as_array().unwrap().clone();
        let one = all.into_iter().find(|setting| setting["name"] == name).unwrap();
        (one["value"].clone(), one["origin"].clone())
    };
    let stored = (json!("round_robin"), json!("store"));
    waiting::until("the first look of the janitor", LIMIT, async || {
        Ok((of_queue(&workshop, "mode").await == stored).then_some(()))
    })
    .await
    .unwrap();
    assert_eq!(of_queue(&workshop, "ageing_minutes").await.0, "20");
    assert_eq!(of_queue(&workshop, "waiting_per_participant").await.0, "100");

    let set = workshop.operator_json(&["config", "set", "mode", "fair"]).await.unwrap();
    assert_eq!(set[0]["value"], "fair");
    workshop.operator_json(&["config", "set", "ageing_minutes", "5"]).await.unwrap();
    assert_eq!(workshop.redis(&["hget", "{workshop}:settings", "ageing_ms"]).await.unwrap().trim(), "300000");
    for (name, value) in [("mode", "lifo"), ("ageing_minutes", "5000"), ("nonsense", "1")] {
        let refused = workshop.operator(&["config", "set", name, value]).await.unwrap();
        assert_eq!(refused.status.code(), Some(1), "{name} {value}");
    }
    let status: Value =
        reqwest::get(format!("{}/api/queue/status", workshop.front)).await.unwrap().json().await.unwrap();
    assert_eq!(status["mode"], "fair");

    workshop.queue_manager.stop().await.unwrap();
    workshop.restart_queue_manager().await.unwrap();
    waiting::until("what the environment says to hold again", LIMIT, async || {
        Ok((of_queue(&workshop, "ageing_minutes").await.0 == "20").then_some(()))
    })
    .await
    .unwrap();
    assert_eq!(of_queue(&workshop, "mode").await.0, "fair", "the mode that was chosen since stays");
}

#[tokio::test]
async fn a_doctor_counts_everything_and_finds_what_is_wrong() {
    let workshop = WorkshopBuilder::new().workers(0).start().await.unwrap();
    workshop.person("user001").unwrap().submit(&testkit::graphs::white_picture()).await.unwrap();
    assert_eq!(workshop.operator_json(&["doctor"]).await.unwrap(), json!({"complaints": []}));
    workshop.redis(&["hincrby", "{workshop}:counts", "pending", "7"]).await.unwrap();
    let output = workshop.operator(&["doctor"]).await.unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stdout).contains("the count of pending is off by 7"));
}
