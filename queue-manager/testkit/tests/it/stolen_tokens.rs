//! What somebody can do with a worker's token that is not theirs, is over, or with a lease that was never lent to it:
//! nothing, and it is counted.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use testkit::tab::{Socket, connect};
use testkit::{Workshop, WorkshopBuilder, graphs, waiting};
use tokio_tungstenite::tungstenite::Message;

type Credentials = Box<dyn Fn(RequestBuilder) -> RequestBuilder>;

const LIMIT: Duration = Duration::from_secs(20);

async fn issue(workshop: &Workshop, worker: &str) -> (String, String) {
    let made = workshop.operator_json(&["token", "issue", worker]).await.unwrap();
    (made["id"].as_str().unwrap().to_owned(), made["token"].as_str().unwrap().to_owned())
}

/// A worker of our own making, that said hello.
async fn join(workshop: &Workshop, token: &str) -> Socket {
    let mut link = connect(&format!("{}/link", workshop.link), &format!("Bearer {token}")).await.unwrap();
    let hello = json!({"hello": {"version": "0", "gpu": "none", "vram_total": 0, "comfyui_version": "0",
        "object_info": "0".repeat(64), "parts": {}, "leases": [], "yielding": false}});
    say(&mut link, &hello).await;
    let welcome = hear(&mut link).await;
    assert!(welcome["welcome"].is_object(), "{welcome}");
    link
}

async fn say(link: &mut Socket, message: &Value) {
    link.send(Message::Text(message.to_string().into())).await.unwrap();
}

async fn hear(link: &mut Socket) -> Value {
    loop {
        let heard = tokio::time::timeout(LIMIT, link.next()).await.expect("an answer").unwrap().unwrap();
        if let Message::Text(text) = heard {
            return serde_json::from_str(&text).unwrap();
        }
    }
}

/// A counter of the workers' listener.
async fn counted(workshop: &Workshop, series: &str) -> u64 {
    let page = reqwest::get(format!("{}/metrics", workshop.link)).await.unwrap().text().await.unwrap();
    let line = page.lines().find_map(|line| line.strip_prefix(series));
    line.map_or(0, |value| value.trim().parse().unwrap())
}

/// A job that `gpu-1` runs, and the token of its lease.
async fn running(workshop: &Workshop, steps: u32) -> (String, u64) {
    let ada = workshop.person("user001").unwrap();
    let id = ada.submit(&graphs::sampled_picture(1, steps)).await.unwrap();
    workshop.wait_for_comfyui_to_run(1).await.unwrap();
    let lease = workshop.redis(&["hget", &format!("{{workshop}}:job:{id}"), "token"]).await.unwrap();
    (id, lease.trim().parse().unwrap())
}

#[tokio::test]
async fn no_credentials_but_the_holders_own_open_anything_of_a_job_and_each_try_is_counted() {
    let workshop = WorkshopBuilder::new().start().await.unwrap();
    let (job, lease) = running(&workshop, 3_000).await;
    let other = workshop.person("user002").unwrap().submit(&graphs::white_picture()).await.unwrap();
    let (_, stranger) = issue(&workshop, "gpu-9").await;
    let (id, revoked) = issue(&workshop, "gpu-1").await;
    workshop.operator_json(&["token", "revoke", &id]).await.unwrap();
    let holder = workshop.worker_token(1).unwrap();
    let password = workshop.password("instructor").unwrap().to_owned();
    let session = Client::new().post(format!("{}/api/v1/session", workshop.direct));
    let session = session.json(&json!({"name": "instructor", "password": &password})).send().await.unwrap();
    let session = session.json::<Value>().await.unwrap()["token"].as_str().unwrap().to_owned();
    let bearer = |secret: String| move |request: RequestBuilder| request.bearer_auth(&secret);
    let table: Vec<(&str, Credentials, String, u64, u16)> = vec![
        ("nothing at all", Box::new(|request| request), job.clone(), lease, 401),
        ("no token", Box::new(bearer("0".repeat(64))), job.clone(), lease, 401),
        ("a revoked token", Box::new(bearer(revoked)), job.clone(), lease, 401),
        ("the instructor's session", Box::new(bearer(session)), job.clone(), lease, 401),
        (
            "the instructor's password",
            Box::new(move |request| request.basic_auth("instructor", Some(&password))),
            job.clone(),
            lease,
            401,
        ),
        ("another worker's token", Box::new(bearer(stranger)), job.clone(), lease, 410),
        ("an older lease", Box::new(bearer(holder.clone())), job.clone(), lease - 1, 410),
        ("a lease that is still to come", Box::new(bearer(holder.clone())), job.clone(), lease + 1, 410),
        ("a job that nobody holds", Box::new(bearer(holder.clone())), other, lease, 410),
        (
            "a job that does not exist",
            Box::new(bearer(holder.clone())),
            "7f2c1b9e-0a55-4b7c-9f56-0e6c56b1f001".to_owned(),
            lease,
            410,
        ),
    ];
    let client = Client::new();
    for (what, credentials, job, lease, wanted) in &table {
        let series = format!(
            "atelier_worker_refusals_total{{outcome=\"{}\"}}",
            if *wanted == 401 { "token" } else { "lease" }
        );
        for (method, path) in [
            (Method::GET, format!("/link/jobs/{job}/{lease}/body")),
            (Method::GET, format!("/link/jobs/{job}/{lease}/inputs/{}", "0".repeat(64))),
            (Method::PUT, format!("/link/jobs/{job}/{lease}/outputs/output/stolen.png")),
        ] {
            let before = counted(&workshop, &series).await;
            let request = client.request(method.clone(), format!("{}{path}", workshop.link)).body("stolen");
            let answer = credentials(request).send().await.unwrap();
            assert_eq!(answer.status().as_u16(), *wanted, "{method} {path} with {what}");
            assert!(counted(&workshop, &series).await > before, "{what} is counted");
        }
    }
    let body = format!("{}/link/jobs/{job}/{lease}/body", workshop.link);
    assert_eq!(
        client.get(body).bearer_auth(holder).send().await.unwrap().status(),
        200,
        "and whose it is has it"
    );
}

#[tokio::test]
async fn a_worker_ends_no_job_that_another_one_holds_and_no_job_twice() {
    let mut workshop = WorkshopBuilder::new().start().await.unwrap();
    let ada = workshop.person("user001").unwrap();
    let mut tab = ada.tab(None).await.unwrap();
    let (job, lease) = running(&workshop, 1_000).await;
    let mut thief = join(&workshop, &issue(&workshop, "gpu-9").await.1).await;
    let held = json!({"job": job, "token": lease});
    let result = json!({"outputs": {}, "messages": []});
    let frame = json!({"type": "executed", "data": {"prompt_id": job, "node": "canary-of-a-thief"}});
    say(&mut thief, &json!({"event": {"job": job, "token": lease, "number": 1, "frame": frame}})).await;
    for (n, claim) in [(0, lease), (1, lease), (2, lease), (3, lease - 1), (4, lease + 1), (5, lease)] {
        let held = json!({"job": job, "token": claim});
        let message = match n {
            0 | 3 | 4 => json!({"finished": {"job": job, "token": claim, "result": result}}),
            1 => json!({"failed": {"job": job, "token": claim, "kind": "out_of_memory", "result": result}}),
            2 => json!({"released": held}),
            _ => json!({"renew": {"leases": [held], "comfyui_alive": true, "vram_free": 0}}),
        };
        let before = counted(&workshop, "atelier_worker_refusals_total{outcome=\"lost\"}").await;
        say(&mut thief, &message).await;
        assert_eq!(hear(&mut thief).await, json!({"lost": held}), "{message}");
        let after = counted(&workshop, "atelier_worker_refusals_total{outcome=\"lost\"}").await;
        assert!(after > before, "{message} is counted");
        assert_eq!(ada.job(&job).await.unwrap()["state"], "running", "{message}");
    }
    drop(thief);
    let done = ada.wait_for(&job, "completed").await.unwrap();
    assert_eq!((&done["attempts"], &done["worker"]), (&json!(1), &json!("gpu-1")));
    ada.submit(&graphs::white_picture()).await.unwrap();
    while !format!("{:?}", tab.next().await.unwrap()).contains("queue_remaining") {}
    assert!(!format!("{:?}", tab.heard).contains("canary-of-a-thief"), "no word of it reached the tab");

    // With the stolen token of the one that held it: what was said is said again, and nothing changes.
    let stolen = workshop.worker_token(1).unwrap();
    workshop.workers[0].stop().await.unwrap();
    let mut thief = join(&workshop, &stolen).await;
    for message in [
        json!({"finished": {"job": job, "token": lease, "result": result}}),
        json!({"failed": {"job": job, "token": lease, "kind": "run", "result": result}}),
        json!({"released": held}),
        json!({"finished": {"job": job, "token": lease + 1, "result": result}}),
    ] {
        say(&mut thief, &message).await;
        let answer = hear(&mut thief).await;
        assert!(answer["settled"].is_object() || answer["lost"].is_object(), "{message}: {answer}");
        assert_eq!(ada.job(&job).await.unwrap(), done, "{message}");
    }
    // Revoked, it is thrown out at once and opens nothing more.
    let tokens = workshop.operator_json(&["token", "list"]).await.unwrap();
    let id =
        tokens.as_array().unwrap().iter().find(|token| token["worker"] == "gpu-1").unwrap()["id"].clone();
    workshop.operator_json(&["token", "revoke", id.as_str().unwrap()]).await.unwrap();
    testkit::tab::close_code(&mut thief).await.unwrap();
    assert!(connect(&format!("{}/link", workshop.link), &format!("Bearer {stolen}")).await.is_err());
}

#[tokio::test]
async fn nobody_promotes_themselves_whatever_they_write() {
    let workshop = WorkshopBuilder::new().workers(0).with_nginx().start().await.unwrap();
    let (ada, ben) = (workshop.person("user001").unwrap(), workshop.person("user002").unwrap());
    let boss = workshop.person("instructor").unwrap();
    let wishes = json!({"priority": 1000, "user_id": "user002", "user": "instructor", "participant": "instructor",
        "lane": "instructor", "role": "instructor", "admin": true, "is_admin": true, "queue_position": 0});
    for mode in ["fifo", "round_robin", "fair", "priority"] {
        let change = boss.request(Method::PATCH, "/api/v1/queue").json(&json!({"mode": mode})).send();
        assert_eq!(change.await.unwrap().status(), 200);
        let first = ben.submit(&graphs::white_picture()).await.unwrap();
        let mut ids = Vec::new();
        for order in
            [json!({}), json!({"front": true}), json!({"number": -1_000_000}), json!({"number": -1e300})]
        {
            let mut body = wishes.clone();
            body.as_object_mut().unwrap().extend(order.as_object().unwrap().clone());
            body["prompt"] = graphs::white_picture();
            body["extra_data"] = wishes.clone();
            body["client_id"] = json!("instructor");
            let answer = ada.post("/user001/prompt?priority=1000&user=instructor", &body).await.unwrap();
            assert_eq!(answer.status(), 200, "{order}");
            let answer: Value = answer.json().await.unwrap();
            ids.push(answer["prompt_id"].as_str().unwrap().to_owned());
        }
        assert_eq!(ben.job(&first).await.unwrap()["position"], 1, "{mode}: whoever came first is first");
        for id in &ids {
            let job = ada.job(id).await.unwrap();
            assert_eq!((&job["participant"], &job["lane"]), (&json!("user001"), &json!("normal")), "{mode}");
        }
        for id in ids {
            let lane = ada.post(&format!("/api/v1/jobs/{id}/lane"), &json!({"lane": "high"})).await.unwrap();
            assert_eq!(lane.status(), 403);
            let first = ada.post(&format!("/api/v1/jobs/{first}/move"), &json!({"place": 5})).await.unwrap();
            assert_eq!(first.status(), 404);
            assert_eq!(
                ada.request(Method::DELETE, &format!("/api/v1/jobs/{id}")).send().await.unwrap().status(),
                200
            );
        }
        ben.request(Method::DELETE, &format!("/api/v1/jobs/{first}")).send().await.unwrap();
    }
    waiting::until("an empty line", LIMIT, async || {
        let status = ada.json("/api/v1/queue").await?;
        Ok((status["pending_jobs"] == 0).then_some(()))
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_description_of_more_than_anybody_has_is_refused_before_it_is_read() {
    let workshop = WorkshopBuilder::new().workers(0).start().await.unwrap();
    let (_, stolen) = issue(&workshop, "gpu-9").await;
    let put = async |values: usize| {
        let json = format!("{{\"A\":[0{}]}}", ",0".repeat(values));
        let hash = hex::encode(Sha256::digest(&json));
        let request = Client::new().put(format!("{}/link/object-info/{hash}", workshop.link));
        request.bearer_auth(&stolen).body(json).send().await.unwrap().status().as_u16()
    };
    assert_eq!(put(1_000).await, 204);
    assert_eq!(put(1_000_000).await, 400);
    let kept = std::fs::read_dir(workshop.data().join("files/object-info")).unwrap();
    assert_eq!(kept.count(), 1);
}
