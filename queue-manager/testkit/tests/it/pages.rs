//! The pages for people: what they link to is there, and the checklists name scripts and commands that exist.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use testkit::process::{our_program, repository};
use tokio::process::Command;

fn pages() -> Vec<(PathBuf, String)> {
    let root = repository();
    let in_docs = std::fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let mut pages: Vec<_> =
        in_docs.filter(|path| path.extension().is_some_and(|ending| ending == "md")).collect();
    pages.extend(["README.md", "SECURITY.md", "data/README.md"].map(|name| root.join(name)));
    pages.into_iter().map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect()
}

/// The headings of a page, as they are linked to.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings =
        text.lines().filter_map(|line| line.strip_prefix('#')).map(|line| line.trim_start_matches('#'));
    let anchor = |heading: &str| -> String {
        let kept = heading.trim().to_lowercase();
        kept.chars()
            .filter(|c| c.is_alphanumeric() || " -_".contains(*c))
            .collect::<String>()
            .replace(' ', "-")
    };
    headings.map(anchor).collect()
}

#[test]
fn every_link_of_a_page_leads_to_something() {
    for (page, text) in pages() {
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { page.clone() } else { page.parent().unwrap().join(file) };
            assert!(target.exists(), "{} links to {link}", page.display());
            let there = || anchors(&std::fs::read_to_string(&target).unwrap());
            assert!(anchor.is_empty() || there().contains(anchor), "{} links to {link}", page.display());
        }
    }
}

/// Words behind `marker` in all pages, up to what cannot be part of a name.
fn named(pages: &[(PathBuf, String)], marker: &str) -> BTreeSet<String> {
    let part = |rest: &str| {
        rest.split(|c: char| !c.is_ascii_alphanumeric() && !"-._ ".contains(c)).next().map(str::to_owned)
    };
    pages.iter().flat_map(|(_, text)| text.split(marker).skip(1)).filter_map(part).collect()
}

#[tokio::test]
async fn every_command_that_a_page_names_is_there() {
    let pages = pages();
    for script in named(&pages, "scripts/") {
        let file = script.split(' ').next().unwrap().trim_end_matches('.');
        let is_script = Path::new(file).extension().is_some_and(|ending| ending == "sh");
        assert!(!is_script || repository().join("scripts").join(file).exists(), "scripts/{file}");
    }
    let programs = our_program("queue-manager").unwrap();
    let verbs: BTreeSet<(String, String)> = named(&pages, "queue-manager ")
        .iter()
        .filter_map(|rest| {
            let mut words = rest.split(' ');
            Some((words.next()?.to_owned(), words.next()?.to_owned()))
        })
        .filter(|(noun, _)| ["user", "token", "config"].contains(&noun.as_str()))
        .collect();
    assert!(verbs.len() > 6, "{verbs:?}");
    for (noun, verb) in verbs {
        let help =
            Command::new(&programs).args([noun.as_str(), verb.as_str(), "--help"]).output().await.unwrap();
        assert!(help.status.success(), "queue-manager {noun} {verb}");
    }
}
