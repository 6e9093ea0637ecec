//! Every action of the dashboard as a plain form, without scripts: what it does, its entry in the audit log, and that it
//! happens once, for the instructor and from our own pages only.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use testkit::{WorkshopBuilder, waiting};

use crate::room_dashboard::{Dashboard, FORM, form};

const LONG: Duration = Duration::from_secs(30);

/// A form's path, its fields, and the deed that the log says it was.
type Deed = (String, Vec<(&'static str, &'static str)>, &'static str);

#[tokio::test]
async fn every_button_is_a_form_that_works_without_scripts_and_is_in_the_audit_log() {
    let room = Dashboard::open(WorkshopBuilder::new().workers(1)).await;
    room.call("instructor", Method::PATCH, "/queue", json!({"paused": true})).await;
    let job = room.submit("user001").await;
    let ended = room.submit("user001").await;
    room.call("user001", Method::DELETE, &format!("/jobs/{ended}"), Value::Null).await;
    let jobs = |verb: &str| format!("/jobs/{job}/{verb}");
    let table: Vec<Deed> = vec![
        // First, so that nothing runs away while it is steered.
        ("/workers/gpu-1/drain".into(), vec![], "worker.drain"),
        ("/do/resume".into(), vec![], "queue.change"),
        ("/do/pause".into(), vec![], "queue.change"),
        ("/do/mode/round_robin".into(), vec![], "queue.change"),
        ("/do/demo".into(), vec![], "demo.begin"),
        ("/do/demo/end".into(), vec![], "demo.end"),
        ("/do/one-each/on".into(), vec![], "queue.change"),
        ("/do/one-each/off".into(), vec![], "queue.change"),
        ("/do/message".into(), vec![("text", "Break until ten."), ("to", "")], "message.send"),
        ("/do/message".into(), vec![("text", "Look at your seed."), ("to", "user001")], "message.send"),
        (
            "/do/caps".into(),
            vec![("waiting_per_participant", "7"), ("running_per_participant", "")],
            "caps.change",
        ),
        ("/do/price".into(), vec![("price", "1.20")], "queue.change"),
        (jobs("first"), vec![], "job.lane"),
        (jobs("normal"), vec![], "job.lane"),
        (jobs("move"), vec![("place", "0")], "job.move"),
        (jobs("hold"), vec![], "job.hold"),
        (jobs("release"), vec![], "job.release"),
        (jobs("cancel"), vec![], "job.cancel"),
        (jobs("keep"), vec![], "job.keep"),
        (format!("/jobs/{ended}/retry"), vec![], "job.retry"),
        ("/workers/gpu-1/resume".into(), vec![], "worker.resume"),
        ("/people/user001/place".into(), vec![("label", "Ada"), ("seat", "4")], "account.place"),
        ("/people/user001/caps".into(), vec![("waiting_per_participant", "9")], "caps.change"),
        ("/people/user001/sign-out".into(), vec![], "account.sign_out"),
        ("/people/user001/stay".into(), vec![], "account.stay"),
        ("/people/user001/demo".into(), vec![], "demo.begin"),
        ("/people/user002/disable".into(), vec![], "account.change"),
        ("/people/user002/enable".into(), vec![], "account.change"),
    ];
    for (path, fields, deed) in &table {
        let done = room.post(path, &[fields.as_slice(), &[("back", "/history")]].concat()).await;
        assert_eq!((done.status, done.to.as_str()), (303, "/history"), "{path}: {}", done.html);
        assert_eq!(room.last_deed().await.0, *deed, "{path}");
    }
    let queue = room.ask("/queue").await;
    assert_eq!((&queue["paused"], &queue["mode"]), (&json!(true), &json!("round_robin")));
    assert_eq!(room.ask("/caps").await["waiting_per_participant"], 7);
    assert_eq!(room.ask("/messages").await["messages"][0]["to"], "user001");
    assert_eq!(room.ask(&format!("/jobs/{job}")).await["reason"], Value::Null, "kept");

    let waiting = queue["pending_jobs"].to_string();
    let wrong = room.post("/do/clear", &[("expected", "99")]).await;
    assert!(wrong.status == 409 && wrong.html.contains("Nothing was cleared"), "{}", wrong.html);
    assert_eq!(room.post("/do/clear", &[("expected", &waiting)]).await.status, 303);
    assert_eq!(room.ask("/queue").await["pending_jobs"], 0);
}

#[tokio::test]
async fn a_form_that_is_sent_twice_is_done_once() {
    let room = Dashboard::open(WorkshopBuilder::new().workers(0)).await;
    for _ in 0..2 {
        let fields = [("text", "Once."), ("to", ""), ("action", "0f0f0f0f-1111")];
        assert_eq!(room.post("/do/message", &fields).await.status, 303);
    }
    assert_eq!(room.ask("/messages").await["messages"].as_array().unwrap().len(), 1);
    // Another button of the form, or another text in it, is another action, whatever became of the answer to the first.
    for (button, paused) in [("/do/pause", true), ("/do/resume", false)] {
        assert_eq!(room.post(button, &[("action", "0f0f0f0f-4444")]).await.status, 303);
        assert_eq!(room.ask("/queue").await["paused"], paused, "{button}");
    }
    let add = [("names", "maria, user010..user012"), ("action", "0f0f0f0f-2222")];
    let made = room.post("/people", &add).await;
    assert!(["maria", "user010", "user012"].iter().all(|name| made.html.contains(name)), "{}", made.html);
    assert!(made.html.contains("Write these down"));
    let again = room.post("/people", &add).await;
    assert!(again.html.contains("was added already") && !again.html.contains("Write these down"));
    let password = room.post("/people/maria/password", &[("action", "0f0f0f0f-3333")]).await;
    let shown = password.html.split("class=\"mono\">").nth(1).unwrap().split('<').next().unwrap().to_owned();
    assert_eq!(shown.len(), 19, "four groups of four: {shown}");
    let session = json!({"name": "maria", "password": shown});
    assert_eq!(room.call("user001", Method::POST, "/session", session).await.0, 201);
    let again = room.post("/people/maria/password", &[("action", "0f0f0f0f-3333")]).await;
    assert!(!again.html.contains(&shown), "shown once");
}

#[tokio::test]
async fn passwords_that_were_made_are_shown_also_when_adding_people_breaks_off() {
    let room = Dashboard::open(WorkshopBuilder::new().workers(0)).await;
    let adding = room.post("/people", &[("names", "new001..new200")]);
    let ending = async {
        waiting::until("some to be there", LONG, async || {
            let accounts = room.ask("/accounts").await["accounts"].as_array().unwrap().len();
            Ok((accounts > 5).then_some(()))
        })
        .await
        .unwrap();
        room.call("instructor", Method::POST, "/accounts/instructor/sign-out", json!({})).await
    };
    let (page, (ended, _)) = tokio::join!(adding, ending);
    assert_eq!((page.status, ended), (200, 204), "{}", page.html);
    let made = room.ask("/accounts").await["accounts"].as_array().unwrap().len() - 3;
    assert!(made < 200, "it broke off");
    assert_eq!(page.html.matches("class=\"mono\">").count(), made, "all that were made are shown");
    assert!(page.html.contains("new200</bdi>: was not added") && page.html.contains("your session is over"));
}

#[tokio::test]
async fn a_participants_session_and_another_site_do_nothing_here() {
    let room = Dashboard::open(WorkshopBuilder::new().workers(1)).await;
    let session = json!({"name": "user001", "password": room.workshop.password("user001").unwrap()});
    let (_, signed_in) = room.call("user001", Method::POST, "/session", session).await;
    let worker = room.workshop.worker_token(1).unwrap();
    let tokens = [signed_in["token"].as_str().unwrap(), &worker, "nonsense"];
    for (token, status) in tokens.iter().zip([403, 303, 303]) {
        let cookie = format!("atelier-admin={token}");
        let refused = room.post_as(&cookie, "/do/pause", &[]).await;
        assert_eq!(refused.status, status, "{}", refused.html);
        assert!(status == 403 || refused.to.starts_with("/sign-in"), "{}", refused.to);
    }
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    for path in ["/do/pause", "/people", "/cards", "/look", "/people/user001/password", "/sign-out"] {
        let form = client.post(format!("{}{path}", room.admin)).header("cookie", &room.cookie);
        let other = form.header("origin", "http://evil.example").body("names=eve&look=dark");
        let other = other.header("content-type", FORM);
        assert_eq!(other.send().await.unwrap().status(), 403, "{path}");
    }
    assert_eq!(room.ask("/queue").await["paused"], false);
    assert_eq!(room.ask("/audit").await["entries"], json!([]));
}

#[tokio::test]
async fn whoever_signs_in_again_comes_back_to_where_they_were() {
    let room = Dashboard::open(WorkshopBuilder::new().workers(0)).await;
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let sent = client.get(format!("{}/history?state=failed", room.admin)).send().await.unwrap();
    assert_eq!(sent.headers()["location"], "/sign-in?back=/history%3Fstate%3Dfailed");
    // A form's own address may be no page: they come back to where the form was.
    for (path, page, back) in [
        ("/cards", "/people", "?back=/people"),
        ("/people/user001/password", "/person/user001?x=1", "?back=/person/user001%3Fx%3D1"),
        ("/people/user001/password", "", ""),
    ] {
        // Without a session, and with one that is over.
        for cookie in [String::new(), format!("{}x", room.cookie)] {
            let form = client.post(format!("{}{path}", room.admin)).header("cookie", cookie).body("a=b");
            let form = form.header("content-type", FORM).header("origin", &room.admin);
            let from = (!page.is_empty()).then(|| format!("{}{page}", room.admin));
            let form = from.iter().fold(form, |form, from| form.header("referer", from));
            let sent = form.send().await.unwrap();
            assert_eq!(sent.headers()["location"], format!("/sign-in{back}"), "{path}");
        }
    }
    let password = room.workshop.password("instructor").unwrap();
    for (back, to) in
        [("/history?state=failed", "/history?state=failed"), ("https://evil.example", "/"), ("//x", "/")]
    {
        let who = form(&[("name", "instructor"), ("password", password), ("back", back)]);
        let signed_in = client.post(format!("{}/sign-in", room.admin)).header("content-type", FORM).body(who);
        let signed_in = signed_in.send().await.unwrap();
        assert_eq!(signed_in.headers()["location"], to);
    }
}
