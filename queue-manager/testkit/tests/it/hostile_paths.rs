//! Spellings of a path that leads elsewhere, in every place that takes a name: no byte outside is read, and none is
//! written.

use std::path::{Path, PathBuf};

use futures_util::{StreamExt, stream};
use reqwest::Method;
use serde_json::{Value, json};
use testkit::tab::basic;
use testkit::{Workshop, WorkshopBuilder, wire};

const CANARY: &str = "canary-of-a-file-outside";
const WRITTEN: &str = "written-by-a-hostile-request";
const PEOPLE: usize = 20;

/// Ways to spell "the folder above".
const UP: [&str; 22] = [
    "../",
    "..%2f",
    "%2e%2e/",
    "%2e%2e%2f",
    ".%2e/",
    "%252e%252e%252f",
    "%252e%252e/",
    "..%252f",
    "..\\",
    "..%5c",
    "..%255c",
    "%c0%ae%c0%ae/",
    "..%c0%af",
    "..%e0%80%af",
    "..%ef%bc%8f",
    "%u002e%u002e/",
    "..;/",
    "....//",
    "..%00/",
    "..%0a/",
    "..//",
    "/../",
];

/// Where a name goes: method and path with `WHO` and the name in place of `NAME`.
const PLACES: [(&str, &str); 26] = [
    ("GET", "/WHO/view?filename=NAME&type=input"),
    ("GET", "/WHO/view?filename=NAME&type=output&subfolder=7f2c1b9e-0a55-4b7c-9f56-0e6c56b1f001"),
    ("GET", "/WHO/api/view?filename=canary.txt&type=input&subfolder=NAME"),
    ("GET", "/WHO/api/view?filename=canary.txt&type=NAME"),
    ("GET", "/WHO/view?filename=NAME%20[input]"),
    ("GET", "/WHO/api/userdata/NAME"),
    ("GET", "/WHO/userdata/NAME"),
    ("GET", "/WHO/api/userdata?dir=NAME&recurse=true"),
    ("GET", "/WHO/v2/userdata?path=NAME"),
    ("GET", "/WHO/NAME"),
    ("GET", "/NAME"),
    ("GET", "/WHO/extensions/NAME"),
    ("GET", "/WHO/extensions/atelier/NAME"),
    ("GET", "/WHO/templates/NAME"),
    ("GET", "/WHO/workflow_templates/workshop/NAME"),
    ("GET", "/WHO/internal/files/NAME"),
    ("GET", "/WHO/models/NAME"),
    ("GET", "/WHO/history/NAME"),
    ("GET", "/WHO/settings/NAME"),
    ("GET", "/api/v1/jobs/NAME"),
    ("POST", "/WHO/settings/NAME"),
    ("POST", "/WHO/api/userdata/NAME"),
    ("POST", "/WHO/api/userdata/NAME/move/mine.txt"),
    ("POST", "/WHO/api/userdata/own.txt/move/NAME"),
    ("DELETE", "/WHO/api/userdata/NAME"),
    ("DELETE", "/api/v1/jobs/NAME"),
];

/// Every name that leads to a canary, from any folder that is a few levels deep, and some that lead nowhere.
fn names(files: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for up in UP {
        for (depth, rest) in [
            (1, "canary.txt"),
            (1, "user002/canary.txt"),
            (2, "canary.txt"),
            (2, "userdata/user002/canary.txt"),
            (3, "canary.txt"),
            (4, "canary.txt"),
        ] {
            names.push(format!("{}{rest}", up.repeat(depth)));
            names.push(format!("workflows/{}{}{rest}", up, up.repeat(depth)));
        }
    }
    let absolute = files.join("canary.txt").display().to_string();
    names.extend([
        absolute.replace('/', "%2f"),
        absolute.replace('/', "%252f"),
        format!("file://{absolute}"),
        format!("//{absolute}"),
        format!("C:{}", absolute.replace('/', "\\")),
        absolute,
        "link.txt".to_owned(),
        "folder/canary.txt".to_owned(),
        "folder%2fcanary.txt".to_owned(),
        "aux".to_owned(),
        "con.txt".to_owned(),
        "%00".to_owned(),
        "canary.txt%00.png".to_owned(),
        "a".repeat(300),
        "%f0%9f%8e%a8".repeat(100),
        ".".to_owned(),
        "..".to_owned(),
        "%2e".to_owned(),
        "~/canary.txt".to_owned(),
        "$HOME/canary.txt".to_owned(),
    ]);
    names
}

/// Canaries outside of everybody's folders, in somebody's own, and behind links in everybody else's.
fn plant(data: &Path) {
    let files = data.join("files");
    let theirs = files.join("userdata/user002");
    std::fs::create_dir_all(&theirs).unwrap();
    for folder in [&theirs, &files, &files.join("userdata"), &data.to_owned()] {
        std::fs::write(folder.join("canary.txt"), CANARY).unwrap();
    }
    for n in (1..=PEOPLE).filter(|n| *n != 2) {
        let own = files.join(format!("userdata/user{n:03}"));
        std::fs::create_dir_all(own.join("workflows")).unwrap();
        std::fs::write(own.join("own.txt"), "mine").unwrap();
        std::os::unix::fs::symlink(files.join("canary.txt"), own.join("link.txt")).unwrap();
        std::os::unix::fs::symlink(&files, own.join("folder")).unwrap();
    }
}

/// Every file beneath a folder, links not followed.
fn all_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            all_files(&entry.path(), found);
        } else if kind.is_file() {
            found.push(entry.path());
        }
    }
}

struct Sent {
    what: String,
    statuses: Vec<u16>,
    canary: bool,
}

async fn send(workshop: &Workshop, base: &str, n: usize, (method, path): (&str, &str), name: &str) -> Sent {
    // Nobody is the one whose file it is.
    let who = format!("user{:03}", if n % PEOPLE == 1 { 1 } else { n % PEOPLE + 1 });
    let authorization = basic(&who, workshop.password(&who).unwrap()).unwrap();
    let what = path.replace("WHO", &who).replace("NAME", name);
    let body = if method == "POST" { WRITTEN } else { "" };
    let request = format!(
        "{method} {what} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {authorization}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = wire::say_whole(base, request.as_bytes()).await.unwrap();
    let canary = String::from_utf8_lossy(&answer).contains(CANARY);
    Sent { what: format!("{method} {what}"), statuses: wire::statuses(&answer), canary }
}

/// Every `step`th of all requests.
async fn nothing_leads_outside(step: usize) {
    let workshop = WorkshopBuilder::new().workers(0).people(PEOPLE).with_nginx().start().await.unwrap();
    plant(&workshop.data());
    let ben = workshop.person("user002").unwrap();
    let own = ben.get("/user002/api/userdata/canary.txt").await.unwrap().text().await.unwrap();
    assert_eq!(own, CANARY, "whose it is finds it, so this test would see it");
    let names = names(&workshop.data().join("files"));
    let doors = [workshop.front.clone(), workshop.direct.clone()];
    let mut requests = Vec::new();
    for base in &doors {
        for place in PLACES {
            requests.extend(names.iter().map(|name| (base, place, name)));
        }
    }
    let requests: Vec<_> = requests.into_iter().step_by(step).collect();
    let count = requests.len();
    let sent = stream::iter(requests.into_iter().enumerate())
        .map(|(n, (base, place, name))| send(&workshop, base, n, place, name))
        .buffer_unordered(24);
    let mut by_status = std::collections::BTreeMap::<u16, usize>::new();
    let sent: Vec<_> = sent.collect().await;
    for Sent { what, statuses, canary } in sent {
        assert!(!canary, "{what}");
        assert!(statuses.len() == 1 && statuses[0] < 500, "{what} answered {statuses:?}");
        *by_status.entry(statuses[0]).or_default() += 1;
    }
    println!("{count} requests; by status {by_status:?}");
    assert!(
        by_status.get(&429).is_none_or(|slowed| slowed * 20 < count),
        "what is refused unseen proves nothing"
    );
    let files = workshop.data().join("files");
    let mut left = Vec::new();
    all_files(&workshop.data(), &mut left);
    for path in left.iter().filter(|path| !path.starts_with(workshop.data().join("redis"))) {
        let text = String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned();
        let own = path.strip_prefix(files.join("userdata")).is_ok_and(|rest| {
            let owner = rest.iter().next().unwrap_or_default();
            rest.iter().count() > 1 && owner != "user002"
        });
        assert!(own || !text.contains(WRITTEN), "{} was written", path.display());
        if path.ends_with("canary.txt") && !own {
            assert_eq!(text, CANARY, "{}", path.display());
        }
    }
    for folder in ["userdata/user002", "", "userdata"] {
        assert!(files.join(folder).join("canary.txt").is_file(), "{folder}: nothing was moved or removed");
    }
}

#[tokio::test]
async fn no_spelling_of_a_name_leads_to_a_byte_outside_ones_own_folder() {
    nothing_leads_outside(4).await;
}

#[tokio::test]
#[ignore = "all of them, by hand: cargo test -p testkit --test it -- --ignored every_spelling --nocapture"]
async fn every_spelling_in_every_place_leads_nowhere() {
    nothing_leads_outside(1).await;
}

#[tokio::test]
async fn the_forms_of_an_upload_name_nothing_outside() {
    let workshop = WorkshopBuilder::new().workers(0).people(3).with_nginx().start().await.unwrap();
    plant_some(&workshop.data());
    let ada = workshop.person("user001").unwrap();
    let mut refused = 0;
    for base in [&workshop.front, &workshop.direct] {
        let ada = ada.at(base);
        for name in [
            "../canary.txt",
            "..%2fcanary.txt",
            "..\\canary.txt",
            "/canary.txt",
            "a/../../canary.txt",
            "x\0.png",
            ".",
            "..",
        ] {
            for field in ["filename", "subfolder", "type", "original"] {
                let given =
                    |of: &str, usual: &str| if field == of { name.to_owned() } else { usual.to_owned() };
                let part =
                    reqwest::multipart::Part::bytes(WRITTEN.as_bytes()).file_name(given("filename", "x.png"));
                let mut form = reqwest::multipart::Form::new().part("image", part);
                form = form.text("subfolder", given("subfolder", "")).text("type", given("type", "input"));
                let original = json!({"filename": name, "type": "input", "subfolder": ""}).to_string();
                let route = if field == "original" { "mask" } else { "image" };
                form = form.text("original_ref", original);
                let path = format!("/user001/upload/{route}");
                let answer = ada.request(Method::POST, &path).multipart(form).send().await.unwrap();
                let status = answer.status().as_u16();
                if status == 200 {
                    let named: Value = answer.json().await.unwrap();
                    let text = named.to_string();
                    assert!(!text.contains("..\"") && !text.contains("../"), "{field} {name:?}: {text}");
                } else {
                    assert!((400..500).contains(&status), "{field} {name:?} answered {status}");
                    refused += 1;
                }
            }
        }
    }
    assert!(refused >= 40, "{refused}");
    let mut left = Vec::new();
    all_files(&workshop.data().join("files"), &mut left);
    let files = workshop.data().join("files");
    for path in left {
        let written = std::fs::read(&path).unwrap() == WRITTEN.as_bytes();
        let inner = path.strip_prefix(&files).unwrap().display().to_string();
        assert!(!written || inner.starts_with("inputs/user001/"), "{inner}");
    }
    assert_eq!(std::fs::read_to_string(files.join("canary.txt")).unwrap(), CANARY);
}

fn plant_some(data: &Path) {
    std::fs::write(data.join("files/canary.txt"), CANARY).unwrap();
}

#[tokio::test]
async fn a_workers_outputs_go_to_its_job_and_nowhere_else() {
    let workshop = WorkshopBuilder::new().step_ms(200).start().await.unwrap();
    plant_some(&workshop.data());
    let ada = workshop.person("user001").unwrap();
    let id = ada.submit(&testkit::graphs::sampled_picture(1, 600)).await.unwrap();
    workshop.wait_for_comfyui_to_run(1).await.unwrap();
    let token = workshop.redis(&["hget", &format!("{{workshop}}:job:{id}"), "token"]).await.unwrap();
    let secret = workshop.worker_token(1).unwrap();
    let put = async |path: &str| {
        let head = format!("PUT /link/jobs/{id}/{}/outputs/{path} HTTP/1.1", token.trim());
        let request = format!(
            "{head}\r\nHost: localhost\r\nAuthorization: Bearer {secret}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{WRITTEN}",
            WRITTEN.len()
        );
        wire::statuses(&wire::say_whole(&workshop.link, request.as_bytes()).await.unwrap())
    };
    assert_eq!(put("output/fine.png").await, [204], "so the lease is right");
    for up in UP {
        for depth in [1, 3, 5, 6] {
            for kind in ["output", "temp", up] {
                let statuses = put(&format!("{kind}/{}canary.txt", up.repeat(depth))).await;
                assert!(statuses.len() == 1 && statuses[0] < 500, "{kind}/{up} answered {statuses:?}");
            }
        }
    }
    let files = workshop.data().join("files");
    let mut left = Vec::new();
    all_files(&files, &mut left);
    for path in left {
        let written = std::fs::read(&path).unwrap() == WRITTEN.as_bytes();
        let inner = path.strip_prefix(&files).unwrap().display().to_string();
        assert!(!written || inner.starts_with(&format!("outputs/user001/{id}/")), "{inner}");
    }
    assert_eq!(std::fs::read_to_string(files.join("canary.txt")).unwrap(), CANARY);
}
