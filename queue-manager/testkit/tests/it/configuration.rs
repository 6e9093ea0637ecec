//! The page about settings says what the programs say.

use std::collections::BTreeSet;

use testkit::configuration::{Setting, WRITTEN_BY, example, page, programs, start_script};
use testkit::process::repository;

fn read(path: &str) -> String {
    std::fs::read_to_string(repository().join(path)).unwrap()
}

#[test]
fn the_page_and_the_example_are_what_the_programs_say() {
    let start_sh = read("scripts/start.sh");
    let same = read("docs/configuration.md") == page(&start_sh) && read(".env.example") == example(&start_sh);
    assert!(same, "docs/configuration.md or .env.example is not up to date; run: {WRITTEN_BY}");
}

#[test]
fn every_variable_has_our_prefix_a_text_and_one_meaning() {
    let start = start_script(&read("scripts/start.sh"));
    assert!(start.len() > 5, "the first lines of start.sh list its settings");
    let programs = programs();
    let all: Vec<&Setting> = programs.iter().flat_map(|program| &program.settings).chain(&start).collect();
    for setting in &all {
        let ours = setting.name.starts_with("ATELIER_") || setting.name == "CARGO_TARGET_DIR";
        assert!(ours, "{} has not our prefix", setting.name);
        assert!(setting.text.len() > 15, "{} says nothing", setting.name);
    }
    let short: BTreeSet<_> = all.iter().flat_map(|setting| &setting.short_names).copied().collect();
    for name in ["REDIS_HOST", "REDIS_PORT", "REDIS_PASSWORD", "QUEUE_MODE", "INFERENCE_PROVIDER"] {
        assert!(short.contains(name), "{name} is a name that people know");
    }
    for name in ["NUM_USERS", "NUM_WORKERS", "INFERENCE_PROVIDER"] {
        assert!(start.iter().any(|setting| setting.text.contains(name)), "start.sh knows {name}");
    }
}

#[test]
fn every_secret_can_be_in_a_file() {
    for program in programs() {
        let names: BTreeSet<_> = program.settings.iter().map(|setting| setting.name.as_str()).collect();
        for name in &names {
            let secret = ["_PASSWORD", "_TOKEN", "_SECRET", "_KEY"].iter().any(|end| name.ends_with(end));
            let has_file = names.contains(format!("{name}_FILE").as_str());
            assert!(!secret || has_file, "{name} of {} has no {name}_FILE", program.name);
        }
    }
}
