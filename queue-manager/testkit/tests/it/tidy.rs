//! The house rules, held by a test.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use queue_protocol::JobState;
use testkit::process::repository;

fn files(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !matches!(name.as_str(), "target" | "data" | ".git") {
            files(&path, ending, found);
        } else if name.ends_with(ending) {
            found.push(path);
        }
    }
}

fn all(ending: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    files(&repository(), ending, &mut found);
    found.sort();
    found.into_iter().map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect()
}

#[test]
fn every_source_file_says_what_it_is_for_and_none_is_a_wall() {
    for (path, text) in all(".rs") {
        assert!(text.starts_with("//! "), "{} has no first line that says what it is for", path.display());
        assert!(text.lines().count() <= 400, "{} is longer than 400 lines", path.display());
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        assert!(
            !["utils", "util", "common", "helpers", "helper", "misc", "inner"].contains(&name.as_str()),
            "{} needs a name that says what it is",
            path.display()
        );
    }
}

#[test]
fn only_the_broker_depends_on_redis_and_only_the_dashboard_on_askama() {
    let may_not: &[(&str, &[&str])] = &[
        ("queue-manager/protocol", &["tokio", "axum", "redis", "reqwest", "askama"]),
        ("queue-manager/broker", &["axum", "askama", "reqwest"]),
        ("queue-manager/client", &["redis", "axum", "askama", "queue-broker"]),
        ("queue-manager", &["redis", "askama", "queue-client"]),
        ("worker", &["redis", "axum", "askama", "queue-broker", "queue-manager"]),
        ("admin", &["redis", "queue-broker", "queue-manager"]),
        (
            "queue-manager/simulated-comfyui",
            &["redis", "askama", "queue-broker", "queue-client", "queue-manager"],
        ),
    ];
    for (folder, forbidden) in may_not {
        let manifest = std::fs::read_to_string(repository().join(folder).join("Cargo.toml")).unwrap();
        let dependencies: BTreeSet<_> =
            manifest.lines().filter_map(|line| line.split(['.', ' ', '=']).next()).collect();
        for name in *forbidden {
            assert!(!dependencies.contains(name), "{folder} must not know {name}");
        }
        assert!(!dependencies.contains("testkit"), "{folder} ships, testkit does not");
    }
}

#[test]
fn every_script_says_its_keys_and_arguments_and_is_called_and_tested() {
    let code: String = all(".rs").into_iter().map(|(_, text)| text).collect();
    let tests: String = all(".rs")
        .into_iter()
        .filter(|(p, _)| p.iter().any(|part| part == "tests"))
        .map(|(_, t)| t)
        .collect();
    for (path, text) in all(".lua") {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        if path.iter().any(|part| part == "shared") {
            continue;
        }
        let (header, body): (Vec<_>, Vec<_>) = text.lines().partition(|line| line.starts_with("--"));
        let (header, body) = (header.join("\n"), body.join("\n"));
        assert!(
            header.contains("KEYS[1]") && header.contains("ARGV[1]") && header.contains("Answers"),
            "{name}"
        );
        for part in body.split("ARGV[").skip(1) {
            let Ok(number) = part.split(']').next().unwrap().parse::<u32>() else {
                continue;
            };
            let open = header.contains("..]");
            assert!(
                open || header.contains(&format!("ARGV[{number}]")),
                "{name}.lua does not say what ARGV[{number}] is"
            );
        }
        let call = [format!("script!(\"{name}\")"), format!("script!(\"transitions/{name}\")")];
        assert!(call.iter().any(|call| code.contains(call)), "{name}.lua has no caller");
        let verb = match name.as_str() {
            "change" => ".change_account(".to_owned(),
            "open" => "fresh_workshop".to_owned(),
            "frame" => ".publish(".to_owned(),
            "room" => ".positions(".to_owned(),
            "record" => ".record_deed(".to_owned(),
            "move" => ".move_to(".to_owned(),
            "drain" => ".order_worker(".to_owned(),
            "send" => ".take_alert(".to_owned(),
            verb => format!(".{verb}("),
        };
        let workers = ["attend", "leave"].contains(&name.as_str());
        assert!(workers || tests.contains(&verb), "{name}.lua has no test");
    }
}

#[test]
fn the_diagram_of_a_jobs_life_is_the_state_table() {
    let mut lines =
        vec!["```mermaid".to_owned(), "stateDiagram-v2".to_owned(), "    [*] --> pending".to_owned()];
    for from in JobState::ALL {
        for to in JobState::ALL.into_iter().filter(|to| from.may_become(*to)) {
            lines.push(format!("    {from} --> {to}"));
        }
    }
    lines.extend(JobState::ALL.iter().filter(|state| state.is_end()).map(|end| format!("    {end} --> [*]")));
    lines.push("```".to_owned());
    let page = std::fs::read_to_string(repository().join("docs/job-lifecycle.md")).unwrap();
    assert!(page.contains(&lines.join("\n")), "docs/job-lifecycle.md must hold:\n{}", lines.join("\n"));
}

#[test]
fn the_file_of_container_seats_is_what_its_script_writes() {
    let script = std::process::Command::new("scripts/generate-users.sh")
        .arg("--print")
        .current_dir(repository())
        .output();
    let made = String::from_utf8(script.unwrap().stdout).unwrap();
    let kept = std::fs::read_to_string(repository().join("docker-compose.users.yml")).unwrap();
    assert!(kept == made, "docker-compose.users.yml is not up to date; run: scripts/generate-users.sh");
    for user in 1..=20 {
        assert!(kept.contains(&format!("\n  seat-user{user:03}:\n")), "user{user:03} has no seat");
    }
}
