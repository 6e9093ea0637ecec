//! The one command, in a copy of the repository with nothing of ours running: it starts everything, says where, and
//! the other one leaves no process behind.

use std::path::Path;
use std::process::Output;

use serde_json::Value;
use testkit::process::{free_ports, our_program, repository};
use testkit::{Person, graphs};
use tokio::process::Command;

/// A copy of the repository on ports of its own.
pub(crate) struct Copy {
    pub(crate) folder: tempfile::TempDir,
    ports: [u16; 7],
}

impl Copy {
    /// What git tracks or would track, and the unpacked frontend.
    pub(crate) async fn make() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let copy = "git ls-files -z --cached --others --exclude-standard | tar --null -T - -cf - --ignore-failed-read \
            2>/dev/null | tar -xf - -C \"$0\" && mkdir -p \"$0/data\" && ln -s \"$PWD/data/frontend\" \"$0/data/frontend\"";
        let status =
            Command::new("sh").arg("-c").arg(copy).arg(folder.path()).current_dir(repository()).status();
        assert!(status.await.unwrap().success());
        // The simulated ComfyUIs take one port after the other, from the last one on.
        Self { folder, ports: free_ports().unwrap() }
    }

    pub(crate) async fn script(&self, name: &str, arguments: &[&str]) -> Output {
        self.script_with(name, arguments, &[]).await
    }

    pub(crate) async fn script_with(
        &self,
        name: &str,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Output {
        let programs = our_program("queue-manager").unwrap();
        let local = |port: u16| format!("127.0.0.1:{port}");
        Command::new(self.folder.path().join("scripts").join(name))
            .args(arguments)
            // What it would build was built for these tests; another folder's build would take a minute more.
            .env("ATELIER_PROGRAMS", programs.parent().unwrap())
            .env("ATELIER_PORT", self.ports[0].to_string())
            .env("ATELIER_ADMIN_PORT", self.ports[1].to_string())
            .env("ATELIER_BIND", local(self.ports[2]))
            .env("ATELIER_WORKER_BIND", local(self.ports[3]))
            .env("ATELIER_ADMIN_BIND", local(self.ports[4]))
            .env("ATELIER_SIMULATED_PORT", self.ports[5].to_string())
            .env_remove("COMFYUI_URL")
            .env_remove("INFERENCE_PROVIDER")
            .envs(environment.iter().copied())
            .output()
            .await
            .unwrap()
    }

    /// Where its workers come in.
    pub(crate) fn link(&self) -> String {
        format!("127.0.0.1:{}", self.ports[3])
    }

    /// Processes that work in the copy.
    pub(crate) fn processes(&self) -> Vec<String> {
        let here = self.folder.path().canonicalize().unwrap();
        let runs_here =
            |process: &Path| std::fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd.starts_with(&here));
        let all = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok).map(|entry| entry.path());
        all.filter(|process| runs_here(process))
            .filter_map(|process| std::fs::read_to_string(process.join("comm")).ok())
            .map(|name| name.trim().to_owned())
            .collect()
    }
}

#[tokio::test]
async fn one_command_starts_a_workshop_and_another_leaves_nothing_behind() {
    let copy = Copy::make().await;
    let started = copy.script("start.sh", &["--participants", "2"]).await;
    let said = String::from_utf8_lossy(&started.stdout).into_owned();
    assert!(started.status.success(), "{said}{}", String::from_utf8_lossy(&started.stderr));
    assert!(said.contains("SIMULATED"), "nobody may mistake it for the real one");

    let file = copy.folder.path().join("data/sign-ins.json");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let sign_ins: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let urls = &sign_ins["urls"];
    assert!(urls["api"].as_str().unwrap().ends_with("/api"));
    let health = reqwest::get(urls["health"].as_str().unwrap()).await.unwrap();
    assert_eq!(health.json::<Value>().await.unwrap()["status"], "ok");
    let admin = reqwest::get(urls["admin"].as_str().unwrap()).await.unwrap();
    assert!(admin.text().await.unwrap().contains("Dashboard"));
    assert_eq!(sign_ins["participants"].as_array().unwrap().len(), 2);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let one = &sign_ins["participants"][0];
    let person = Person::new(urls["seats"].as_str().unwrap(), &text(&one["name"]), &text(&one["password"]));
    let id = person.submit(&graphs::white_picture()).await.unwrap();
    person.wait_for(&id, "completed").await.unwrap();
    assert!(copy.script("status.sh", &[]).await.status.success());
    let mut rehearsal = Command::new(env!("CARGO_BIN_EXE_rehearse"));
    rehearsal.args(["--people", "2", "--jobs", "1", "--data"]).arg(copy.folder.path().join("data"));
    let rehearsal = rehearsal.output().await.unwrap();
    assert!(rehearsal.status.success(), "{}", String::from_utf8_lossy(&rehearsal.stdout));

    // Again: what runs goes on, and the passwords are the same.
    assert!(copy.script("start.sh", &["--participants", "2"]).await.status.success());
    let again: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(again, sign_ins);

    // More of everything, by the names that other tools use.
    let larger = [("NUM_USERS", "3"), ("NUM_WORKERS", "2"), ("INFERENCE_PROVIDER", "simulated")];
    let grown = copy.script_with("start.sh", &[], &larger).await;
    assert!(grown.status.success(), "{}", String::from_utf8_lossy(&grown.stderr));
    let again: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(again["participants"].as_array().unwrap().len(), 3);
    assert_eq!(again["participants"][0], sign_ins["participants"][0], "the first ones keep their passwords");
    let status: Value = reqwest::get(urls["health"].as_str().unwrap()).await.unwrap().json().await.unwrap();
    assert_eq!(status["active_workers"], 2);
    let said = copy.script("status.sh", &[]).await;
    assert!(said.status.success() && String::from_utf8_lossy(&said.stdout).contains("worker-2: running"));

    // The file with the passwords is lost: those who exist get new ones.
    std::fs::remove_file(copy.folder.path().join("data/accounts.json")).unwrap();
    assert!(copy.script("start.sh", &["--participants", "2"]).await.status.success());
    let anew: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let one = &anew["participants"][0];
    assert_ne!(*one, sign_ins["participants"][0]);
    let person = Person::new(urls["seats"].as_str().unwrap(), &text(&one["name"]), &text(&one["password"]));
    assert_eq!(person.get("/api/v1/jobs").await.unwrap().status(), 200);

    let stopped = copy.script("stop.sh", &[]).await;
    assert!(stopped.status.success(), "{}", String::from_utf8_lossy(&stopped.stderr));
    assert_eq!(copy.processes(), Vec::<String>::new());
    assert!(!copy.script("status.sh", &[]).await.status.success());
    assert!(copy.script("stop.sh", &[]).await.status.success(), "stopping twice is no error");
}

#[tokio::test]
async fn with_a_certificate_the_same_command_serves_https() {
    let copy = Copy::make().await;
    let tls = copy.folder.path().join("data/tls");
    let folder = tls.to_str().unwrap();
    let made = copy.script("make-certificate.sh", &[folder, "localhost", "127.0.0.1"]).await;
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let again = copy.script("make-certificate.sh", &[folder, "localhost"]).await;
    assert_eq!(again.status.code(), Some(2), "devices trust the first one's root");
    let (certificate, key) = (tls.join("tls.crt"), tls.join("tls.key"));
    let environment = [
        ("ATELIER_TLS_CERTIFICATE", certificate.to_str().unwrap()),
        ("ATELIER_TLS_KEY", key.to_str().unwrap()),
        ("ATELIER_SERVER_NAME", "localhost 127.0.0.1"),
    ];
    let started = copy.script_with("start.sh", &["--participants", "1"], &environment).await;
    let said = String::from_utf8_lossy(&started.stdout).into_owned();
    assert!(started.status.success(), "{said}{}", String::from_utf8_lossy(&started.stderr));
    let ask = async |url: String| {
        let mut curl = Command::new("curl");
        let output =
            curl.args(["-sSi", "--cacert"]).arg(tls.join("root.crt")).arg(url).output().await.unwrap();
        (output.status.success(), String::from_utf8(output.stdout).unwrap())
    };
    for name in ["localhost", "127.0.0.1"] {
        let (trusted, page) = ask(format!("https://{name}:{}/sign-in", copy.ports[0])).await;
        assert!(trusted && page.starts_with("HTTP/2 200"), "{name}: {page}");
        let (trusted, dashboard) = ask(format!("https://{name}:{}/sign-in", copy.ports[1])).await;
        assert!(trusted && dashboard.contains("Dashboard"), "{name}: {dashboard}");
    }
    assert!(copy.script("status.sh", &[]).await.status.success());
    assert!(copy.script("stop.sh", &[]).await.status.success());
    assert_eq!(copy.processes(), Vec::<String>::new());
}

#[tokio::test]
async fn nonsense_on_the_command_line_starts_nothing_and_says_what_to_do() {
    let copy = Copy::make().await;
    for arguments in [["--participants", "many"].as_slice(), &["--participants", "0"], &["--nonsense"]] {
        let refused = copy.script("start.sh", arguments).await;
        assert_eq!(refused.status.code(), Some(2));
        assert!(!refused.stdout.is_empty() || !refused.stderr.is_empty());
    }
    let url = ("COMFYUI_URL", "http://127.0.0.1:1");
    for (environment, said) in [
        ([("NUM_USERS", "many"), ("X", "")], "'many'"),
        ([("NUM_WORKERS", "-1"), ("X", "")], "'-1'"),
        ([("INFERENCE_PROVIDER", "cloud"), ("X", "")], "'simulated'"),
        ([("INFERENCE_PROVIDER", "simulated"), url], "only one of them"),
        ([("NUM_WORKERS", "2"), url], "one each"),
    ] {
        let refused = copy.script_with("start.sh", &[], &environment).await;
        let complaint = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(refused.status.code() == Some(2) && complaint.contains(said), "{environment:?}: {complaint}");
    }
    assert_eq!(copy.processes(), Vec::<String>::new());
}
