//! A rehearsal says "Ready" when all is well, and never when it is not.

use std::process::Output;

use serde_json::{Value, json};
use testkit::{Workshop, WorkshopBuilder};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;

async fn rehearse(arguments: &[&str]) -> (Output, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_rehearse")).args(arguments).output().await.unwrap();
    let said = String::from_utf8(output.stdout.clone()).unwrap();
    let verdict = said.lines().last().unwrap_or_default().to_owned();
    (output, verdict)
}

fn is_not_ready((output, verdict): &(Output, String), because: &str) {
    assert_eq!(output.status.code(), Some(1), "{verdict}");
    assert!(verdict.starts_with("Not ready: ") && verdict.contains(", because "), "{verdict}");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains(because), "{said}");
}

/// `data/sign-ins.json` of a workshop, in its folder.
fn sign_ins(workshop: &Workshop, url: &str) -> String {
    let one = |name: &str| json!({"name": name, "password": workshop.password(name).unwrap()});
    let people = [one("user001"), one("user002")];
    let file = workshop.data().join("sign-ins.json");
    let json = json!({"urls": {"seats": url}, "instructor": one("instructor"), "participants": people});
    std::fs::write(&file, json.to_string()).unwrap();
    file.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_workshop_of_its_own_is_ready() {
    let (output, verdict) = rehearse(&["--people", "5", "--jobs", "2"]).await;
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(
        verdict,
        "Ready: 5 people ran 25 jobs on 3 rehearsal workers, none was lost or ran twice, turns were kept, \
         nobody saw anybody else's."
    );
}

#[tokio::test]
async fn a_workshop_that_runs_is_rehearsed_and_left_as_it_was() {
    let workshop = WorkshopBuilder::new().start().await.unwrap();
    let file = sign_ins(&workshop, &workshop.direct);
    let few = ["--people", "2", "--jobs", "1"];
    let (output, verdict) = rehearse(&[&["--accounts", &file], &few[..]].concat()).await;
    assert!(output.status.success() && verdict.contains("ran 4 jobs on 1 connected worker,"), "{verdict}");
    let (output, verdict) =
        rehearse(&[&["--accounts", &file, "--workers", "2", "--link", &workshop.link], &few[..]].concat())
            .await;
    assert!(output.status.success() && verdict.contains("ran 4 jobs on 2 rehearsal workers,"), "{verdict}");
    let instructor = format!("instructor:{}", workshop.password("instructor").unwrap());
    let (output, verdict) =
        rehearse(&[&["--url", &workshop.direct, "--instructor", &instructor], &few[..]].concat()).await;
    assert!(output.status.success(), "{verdict}");
    let teacher = workshop.person("instructor").unwrap();
    let names = |list: &Value, what: &str, keep: fn(&Value) -> bool| -> Vec<String> {
        let all = list[what].as_array().unwrap().iter().filter(|one| keep(one));
        all.map(|one| one["name"].as_str().or(one["worker"].as_str()).unwrap().to_owned()).collect()
    };
    let workers = teacher.json("/api/v1/workers").await.unwrap();
    assert_eq!(names(&workers, "workers", |_| true), ["gpu-1"]);
    let tokens = teacher.json("/api/v1/tokens").await.unwrap();
    assert_eq!(names(&tokens, "tokens", |_| true), ["gpu-1"]);
    let accounts = teacher.json("/api/v1/accounts").await.unwrap();
    let enabled = names(&accounts, "accounts", |account| account["disabled"] == false);
    assert_eq!(enabled, ["instructor", "user001", "user002"]);
}

#[tokio::test]
async fn a_server_that_answers_404_to_everything_is_not_ready() {
    let mut pretender = Pretender::start(("404 Not Found", String::new())).await;
    pretender.url.push_str("/elsewhere");
    let said = rehearse(&["--accounts", &pretender.sign_ins(), "--people", "2"]).await;
    is_not_ready(&said, "404 for");
}

#[tokio::test]
async fn a_room_without_workers_or_seats_for_all_is_not_ready() {
    let workshop = WorkshopBuilder::new().workers(0).start().await.unwrap();
    let file = sign_ins(&workshop, &workshop.direct);
    is_not_ready(&rehearse(&["--accounts", &file, "--people", "2"]).await, "no worker is connected");
    is_not_ready(&rehearse(&["--accounts", &file, "--people", "3"]).await, "there are 2 accounts");
}

#[tokio::test]
async fn everything_works_but_submitting_and_that_is_not_ready() {
    for (answer, because) in [
        (
            ("404 Not Found", "<h1>404 Not Found</h1>".to_owned()),
            "the server answered 404 Not Found to POST /…/prompt",
        ),
        (
            ("200 OK", "<h1>Welcome to this hotel's network</h1>".to_owned()),
            "the server answered 200 OK to POST /…/prompt",
        ),
        (
            ("429 Too Many Requests", json!({"error": {"message": "Slower."}}).to_string()),
            "429 Too Many Requests",
        ),
    ] {
        let pretender = Pretender::start(answer).await;
        let said = rehearse(&["--accounts", &pretender.sign_ins(), "--people", "2", "--jobs", "2"]).await;
        is_not_ready(&said, because);
    }
}

#[tokio::test]
async fn a_job_that_nobody_hears_of_again_is_not_ready() {
    let accepted = json!({"prompt_id": "7f2c1b9e-0a55-4b7c-9f56-0e6c56b1f001"}).to_string();
    let pretender = Pretender::start(("200 OK", accepted)).await;
    let few = ["--people", "2", "--jobs", "1", "--patience", "1"];
    let said = rehearse(&[&["--accounts", &pretender.sign_ins()], &few[..]].concat()).await;
    is_not_ready(&said, "jobs were lost, because the server answered 404 Not Found to GET /api/v1/jobs/");
}

/// A server at which people sign in and listen, and that answers every submit in one way and knows no job.
struct Pretender {
    folder: tempfile::TempDir,
    url: String,
    _connections: JoinSet<()>,
}

const COUNTS: &str = r#"{"mode":"round_robin","paused":false,"pending_jobs":0,"running_jobs":0,"completed_jobs":0,
    "failed_jobs":0,"total_workers":1,"active_workers":1,"queue_depth":0}"#;

impl Pretender {
    async fn start(submitted: (&'static str, String)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let mut connections = JoinSet::new();
        connections.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                open.spawn(serve(stream, submitted.clone()));
            }
        });
        Self { folder: tempfile::tempdir().unwrap(), url, _connections: connections }
    }

    fn sign_ins(&self) -> String {
        let one = |name: &str| json!({"name": name, "password": "x"});
        let people = [one("user001"), one("user002")];
        let json =
            json!({"urls": {"seats": self.url}, "instructor": one("instructor"), "participants": people});
        let file = self.folder.path().join("sign-ins.json");
        std::fs::write(&file, json.to_string()).unwrap();
        file.to_str().unwrap().to_owned()
    }
}

async fn serve(mut stream: TcpStream, submitted: (&'static str, String)) {
    let mut first = [0; 16];
    stream.peek(&mut first).await.unwrap();
    if first.starts_with(b"GET /api/v1/feed") {
        let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
        let snapshot = format!(
            r#"{{"type":"snapshot","epoch":"e","n":0,"jobs":[],"counts":{COUNTS},"simulated":true}}"#
        );
        futures_util::SinkExt::send(&mut socket, Message::text(snapshot)).await.unwrap();
        return std::future::pending().await;
    }
    while let Some((path, body)) = request(&mut stream).await {
        let (status, answer) = match path.as_str() {
            "GET /api/queue/status" => ("200 OK", COUNTS.to_owned()),
            "POST /api/v1/session" => {
                let role = if body["name"] == "instructor" { "instructor" } else { "participant" };
                ("201 Created", json!({"token": "t", "name": body["name"], "role": role}).to_string())
            }
            path if path.ends_with("/prompt") || path == "POST /api/v1/jobs" => submitted.clone(),
            _ => ("404 Not Found", String::new()),
        };
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{answer}", answer.len());
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
}

/// Method and path of the next request, and its JSON; `None` when the connection ended.
async fn request(stream: &mut TcpStream) -> Option<(String, Value)> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
            if body.len() >= length.unwrap_or(0) {
                let path = head.split(' ').take(2).collect::<Vec<_>>().join(" ");
                return Some((path, serde_json::from_str(body).unwrap_or_default()));
            }
        }
        let mut more = [0; 4096];
        match stream.read(&mut more).await {
            Ok(0) | Err(_) => return None,
            Ok(read) => bytes.extend(&more[..read]),
        }
    }
}
