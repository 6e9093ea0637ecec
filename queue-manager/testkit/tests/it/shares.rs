//! What one account may hold at once: sockets, requests, pictures, archives, uploads. Nobody else notices.

use std::path::Path;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::join_all;
use reqwest::multipart::{Form, Part};
use reqwest::{Method, Response};
use serde_json::Value;
use testkit::tab::{basic, connect};
use testkit::{Person, Workshop, WorkshopBuilder, waiting};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const LIMIT: Duration = Duration::from_secs(20);
const SOCKETS: usize = 16;

fn authorization(workshop: &Workshop, name: &str) -> String {
    basic(name, workshop.password(name).unwrap()).unwrap()
}

async fn upload(person: &Person, name: &str, bytes: Vec<u8>) -> Response {
    let form = Form::new().part("image", Part::bytes(bytes).file_name(name.to_owned()));
    let path = format!("/{}/upload/image", person.name);
    person.request(Method::POST, &path).multipart(form).send().await.unwrap()
}

/// Files below a folder, at any depth, and their bytes.
fn stored(folder: &Path) -> (usize, u64) {
    let Ok(entries) = std::fs::read_dir(folder) else { return (0, 0) };
    entries.map(Result::unwrap).fold((0, 0), |(files, bytes), entry| {
        let about = entry.metadata().unwrap();
        let (more, larger) = if about.is_dir() { stored(&entry.path()) } else { (1, about.len()) };
        (files + more, bytes + larger)
    })
}

#[tokio::test]
async fn the_seventeenth_socket_of_an_account_is_refused_and_others_get_theirs() {
    let workshop = WorkshopBuilder::new().workers(0).with_nginx().start().await.unwrap();
    let (ada, ben) = (authorization(&workshop, "user001"), authorization(&workshop, "user002"));
    let seat = format!("{}/user001/ws", workshop.front);
    let mut open = Vec::new();
    for n in 0..SOCKETS {
        let feed = format!("{}/api/v1/feed", workshop.front);
        open.push(connect(if n % 2 == 0 { &seat } else { &feed }, &ada).await.unwrap());
    }
    let refused = connect(&seat, &ada).await.unwrap_err().to_string();
    assert!(refused.contains("429"), "{refused}");
    let events = workshop.person("user001").unwrap().get("/api/v1/events").await.unwrap();
    assert_eq!(events.status(), 429);
    assert_eq!(events.json::<Value>().await.unwrap()["code"], "too_many_sockets");
    connect(&format!("{}/user002/ws", workshop.front), &ben).await.expect("a neighbour's is open");
    drop(open.pop());
    waiting::until("room for another", LIMIT, async || Ok(connect(&seat, &ada).await.ok())).await.unwrap();
}

#[tokio::test]
async fn who_asks_their_seat_too_often_is_slowed_in_its_dialect_and_nobody_else_notices() {
    let workshop = WorkshopBuilder::new().workers(0).start().await.unwrap();
    let (ada, ben) = (workshop.person("user001").unwrap(), workshop.person("user002").unwrap());
    let answers = join_all((0..700).map(|_| ada.get("/user001/api/queue"))).await;
    let slowed = answers.into_iter().map(Result::unwrap).find(|answer| answer.status() == 429);
    let slowed = slowed.expect("700 requests at once");
    assert!(slowed.headers().contains_key("retry-after"));
    assert_eq!(slowed.json::<Value>().await.unwrap()["error"]["type"], "too_fast");
    assert_eq!(ben.get("/user002/api/queue").await.unwrap().status(), 200);
}

/// The most memory that a process had, in MB.
fn most_memory(process: Option<u32>) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.unwrap())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1_024
}

#[tokio::test]
async fn many_previews_at_once_are_read_one_by_one() {
    const EACH_MB: usize = 50;
    let workshop = WorkshopBuilder::new().workers(0).start().await.unwrap();
    let (ada, ben) = (workshop.person("user001").unwrap(), workshop.person("user002").unwrap());
    // No picture, which only reading all of it tells: the file itself is the answer then.
    assert_eq!(upload(&ada, "large.png", vec![7; EACH_MB * 1_000_000]).await.status(), 200);
    assert_eq!(upload(&ben, "small.png", vec![7; 1_000]).await.status(), 200);
    let before = most_memory(workshop.queue_manager.id());
    let ask = || ada.get("/user001/view?filename=large.png&type=input&preview=webp;90");
    let all = join_all((0..30).map(|_| ask()));
    let (answers, neighbour) =
        tokio::join!(all, ben.get("/user002/view?filename=small.png&type=input&preview=webp;90"));
    assert!(answers.iter().all(|answer| answer.as_ref().is_ok_and(|answer| answer.status() == 200)));
    assert_eq!(neighbour.unwrap().status(), 200);
    let grown = most_memory(workshop.queue_manager.id()) - before;
    println!("30 previews of {EACH_MB} MB at once: {grown} MB more");
    assert!(grown < 5 * EACH_MB as u64, "{grown} MB");
}

#[tokio::test]
async fn a_whole_room_downloads_everything_at_once_and_one_at_a_time_each() {
    const PEOPLE: usize = 20;
    let workshop = WorkshopBuilder::new().people(PEOPLE).workers(0).start().await.unwrap();
    let people: Vec<_> = (1..=PEOPLE).map(|n| workshop.person(&format!("user{n:03}")).unwrap()).collect();
    for n in 0..3 {
        let path = format!("/user001/userdata/workflows%2F{n}.json");
        let body = vec![b'7'; 9_000_000];
        assert_eq!(people[0].request(Method::POST, &path).body(body).send().await.unwrap().status(), 200);
    }
    let archive = |person: &Person| format!("/{}/jobs/archive.zip", person.name);
    // Nobody reads what comes.
    let mut slow = Vec::new();
    for person in &people {
        let mut stream = TcpStream::connect(workshop.direct.trim_start_matches("http://")).await.unwrap();
        let authorization = authorization(&workshop, &person.name);
        let request = format!(
            "GET {} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {authorization}\r\n\r\n",
            archive(person)
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut status = [0; 12];
        stream.read_exact(&mut status).await.unwrap();
        assert_eq!(&status, b"HTTP/1.1 200", "{}", person.name);
        slow.push(stream);
    }
    let refused = people[0].get(&archive(&people[0])).await.unwrap();
    assert_eq!(refused.status(), 429);
    assert!(refused.headers().contains_key("retry-after"));
    let why: Value = refused.json().await.unwrap();
    assert_eq!(why["error"]["type"], "busy");
    assert!(why["error"]["message"].as_str().unwrap().contains("already"), "{why}");
    drop(slow);
    let whole = waiting::until("a whole archive", LIMIT, async || {
        let answer = people[0].get(&archive(&people[0])).await?;
        Ok(if answer.status() == 200 { Some(answer.bytes().await?) } else { None })
    });
    let whole = whole.await.unwrap();
    let archive = zip::ZipArchive::new(std::io::Cursor::new(whole)).unwrap();
    assert_eq!(archive.len(), 3);
    assert!(
        !workshop.queue_manager.output().contains("ZipWriter"),
        "nothing but our log lines on standard error"
    );
}

#[tokio::test]
async fn a_frame_that_announces_more_than_a_tab_may_say_ends_the_conversation_before_it_comes() {
    let workshop = WorkshopBuilder::new().workers(0).start().await.unwrap();
    let ada = authorization(&workshop, "user001");
    let made = workshop.operator_json(&["token", "issue", "gpu-9"]).await.unwrap();
    let link = format!("Bearer {}", made["token"].as_str().unwrap());
    for (url, credentials, size) in [
        (format!("{}/user001/ws", workshop.direct), &ada, 300 * 1024_u64),
        (format!("{}/api/v1/feed", workshop.direct), &ada, 70 * 1024),
        (format!("{}/link", workshop.link), &link, 5 * 1024 * 1024),
    ] {
        let mut socket = connect(&url, credentials).await.unwrap();
        let head = [&[0x82, 0xff][..], &size.to_be_bytes(), &[0; 4]].concat();
        socket.get_mut().write_all(&head).await.unwrap();
        let end = async { while let Some(Ok(_)) = socket.next().await {} };
        tokio::time::timeout(LIMIT, end).await.unwrap_or_else(|_| panic!("{url} waits for the rest"));
    }
}

#[tokio::test]
async fn uploads_have_a_quota_and_what_is_refused_leaves_nothing_behind() {
    let workshop =
        WorkshopBuilder::new().workers(0).setting("ATELIER_UPLOADS_MB", "3").start().await.unwrap();
    let (ada, ben) = (workshop.person("user001").unwrap(), workshop.person("user002").unwrap());
    assert_eq!(upload(&ada, "a", vec![1; 2_000_000]).await.status(), 200);
    let refused = upload(&ada, "b.png", vec![2; 2_000_000]).await;
    assert_eq!(refused.status(), 507);
    let refused: Value = refused.json().await.unwrap();
    assert_eq!(refused["error"]["type"], "full");
    assert!(refused["error"]["message"].as_str().unwrap().contains("3 MB"), "{refused}");
    assert_eq!(upload(&ben, "b.png", vec![2; 2_000_000]).await.status(), 200, "everybody has their own");

    let nameless = Form::new().part("image", Part::bytes(vec![3; 500_000]));
    let nameless = ada.request(Method::POST, "/user001/upload/image").multipart(nameless).send();
    assert_eq!(nameless.await.unwrap().status(), 400);
    let twice = Form::new()
        .part("image", Part::bytes(vec![4; 100_000]).file_name("x"))
        .part("image", Part::bytes(vec![5; 100_000]).file_name("y"));
    let twice = ada.request(Method::POST, "/user001/upload/image").multipart(twice).send();
    assert_eq!(twice.await.unwrap().status(), 400);
    let below =
        Form::new().part("image", Part::bytes(vec![6; 500_000]).file_name("b")).text("subfolder", "a");
    let below = ada.request(Method::POST, "/user001/upload/image").multipart(below).send();
    assert_eq!(below.await.unwrap().status(), 400, "`a` is a file");
    for path in ["subfolder=a&filename=b", "filename=..%2Fnames"] {
        let seen = ada.get(&format!("/user001/view?type=input&{path}")).await.unwrap().status().as_u16();
        assert!(matches!(seen, 400 | 403 | 404), "{path}: {seen}");
    }
    let saved = |path: &'static str| {
        let request = ada.request(Method::POST, &format!("/user001/userdata/{path}"));
        async move { request.body(vec![b'7'; 300_000]).send().await.unwrap().status().as_u16() }
    };
    assert_eq!(saved("a").await, 200);
    assert_eq!(saved("a%2Fb").await, 400);

    let files = workshop.data().join("files");
    assert_eq!(stored(&files.join("incoming")), (0, 0));
    assert_eq!(stored(&files.join("inputs/user001/content")), (1, 2_000_000));
    assert_eq!(stored(&files.join("userdata/user001")), (1, 300_000));
}
