//! The evening: what people made is collected, a day ends, a backup is made and comes back in an empty folder, a workshop ends.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use serde_json::json;
use testkit::{Person, graphs, waiting};
use tokio::process::Command;

use crate::operators_day::{does, person, refuses, said, stand_in};
use crate::start_and_stop::Copy;

const KEY: &str = "canary-of-a-paid-node";

/// The archive that a script said it made.
fn archive_of(said: &str) -> String {
    said.lines().find_map(|line| line.strip_prefix("Backed up: ")?.split(". ").next()).unwrap().to_owned()
}

async fn output_of(program: &str, arguments: &[&str]) -> Vec<u8> {
    Command::new(program).args(arguments).output().await.unwrap().stdout
}

fn holds(bytes: &[u8], secret: &str) -> bool {
    bytes.windows(secret.len()).any(|window| window == secret.as_bytes())
}

fn secrets(copy: &Copy, names: &[&str]) -> Vec<String> {
    let read = |name: &&str| std::fs::read_to_string(copy.folder.path().join("data").join(name)).unwrap();
    names.iter().map(read).map(|secret| secret.trim().to_owned()).collect()
}

async fn pause(boss: &Person, paused: bool) {
    // Beyond a burst an account has fifty requests a second.
    let change = async || {
        let request = boss.request(reqwest::Method::PATCH, "/api/v1/queue").json(&json!({"paused": paused}));
        Ok(request.send().await?.status().is_success().then_some(()))
    };
    waiting::until("the change", Duration::from_secs(20), change).await.unwrap();
}

#[tokio::test]
async fn what_a_day_made_is_collected_backed_up_and_comes_back_in_an_empty_folder() {
    let copy = Copy::make().await;
    does(&copy, "start.sh", &["--participants", "2"]).await;
    let (ada, boss) = (person(&copy, "user001"), person(&copy, "instructor"));
    let done = ada.submit(&graphs::white_picture()).await.unwrap();
    let picture = ada.picture(&ada.wait_for(&done, "completed").await.unwrap(), 0).await.unwrap();

    does(&copy, "collect-outputs.sh", &["data/collected"]).await;
    let again = does(&copy, "collect-outputs.sh", &["data/collected"]).await;
    assert!(again.contains("user001: 1 files") && again.contains("1 zips"), "{again}");
    let zip = copy.folder.path().join("data/collected/user001.zip");
    assert_eq!(output_of("unzip", &["-p", zip.to_str().unwrap()]).await, picture);

    // The evening: nobody takes a job, and what is submitted waits.
    let evening = does(&copy, "end-day.sh", &[]).await;
    assert!(evening.contains("The GPUs may go"), "{evening}");
    let keys = json!({"api_key_comfy_org": KEY});
    let body = json!({"workflow": graphs::white_picture(), "extra_data": keys});
    let answer = ada.post("/api/v1/jobs", &body).await.unwrap().json::<serde_json::Value>().await.unwrap();
    let waits = answer["id"].as_str().unwrap().to_owned();
    assert_eq!(ada.job(&waits).await.unwrap()["state"], "pending");
    // What a container seat would keep.
    let kept_in_a_seat = copy.folder.path().join("data/seats/user001/user/default/workflows/own.json");
    std::fs::create_dir_all(kept_in_a_seat.parent().unwrap()).unwrap();
    std::fs::write(&kept_in_a_seat, "{}").unwrap();
    let own_example = copy.folder.path().join("data/workflows/own.json");
    std::fs::write(&own_example, "{}").unwrap();
    let archive = backups(&copy).await;

    // The next morning, and what came after the backup.
    assert!(does(&copy, "end-day.sh", &["--undo"]).await.contains("1 workers take jobs again"));
    ada.wait_for(&waits, "completed").await.unwrap();
    assert!(refuses(&copy, "restore.sh", &[&archive], 1).await.contains("scripts/stop.sh"));
    does(&copy, "stop.sh", &[]).await;
    let kept = refuses(&copy, "restore.sh", &[&archive], 1).await;
    assert!(kept.contains("--aside"), "{kept}");

    // A disk that burned: nothing is left but the archive.
    let data = copy.folder.path().join("data");
    for gone in ["redis", "files", "seats", "worker", "simulated-comfyui"] {
        std::fs::remove_dir_all(data.join(gone)).unwrap();
    }
    for gone in ["accounts.json", "sign-ins.json", "secret.key", "gpu-1.token"] {
        std::fs::remove_file(data.join(gone)).unwrap();
    }
    std::fs::remove_file(&own_example).unwrap();
    does(&copy, "restore.sh", &[&archive]).await;
    assert!(own_example.exists(), "what was saved as an example is back");
    assert!(kept_in_a_seat.exists(), "a seat's saved workflows are back");
    does(&copy, "start.sh", &["--participants", "2"]).await;
    let again = person(&copy, "user001");
    assert_eq!(again.picture(&again.job(&done).await.unwrap(), 0).await.unwrap(), picture);
    assert_eq!(again.json("/api/v1/jobs").await.unwrap()["jobs"].as_array().unwrap().len(), 2);
    let old_password = ada.get("/api/v1/jobs").await.unwrap().status();
    assert_eq!(old_password, 200, "cards stay good");
    // The worker was told in the evening to take nothing, and nobody has told it otherwise since.
    assert!(does(&copy, "end-day.sh", &["--undo"]).await.contains("1 workers"));
    again.wait_for(&waits, "completed").await.unwrap();
    // More of the audit log than one answer of the API holds.
    for change in 0..502 {
        pause(&boss, change % 2 == 0).await;
    }
    ends(&copy).await;
}

/// Backups in a folder, and by the two programs; the last one has passwords.
async fn backups(copy: &Copy) -> String {
    let plain = archive_of(&does(copy, "backup.sh", &["data/backups"]).await);
    let bytes = std::fs::read(copy.folder.path().join(&plain)).unwrap();
    let mut never = secrets(copy, &["secret.key", "gpu-1.token"]);
    never.push(KEY.to_owned());
    let password =
        crate::operators_day::sign_ins(copy)["participants"][0]["password"].as_str().unwrap().to_owned();
    for secret in never.iter().chain([&password]) {
        assert!(!holds(&bytes, secret), "a secret is in the backup");
    }
    assert!(!holds(&bytes, ":sealed:"), "nor the sealed keys of paid nodes");
    let rights = std::fs::metadata(copy.folder.path().join(&plain)).unwrap().permissions().mode();
    assert_eq!(rights & 0o077, 0);

    // Stand-ins for the two programs: what they are given is kept in a folder, and comes back from there.
    let rclone = "#!/bin/sh\nmkdir -p data/far\ncase $1 in rcat) cat >data/far/${2##*/} ;; cat) cat data/far/${2##*/} ;; deletefile) rm data/far/${2##*/} ;; esac\n";
    let aws = "#!/bin/sh\nmkdir -p data/far\nfor last; do :; done\nif [ \"$last\" = - ]; then for f; do case $f in s3://*) cat data/far/${f##*/} ;; esac; done\nelse cat >data/far/${last##*/}; fi\n";
    stand_in(copy, "rclone", rclone);
    let folder = stand_in(copy, "aws", aws);
    let path = format!("{}:{}", folder.display(), std::env::var_os("PATH").unwrap().display());
    for place in ["far:workshop", "s3://bucket/workshop"] {
        let output = copy.script_with("backup.sh", &[place], &[("PATH", &path)]).await;
        assert!(output.status.success(), "{place}: {}", said(&output));
    }
    // An archive that breaks off is not kept, wherever it goes.
    stand_in(copy, "tar", "#!/bin/sh\necho half\nexit 2\n");
    for place in ["data/half", "far:half"] {
        let output = copy.script_with("backup.sh", &[place], &[("PATH", &path)]).await;
        assert_eq!(output.status.code(), Some(1), "{place}: {}", said(&output));
        assert!(said(&output).contains("did not become whole"), "{place}: {}", said(&output));
    }
    assert_eq!(std::fs::read_dir(copy.folder.path().join("data/half")).unwrap().count(), 0);
    let far =
        std::fs::read_dir(copy.folder.path().join("data/far")).unwrap().map(|entry| entry.unwrap().path());
    assert_eq!(far.filter(|archive| std::fs::read(archive).unwrap() == b"half\n").count(), 0);
    std::fs::remove_file(folder.join("tar")).unwrap();
    // Without them, and with nonsense.
    let bare = path_without(copy, "aws|rclone").await;
    for (place, word) in
        [("far:workshop", "install rclone"), ("s3://bucket/x", "install awscli"), ("ftp://box", "no place")]
    {
        let output = copy.script_with("backup.sh", &[place], &[("PATH", &bare)]).await;
        assert!(
            output.status.code() == Some(1) && said(&output).contains(word),
            "{place}: {}",
            said(&output)
        );
    }
    for bad in ["data/no-such.tar", "data/README.md"] {
        refuses(copy, "restore.sh", &[bad], 1).await;
    }
    // Where nothing can be written: below a file.
    for (name, arguments) in [
        ("backup.sh", ["README.md/backups"].as_slice()),
        ("collect-outputs.sh", &["README.md/collected"]),
        ("end-workshop.sh", &["--yes", "README.md/report"]),
        ("print-cards.sh", &["README.md/cards.html"]),
    ] {
        let complaint = refuses(copy, name, arguments, 1).await;
        assert!(complaint.contains("Give another folder"), "{name}: {complaint}");
    }
    archive_of(&does(copy, "backup.sh", &["--with-passwords", "data/backups"]).await)
}

/// A PATH of everything but the programs that the shell's pattern names.
pub(crate) async fn path_without(copy: &Copy, pattern: &str) -> String {
    let bare = copy.folder.path().join("bare");
    let link = format!(
        "mkdir -p \"$0\"; for f in /usr/sbin/* /usr/bin/* /bin/*; do case ${{f##*/}} in {pattern}) ;; *) ln -sf \"$f\" \"$0/\" ;; esac; done"
    );
    Command::new("sh").arg("-c").arg(link).arg(&bare).status().await.unwrap();
    bare.display().to_string()
}

async fn ends(copy: &Copy) {
    let folder = copy.folder.path().join("data/report");
    assert!(
        refuses(copy, "end-workshop.sh", &["data/report"], 1).await.contains("--yes"),
        "nobody can be asked"
    );
    for _ in 0..2 {
        does(copy, "end-workshop.sh", &["--yes", "data/report"]).await;
    }
    let made = |name: &str| -> serde_json::Value {
        serde_json::from_slice(&std::fs::read(folder.join(name)).unwrap()).unwrap()
    };
    assert_eq!(made("jobs.json").as_array().unwrap().len(), 2);
    let audit = made("audit.json");
    let actions = audit.as_array().unwrap();
    assert!(actions.len() > 500, "all of them, and not a page of {}", actions.len());
    assert!(made("report.json")["people"].as_array().unwrap().len() >= 2);
    assert!(std::fs::read_to_string(folder.join("people.csv")).unwrap().contains("\"user001\""));
    assert!(Path::new(&folder.join("outputs/user001.zip")).exists());
    let ada = person(copy, "user001");
    assert_eq!(ada.get("/api/v1/jobs").await.unwrap().status(), 200, "people still fetch their files");
    let tokens = person(copy, "instructor").json("/api/v1/tokens").await.unwrap();
    assert_eq!(tokens["tokens"], json!([]));
    does(copy, "stop.sh", &[]).await;
    // Another workshop in the same folder begins with workers that may work.
    does(copy, "start.sh", &["--participants", "2"]).await;
    does(copy, "stop.sh", &[]).await;
    assert_eq!(copy.processes(), Vec::<String>::new());
}
