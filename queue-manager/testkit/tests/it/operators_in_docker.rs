//! Docker's scripts where an operator does what one should not, and where something breaks. Docker is a stand-in here;
//! scripts/test-compose.sh has the real one.

use std::os::unix::fs::PermissionsExt;
use std::process::Output;

use testkit::process::Process;
use tokio::process::Command;

use crate::operators_day::{said, stand_in};
use crate::start_and_stop::Copy;

/// A workshop that seems to run: accounts can be listed and not be made, and nothing can be stopped.
const DOCKER: &str = r#"#!/bin/sh
case "$*" in
    *version*) echo 29.0.0 ;;
    *'user list'*) echo '[]' ;;
    *'user add'*) exit 1 ;;
    *'token join'*) echo '{"join_token":"canary"}' ;;
    *'config --services'*) printf 'redis\nqueue-manager\n' ;;
    *' stop '*) echo 'it will not' >&2; exit 1 ;;
    *'ps -q'*) echo 0123 ;;
    inspect*) echo healthy ;;
esac
"#;

struct Server {
    copy: Copy,
    path: String,
}

impl Server {
    async fn new() -> Self {
        let copy = Copy::make().await;
        // Whoever runs the tests is root here, and can give nothing away.
        stand_in(&copy, "chown", "#!/bin/sh\n");
        let folder = stand_in(&copy, "docker", DOCKER);
        let path = format!("{}:{}", folder.display(), std::env::var_os("PATH").unwrap().display());
        let server = Self { copy, path };
        server.is_root(true);
        server
    }

    fn is_root(&self, yes: bool) {
        stand_in(&self.copy, "id", if yes { "#!/bin/sh\necho 0\n" } else { "#!/bin/sh\necho 1000\n" });
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        self.copy.folder.path().join(name)
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.file(name)).unwrap()
    }

    async fn run(&self, name: &str, arguments: &[&str]) -> Output {
        self.copy.script_with(name, arguments, &[("PATH", &self.path)]).await
    }

    async fn does(&self, name: &str, arguments: &[&str]) -> String {
        let output = self.run(name, arguments).await;
        assert!(output.status.success(), "{name} {arguments:?}: {}", said(&output));
        said(&output)
    }

    async fn refuses(&self, name: &str, arguments: &[&str], sentence: &str) {
        let output = self.run(name, arguments).await;
        assert_eq!(output.status.code(), Some(1), "{name} {arguments:?}: {}", said(&output));
        assert!(said(&output).contains(sentence), "{name} {arguments:?}: {}", said(&output));
    }
}

#[tokio::test]
async fn without_root_everything_that_needs_it_in_docker_is_refused_before_it_does_anything() {
    let server = Server::new().await;
    let sudo = "Run this with sudo";
    server.is_root(false);
    server.refuses("setup.sh", &[], sudo).await;
    assert!(!server.file(".env").exists() && !server.file("data/secrets").exists());
    server.is_root(true);
    server.does("setup.sh", &[]).await;
    server.is_root(false);
    std::fs::write(server.file("other.tar"), "").unwrap();
    for (name, arguments) in [
        ("start-docker.sh", [].as_slice()),
        ("update.sh", &["--no-build"]),
        ("restore.sh", &["other.tar"]),
        ("backup.sh", &["data/backups"]),
        ("collect-outputs.sh", &["data/collected"]),
        ("end-workshop.sh", &["--yes", "data/report"]),
        ("add-user.sh", &["ada"]),
    ] {
        server.refuses(name, arguments, sudo).await;
    }
    assert!(!server.file("data/report").exists() && server.read("data/gpu-1.token").is_empty());
}

#[tokio::test]
async fn a_folder_is_for_docker_or_for_the_other_start_and_never_for_both() {
    let server = Server::new().await;
    // What the scripts take for a queue-manager of this folder.
    let mut sleeper = Command::new("sleep");
    sleeper.arg("600").current_dir(server.copy.folder.path());
    let running = Process::start(sleeper, &server.file("sleep.log")).unwrap();
    std::fs::create_dir_all(server.file("data/run")).unwrap();
    std::fs::write(server.file("data/run/queue-manager.pid"), running.id().unwrap().to_string()).unwrap();
    server.refuses("setup.sh", &[], "runs without Docker").await;
    server.refuses("start.sh", &["--docker"], "runs without Docker").await;
    assert!(!server.file(".env").exists());
    drop(running);

    std::fs::remove_file(server.file("data/run/queue-manager.pid")).unwrap();
    // Nothing of it runs.
    stand_in(&server.copy, "docker", "#!/bin/sh\ncase \"$*\" in *version*) echo 29.0.0 ;; esac\n");
    std::fs::write(server.file(".env"), "COMPOSE_PROJECT_NAME=atelier\n").unwrap();
    server.refuses("start.sh", &[], "scripts/start.sh --docker starts it").await;
    server.refuses("add-user.sh", &["ada"], "scripts/start.sh --docker starts it").await;
}

#[tokio::test]
async fn what_is_deleted_or_has_ended_comes_back_and_what_somebody_chose_stays() {
    let server = Server::new().await;
    server.does("setup.sh", &[]).await;
    let mode = std::fs::metadata(server.file(".env")).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "settings may hold secrets");
    let first = server.read("data/tls/tls.crt");

    // A day before its end, as openssl sees it.
    let openssl =
        "#!/bin/sh\ncase \"$*\" in *checkend*) exit 1 ;; esac\nPATH=/usr/bin:/bin exec openssl \"$@\"\n";
    stand_in(&server.copy, "openssl", openssl);
    server.does("setup.sh", &[]).await;
    let anew = server.read("data/tls/tls.crt");
    assert_ne!(anew, first);
    std::fs::remove_file(server.file("data/tls/root.crt")).unwrap();
    let foreign = server.does("setup.sh", &[]).await;
    assert!(foreign.contains("left as it is, though it ends"), "{foreign}");
    assert_eq!(server.read("data/tls/tls.crt"), anew);
    std::fs::remove_file(server.file("stand-ins/openssl")).unwrap();

    server.does("generate-users.sh", &["--names", "ada ben"]).await;
    let kept = server.does("setup.sh", &["--seats", "3"]).await;
    assert!(kept.contains("left as it is: docker-compose.users.yml"), "{kept}");
    assert!(String::from_utf8(server.read("docker-compose.users.yml")).unwrap().contains("seat-ben:"));
    server.does("generate-users.sh", &["--number", "2"]).await;
    server.does("setup.sh", &["--seats", "3"]).await;
    assert!(String::from_utf8(server.read("docker-compose.users.yml")).unwrap().contains("seat-user003:"));

    for gone in ["data/secret.key", "data/gpu-1.token", "data/webhook.secret"] {
        std::fs::remove_file(server.file(gone)).unwrap();
    }
    std::fs::remove_dir(server.file("data/worker")).unwrap();
    let start = server.run("start-docker.sh", &[]).await;
    assert!(!start.status.success() && said(&start).contains("[3/5]"), "{}", said(&start));
    assert!(!server.read("data/secret.key").is_empty() && server.file("data/worker").is_dir());
    assert!(
        !server.file("data/accounts.json").exists(),
        "no account could be made, so there is no list of them"
    );
}

#[tokio::test]
async fn what_docker_refuses_is_said_and_addresses_are_those_of_the_settings() {
    let server = Server::new().await;
    server.does("setup.sh", &["--link", "100.64.0.1"]).await;
    server.refuses("stop.sh", &[], "it will not").await;
    server.refuses("stop.sh", &[], "Not stopped: queue-manager redis").await;
    let line = server.does("join-token.sh", &["gpu-2"]).await;
    let wanted = "curl -fsS http://100.64.0.1:3443/join.sh | bash -s -- http://100.64.0.1:3443 canary";
    assert!(line.contains(wanted), "{line}");

    let mut settings = String::from_utf8(server.read(".env")).unwrap();
    settings.push_str("ATELIER_REDIS_MB=4000\n");
    std::fs::write(server.file(".env"), settings).unwrap();
    server.refuses("start-docker.sh", &[], "ATELIER_REDIS_LIMIT=6g").await;
    server.refuses("update.sh", &["--no-build"], "ATELIER_REDIS_LIMIT=6g").await;
}
