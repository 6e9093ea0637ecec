//! What an operator's scripts do with nonsense, on a machine that lacks something, a second time, and interrupted. Docker is a
//! stand-in here; scripts/test-compose.sh has the real one.

use std::process::Output;

use testkit::process::free_port;

use crate::operators_day::{said, stand_in};
use crate::operators_evening::path_without;
use crate::start_and_stop::Copy;

const ALL: [&str; 19] = [
    "add-user.sh",
    "backup.sh",
    "build-images.sh",
    "collect-outputs.sh",
    "end-day.sh",
    "end-workshop.sh",
    "generate-users.sh",
    "join-token.sh",
    "join-worker.sh",
    "list-users.sh",
    "print-cards.sh",
    "remove-user.sh",
    "reset-passwords.sh",
    "restore.sh",
    "setup.sh",
    "start-docker.sh",
    "start.sh",
    "stop.sh",
    "update.sh",
];

/// Script, arguments, exit code, and a part of what it says on standard error.
type Mistake = (&'static str, &'static [&'static str], i32, &'static str);

const NONSENSE: [Mistake; 48] = [
    ("setup.sh", &["--name"], 2, "--name needs a value"),
    ("setup.sh", &["--name", "a_b"], 2, "'a_b' is no name"),
    ("setup.sh", &["--profile", "tpu"], 2, "simulated, gpu or none"),
    ("setup.sh", &["--seats", "many"], 2, "a number from 1 to 250"),
    ("setup.sh", &["--seats", "300"], 2, "a number from 1 to 250"),
    ("setup.sh", &["--listen", "everywhere"], 2, "no IPv4 address"),
    ("setup.sh", &["--listen", "10.0.0.999"], 2, "none of its numbers is over 255"),
    ("setup.sh", &["--link", "8.8.8.8"], 2, "public address"),
    ("setup.sh", &["--certificate", "README.md"], 2, "both --certificate and --key"),
    ("setup.sh", &["--certificate", "nowhere", "--key", "nowhere"], 1, "nowhere cannot be read"),
    ("setup.sh", &["--certificate", "README.md", "--key", "README.md"], 1, "README.md is no certificate"),
    ("update.sh", &[], 1, "scripts/start.sh --docker starts it"),
    ("update.sh", &["nginx"], 1, "scripts/start.sh --docker starts it"),
    ("generate-users.sh", &["20"], 2, "20 is no option"),
    ("generate-users.sh", &["--number"], 2, "--number needs a value"),
    ("generate-users.sh", &["--number", "0"], 2, "a number from 1 to 250"),
    ("generate-users.sh", &["--number", "-1"], 2, "a number from 1 to 250"),
    ("generate-users.sh", &["--number", "251"], 2, "At most 250"),
    ("generate-users.sh", &["--names"], 2, "--names needs a value"),
    ("generate-users.sh", &["--names", " "], 2, "Nobody was named"),
    ("generate-users.sh", &["--names", "Ada"], 2, "'Ada' is no participant's name"),
    ("generate-users.sh", &["--names", "ada ada"], 2, "Named twice: ada"),
    ("generate-users.sh", &["--accounts"], 2, "start the workshop first"),
    ("start-docker.sh", &[], 1, "Run scripts/setup.sh first"),
    ("start-docker.sh", &["--participants"], 2, "--participants needs a value"),
    ("start-docker.sh", &["--participants", "0"], 2, "a number from 1 to 999"),
    ("start.sh", &["--workers"], 2, "--workers needs a value"),
    ("build-images.sh", &["--programs"], 2, "--programs needs a value"),
    ("build-images.sh", &["--programs", "docs"], 2, "no queue-manager in 'docs'"),
    ("build-images.sh", &["--profile"], 2, "--profile needs a value"),
    ("build-images.sh", &["--profile", "fast"], 2, "release or dev, not 'fast'"),
    ("build-images.sh", &["--with"], 2, "--with needs a value"),
    ("build-images.sh", &["--with", "tpu"], 2, "seats or gpu, not 'tpu'"),
    ("join-token.sh", &[], 2, "Say what the worker is called"),
    ("join-token.sh", &["gpu-1", "gpu-2"], 2, "One worker at a time"),
    ("remove-user.sh", &[], 2, "Say who"),
    ("reset-passwords.sh", &[], 2, "Say who, or --all"),
    ("reset-passwords.sh", &["a/b"], 2, "cannot be a name"),
    ("print-cards.sh", &["--passwords"], 2, "--passwords goes with --text"),
    ("backup.sh", &["one", "two"], 2, "One place at a time"),
    ("restore.sh", &["one", "two"], 2, "One backup at a time"),
    ("restore.sh", &["nowhere.tar"], 1, "There is no file nowhere.tar"),
    ("restore.sh", &["README.md"], 1, "README.md cannot be unpacked"),
    ("restore.sh", &["other.tar"], 1, "other.tar is no backup"),
    ("collect-outputs.sh", &["collected"], 1, "nothing was made yet"),
    ("end-day.sh", &["--wait", "soon"], 2, "a number of minutes, not 'soon'"),
    ("end-workshop.sh", &["--wait"], 2, "a number of minutes"),
    ("join-worker.sh", &["https://100.64.0.1:3443", "token"], 2, "begins with http://"),
];

/// What is missing, and which scripts say so.
const LACKING: [Mistake; 12] = [
    ("setup.sh", &["--certificate", "README.md", "--key", "README.md"], 1, "openssl is missing"),
    ("update.sh", &[], 1, "Docker is missing"),
    ("start-docker.sh", &[], 1, "jq"),
    ("build-images.sh", &[], 1, "Docker is missing"),
    ("add-user.sh", &["ada"], 1, "jq curl"),
    ("print-cards.sh", &[], 1, "jq curl"),
    ("backup.sh", &["backups"], 1, "jq curl"),
    ("restore.sh", &["other.tar"], 1, "jq"),
    ("collect-outputs.sh", &["collected"], 1, "zip"),
    ("end-day.sh", &[], 1, "jq curl"),
    ("end-workshop.sh", &["--yes", "report"], 1, "jq curl zip"),
    ("join-worker.sh", &["http://127.0.0.1:1", "token"], 1, "curl is missing"),
];

fn complaint(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// It does nothing and says that it did; only ComfyUI's images are not there.
const DOCKER: &str = "#!/bin/sh
case \"$*\" in
    *version*) echo 29.0.0 ;;
    'image inspect atelier-seat:'* | 'image inspect atelier-worker-gpu:'*) exit 1 ;;
esac
";

/// A copy with a docker of its own, where everybody is root; the PATH that leads to it.
async fn with_a_docker() -> (Copy, String) {
    let copy = Copy::make().await;
    stand_in(&copy, "id", "#!/bin/sh\necho 0\n");
    stand_in(&copy, "chown", "#!/bin/sh\n");
    let folder = stand_in(&copy, "docker", DOCKER);
    let path = format!("{}:{}", folder.display(), std::env::var_os("PATH").unwrap().display());
    (copy, path)
}

async fn fail(copy: &Copy, path: &str, mistakes: &[Mistake]) {
    for (name, arguments, status, sentence) in mistakes {
        let output = copy.script_with(name, arguments, &[("PATH", path)]).await;
        assert_eq!(output.status.code(), Some(*status), "{name} {arguments:?}: {}", said(&output));
        assert!(complaint(&output).contains(sentence), "{name} {arguments:?}: {}", complaint(&output));
    }
}

fn names_in(copy: &Copy, folder: &str) -> Vec<String> {
    let entries = std::fs::read_dir(copy.folder.path().join(folder)).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn scripts_refuse_nonsense_with_a_sentence_and_change_nothing() {
    let (copy, path) = with_a_docker().await;
    let folder = copy.folder.path();
    let archive = std::process::Command::new("tar")
        .args(["-cf", "other.tar", "README.md"])
        .current_dir(folder)
        .status();
    assert!(archive.unwrap().success());
    let (top, data) = (names_in(&copy, "."), names_in(&copy, "data"));
    let seats = std::fs::read(folder.join("docker-compose.users.yml")).unwrap();
    for name in ALL {
        let help = copy.script(name, &["--help"]).await;
        assert!(help.status.success() && complaint(&help).is_empty(), "{name}: {}", said(&help));
        assert!(String::from_utf8_lossy(&help.stdout).contains("usage: "), "{name}");
        fail(&copy, &path, &[(name, &["--nonsense"], 2, "--nonsense is no option")]).await;
    }
    for name in ["make-certificate.sh", "render-nginx.sh"] {
        assert!(copy.script(name, &["--help"]).await.status.success(), "{name}");
        assert_eq!(copy.script(name, &[]).await.status.code(), Some(2), "{name}");
    }
    fail(&copy, &path, &NONSENSE).await;
    assert_eq!(std::fs::read(folder.join("docker-compose.users.yml")).unwrap(), seats);
    assert_eq!((names_in(&copy, "."), names_in(&copy, "data")), (top, data));

    std::fs::write(folder.join("data/accounts.json"), "{ half a file").unwrap();
    fail(&copy, &path, &[("generate-users.sh", &["--accounts"], 2, "it is damaged")]).await;
}

#[tokio::test]
async fn a_machine_that_lacks_a_program_is_told_which() {
    let copy = Copy::make().await;
    std::fs::write(copy.folder.path().join("other.tar"), "").unwrap();
    let path = path_without(&copy, "apt-get|curl|docker|docker-compose|jq|openssl|zip").await;
    fail(&copy, &path, &LACKING).await;
    let setup = copy.script_with("setup.sh", &[], &[("PATH", &path)]).await;
    assert_eq!(setup.status.code(), Some(1));
    for missing in ["curl is missing", "jq is missing", "openssl is missing", "Docker is missing"] {
        assert!(said(&setup).contains(missing), "{}", said(&setup));
    }
    assert!(!copy.folder.path().join(".env").exists());

    let folder = stand_in(&copy, "redis-server", "#!/bin/sh\necho 'Redis server v=6.0.16 sha=0 bits=64'\n");
    let path = format!("{}:{}", folder.display(), std::env::var_os("PATH").unwrap().display());
    fail(&copy, &path, &[("start.sh", &[], 1, "7.0 or newer is needed")]).await;
}

#[tokio::test]
async fn setup_again_keeps_what_is_there_and_interrupted_leaves_no_half_settings() {
    let (copy, path) = with_a_docker().await;
    let file = |name: &str| copy.folder.path().join(name);
    let ports = [free_port().unwrap().to_string(), free_port().unwrap().to_string()];
    let setup = async |arguments: &[&str], path: &str| {
        let environment =
            [("PATH", path), ("ATELIER_HTTP_PORT", &ports[0]), ("ATELIER_LINK_PORT", &ports[1])];
        copy.script_with("setup.sh", arguments, &environment).await
    };

    // The fourth setting is being looked for when the terminal goes away.
    let grep = "#!/bin/sh\ncase \"$*\" in *ATELIER_SERVER_NAME*) kill -TERM $PPID ;; esac\nPATH=/usr/bin:/bin exec grep \"$@\"\n";
    stand_in(&copy, "grep", grep);
    assert!(!setup(&[], &path).await.status.success());
    assert!(!names_in(&copy, ".").iter().any(|name| name.starts_with(".env.") && name != ".env.example"));
    assert!(!file(".env").exists(), "half of the settings are worse than none");
    std::fs::remove_file(file("stand-ins/grep")).unwrap();

    // Somebody's own file, whose last line does not end.
    std::fs::write(file(".env"), "ATELIER_LEASE_MS=5000").unwrap();
    let first = setup(&[], &path).await;
    assert!(first.status.success(), "{}", said(&first));
    let settings = std::fs::read_to_string(file(".env")).unwrap();
    for line in ["ATELIER_LEASE_MS=5000", "COMPOSE_PROJECT_NAME=atelier", "ATELIER_LISTEN=127.0.0.1"] {
        assert!(settings.lines().any(|one| one == line), "{line}: {settings}");
    }
    let kept = ["data/secrets/redis-url", "data/secrets/redis-users", "data/secret.key", "data/tls/tls.key"];
    let secrets = || kept.map(|name| std::fs::read(file(name)).unwrap());
    let before = secrets();
    assert!(before.iter().all(|secret| !secret.is_empty()));

    let other = setup(&["--name", "workshop.example.org"], &path).await;
    assert!(other.status.success(), "{}", said(&other));
    assert!(said(&other).contains("left as it is in .env: ATELIER_LISTEN=127.0.0.1"), "{}", said(&other));
    assert_eq!(std::fs::read_to_string(file(".env")).unwrap(), settings);
    assert!(secrets() == before, "a second setup makes no other secrets");

    for (profiles, image) in [("simulated,container-seats", "--with seats"), ("gpu", "--with gpu")] {
        let environment = [("PATH", path.as_str()), ("COMPOSE_PROFILES", profiles)];
        let start = copy.script_with("start-docker.sh", &[], &environment).await;
        assert_eq!(start.status.code(), Some(1), "{}", said(&start));
        assert!(complaint(&start).contains(image), "{}", said(&start));
    }
}
