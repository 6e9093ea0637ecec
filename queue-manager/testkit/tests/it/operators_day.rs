//! The scripts of an operator's day, each for real on one running workshop: accounts, cards, a rehearsal, and what they say
//! when they are misused.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Output;

use serde_json::Value;
use testkit::Person;

use crate::start_and_stop::Copy;

/// Scripts that need a running workshop, with arguments that would do something.
const OF_A_DAY: [(&str, &[&str]); 10] = [
    ("add-user.sh", &["ada"]),
    ("remove-user.sh", &["ada"]),
    ("list-users.sh", &[]),
    ("join-token.sh", &["gpu-2"]),
    ("reset-passwords.sh", &["ada"]),
    ("print-cards.sh", &[]),
    ("rehearse.sh", &[]),
    ("backup.sh", &["data/backups"]),
    ("end-day.sh", &[]),
    ("end-workshop.sh", &["--yes", "data/report"]),
];

pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.clone(), output.stderr.clone()].concat()).into_owned()
}

/// A program of that name before all others; the folder to put first in PATH.
pub(crate) fn stand_in(copy: &Copy, name: &str, script: &str) -> PathBuf {
    let folder = copy.folder.path().join("stand-ins");
    std::fs::create_dir_all(&folder).unwrap();
    let program = folder.join(name);
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    folder
}

/// Runs a script that must succeed; what it said.
pub(crate) async fn does(copy: &Copy, name: &str, arguments: &[&str]) -> String {
    let output = copy.script(name, arguments).await;
    assert!(output.status.success(), "{name} {arguments:?}: {}", said(&output));
    said(&output)
}

/// Runs a script that must refuse; what it said.
pub(crate) async fn refuses(copy: &Copy, name: &str, arguments: &[&str], status: i32) -> String {
    let output = copy.script(name, arguments).await;
    assert_eq!(output.status.code(), Some(status), "{name} {arguments:?}: {}", said(&output));
    said(&output)
}

pub(crate) fn sign_ins(copy: &Copy) -> Value {
    serde_json::from_slice(&std::fs::read(copy.folder.path().join("data/sign-ins.json")).unwrap()).unwrap()
}

/// Somebody with the password that is in the file.
pub(crate) fn person(copy: &Copy, name: &str) -> Person {
    let all = sign_ins(copy);
    let people = all["participants"].as_array().unwrap().iter().chain([&all["instructor"]]);
    let one = people.into_iter().find(|one| one["name"] == name).unwrap_or_else(|| panic!("{name}: {all}"));
    Person::new(all["urls"]["seats"].as_str().unwrap(), name, one["password"].as_str().unwrap())
}

/// What the API answers somebody who asks for their jobs.
async fn status(person: &Person) -> u16 {
    person.get("/api/v1/jobs").await.unwrap().status().as_u16()
}

#[tokio::test]
async fn accounts_and_cards_are_made_again_and_taken_away_from_a_terminal() {
    let copy = Copy::make().await;
    let alone = does(&copy, "start.sh", &["--participants", "2", "--workers", "0"]).await;
    assert!(alone.contains("jobs wait until one joins") && !alone.contains("SIMULATED"), "{alone}");
    does(&copy, "start.sh", &["--participants", "2"]).await;

    assert!(does(&copy, "add-user.sh", &[]).await.contains("user003"), "the next free name");
    let made = does(&copy, "add-user.sh", &["ada", "user001"]).await;
    assert!(made.contains("ada   ") && made.contains("user001 is there already"), "{made}");
    let ada = person(&copy, "ada");
    assert_eq!(status(&ada).await, 200);
    refuses(&copy, "add-user.sh", &["Ada Lovelace"], 2).await;

    in_no_arguments(&copy, "reset-passwords.sh", &["ada"]).await;
    assert_eq!(status(&ada).await, 401, "the old password");
    assert_eq!(status(&person(&copy, "ada")).await, 200, "the new one is in the file");
    refuses(&copy, "reset-passwords.sh", &["nobody"], 1).await;

    cards(&copy).await;

    assert!(does(&copy, "remove-user.sh", &["ada"]).await.contains("ada is signed out"));
    does(&copy, "remove-user.sh", &["ada"]).await;
    assert!(does(&copy, "list-users.sh", &[]).await.contains("removed"));
    assert!(refuses(&copy, "remove-user.sh", &["instructor"], 1).await.contains("lock you out"));
    // A start, which makes who is missing, brings nobody back.
    does(&copy, "start.sh", &["--participants", "2"]).await;
    assert!(!sign_ins(&copy)["participants"].to_string().contains("ada"));
    assert!(does(&copy, "add-user.sh", &["ada"]).await.contains("ada   "));
    assert_eq!(
        status(&person(&copy, "ada")).await,
        200,
        "whoever was removed comes back with a new password"
    );

    instructors(&copy).await;
    let elsewhere =
        copy.script_with("join-token.sh", &["gpu-2"], &[("ATELIER_WORKER_BIND", "127.0.0.1:1")]).await;
    let shown = said(&elsewhere);
    let link = copy.link();
    assert!(shown.contains(&format!("http://{link}/join.sh | bash -s -- http://{link} ")), "{shown}");
    assert!(shown.contains("Only this machine itself reaches"), "{shown}");

    let verdict = does(&copy, "rehearse.sh", &["--jobs", "1"]).await;
    assert!(verdict.contains("Ready: ") && verdict.contains('4'), "{verdict}");

    let nonsense = OF_A_DAY.iter().map(|(name, _)| *name);
    for name in nonsense.chain(["restore.sh", "collect-outputs.sh"]) {
        assert!(does(&copy, name, &["--help"]).await.contains("usage: scripts/"), "{name}");
        // What rehearse is told beyond its own is for rehearse itself to refuse.
        refuses(&copy, name, &["--nonsense"], 2).await;
    }
    does(&copy, "stop.sh", &[]).await;
    for (name, arguments) in OF_A_DAY {
        let complaint = refuses(&copy, name, arguments, 1).await;
        assert!(complaint.contains("scripts/start.sh"), "{name}: {complaint}");
    }
    assert_eq!(copy.processes(), Vec::<String>::new());
}

/// Runs a script that makes passwords; none is an argument of a program, as others on the machine see those.
async fn in_no_arguments(copy: &Copy, name: &str, arguments: &[&str]) {
    let mut folder = PathBuf::new();
    for program in ["jq", "env"] {
        let script = format!(
            "#!/bin/sh\necho \"$*\" >>\"{}\"\nexec /usr/bin/{program} \"$@\"\n",
            copy.folder.path().join("seen").display()
        );
        folder = stand_in(copy, program, &script);
    }
    let path = format!("{}:{}", folder.display(), std::env::var_os("PATH").unwrap().display());
    let output = copy.script_with(name, arguments, &[("PATH", &path)]).await;
    assert!(output.status.success(), "{name} {arguments:?}: {}", said(&output));
    let seen = std::fs::read_to_string(copy.folder.path().join("seen")).unwrap();
    let password =
        said(&output).lines().find_map(|line| line.strip_prefix("  ada   ").map(str::to_owned)).unwrap();
    assert!(!seen.is_empty() && !seen.contains(&password), "{seen}");
    assert!(!seen.contains("ATELIER_BIND="), "nor are the settings, which may hold secrets");
}

/// A second instructor's password is in no file, and whoever was removed comes back as what is asked for.
async fn instructors(copy: &Copy) {
    does(copy, "add-user.sh", &["--instructor", "eva"]).await;
    does(copy, "reset-passwords.sh", &["eva"]).await;
    assert!(!sign_ins(copy).to_string().contains("eva"));
    does(copy, "add-user.sh", &["leo"]).await;
    let other = does(copy, "add-user.sh", &["--instructor", "leo"]).await;
    assert!(other.contains("no instructor"), "{other}");
    does(copy, "remove-user.sh", &["leo", "eva"]).await;
    does(copy, "add-user.sh", &["--instructor", "leo"]).await;
    let all = serde_json::from_str::<Value>(&does(copy, "list-users.sh", &["--json"]).await).unwrap();
    let leo = all.as_array().unwrap().iter().find(|one| one["name"] == "leo").unwrap().clone();
    assert_eq!(leo["role"], "instructor", "{leo}");
    does(copy, "remove-user.sh", &["leo"]).await;
}

async fn cards(copy: &Copy) {
    let said = does(copy, "print-cards.sh", &[]).await;
    assert!(said.contains("4 cards in data/cards.html"), "{said}");
    let page = std::fs::read_to_string(copy.folder.path().join("data/cards.html")).unwrap();
    assert_eq!(page.matches("<svg").count(), 4);
    assert!(
        !page.contains("/sign-out") && !page.contains("href=\"/"),
        "nothing of the dashboard around them"
    );

    let text = does(copy, "print-cards.sh", &["--text", "user001"]).await;
    let link = text.lines().find_map(|line| line.strip_prefix("user001   ")).unwrap();
    let browser = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let press = async || {
        let button = browser.post(link).header("sec-fetch-site", "same-origin").send().await.unwrap();
        button.headers().contains_key("set-cookie")
    };
    assert!(press().await, "the link signs in");
    assert!(!press().await, "once");
    let own = person(copy, "user001");
    let passwords = does(copy, "print-cards.sh", &["--text", "--passwords", "user001"]).await;
    let word = passwords.lines().find_map(|line| line.strip_prefix("user001   ")).unwrap();
    assert_eq!(
        status(&Person::new(sign_ins(copy)["urls"]["seats"].as_str().unwrap(), &own.name, word)).await,
        200
    );
    assert!(refuses(copy, "print-cards.sh", &["nobody"], 1).await.contains("no participant nobody"));
}
