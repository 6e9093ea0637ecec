//! The example workflows in `data/workflows`: each a whole graph as ComfyUI saves it, offered in every seat.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use testkit::process::repository;

fn files() -> BTreeMap<String, Value> {
    let folder = std::fs::read_dir(repository().join("data/workflows")).unwrap();
    let paths = folder.map(|entry| entry.unwrap().path());
    let json = paths.filter(|path| path.extension().is_some_and(|ending| ending == "json"));
    let read = |path: std::path::PathBuf| {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        (name, serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap())
    };
    json.map(read).collect()
}

fn numbers(list: &Value) -> Vec<i64> {
    list.as_array().into_iter().flatten().filter_map(Value::as_i64).collect()
}

#[test]
fn there_is_one_of_each_kind_and_no_two_share_an_id() {
    let files = files();
    let names: Vec<_> = files.keys().map(String::as_str).collect();
    let all = [
        "black-and-white",
        "image-to-video-ltx",
        "text-to-image-flux",
        "text-to-image-sd15",
        "text-to-video-ltx",
    ];
    assert_eq!(names, all);
    let ids: BTreeSet<_> = files.values().map(|workflow| workflow["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), files.len());
}

#[test]
fn every_link_of_every_example_is_named_at_both_of_its_ends() {
    for (name, workflow) in files() {
        let nodes: BTreeMap<i64, &Value> = workflow["nodes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|node| (node["id"].as_i64().unwrap(), node))
            .collect();
        assert_eq!(nodes.len(), workflow["nodes"].as_array().unwrap().len(), "{name}: ids are not unique");
        let links = workflow["links"].as_array().unwrap();
        for link in links {
            let [id, from, slot, to, input] = numbers(link)[..] else { panic!("{name}: {link}") };
            let at = |slot: i64| usize::try_from(slot).unwrap();
            let output = &nodes[&from]["outputs"][at(slot)];
            assert!(numbers(&output["links"]).contains(&id), "{name}: {link} is not at its beginning");
            let input = &nodes[&to]["inputs"][at(input)];
            assert_eq!(input["link"].as_i64(), Some(id), "{name}: {link} is not at its end");
            assert_eq!((&output["type"], &input["type"]), (&link[5], &link[5]), "{name}: {link}");
        }
        let ends = nodes.values().flat_map(|node| node["inputs"].as_array().unwrap());
        assert_eq!(ends.filter(|input| input["link"].is_i64()).count(), links.len(), "{name}");
        let classes: Vec<&str> = nodes.values().filter_map(|node| node["type"].as_str()).collect();
        assert_eq!(
            classes.iter().filter(|class| class.starts_with("Save")).count(),
            1,
            "{name} saves one thing"
        );
    }
}
