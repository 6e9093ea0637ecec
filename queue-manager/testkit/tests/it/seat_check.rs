//! The check of a graph before it is stored, held against what a real ComfyUI answered.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use testkit::{Person, WorkshopBuilder, graphs};

/// Prompts whose answer differs on purpose, by the captures' notes, and why.
const MEANT: [(&str, &str); 3] = [
    ("unknown class", "the words say that no GPU has it, instead of what to install"),
    ("no class_type", "the words also name the other format"),
    (
        "link to a missing node, node 4 fine",
        "the broken input itself is framed, where the real server frames its node for an exception",
    ),
];

fn captures() -> Vec<Value> {
    let folder = testkit::process::repository().join("queue-manager/simulated-comfyui/captures");
    ["03_no_client_and_shapes.jsonl", "05_validation_errors.jsonl"]
        .iter()
        .flat_map(|name| {
            let text = std::fs::read_to_string(folder.join(name)).unwrap();
            text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).collect::<Vec<_>>()
        })
        .filter(|line| line["kind"] == "http" && line["request"]["path"] == "/prompt")
        .filter(|line| line["request"]["method"] == "POST" && !line["request"]["json"].is_null())
        .collect()
}

fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().map(|fields| fields.keys().map(String::as_str).collect()).unwrap_or_default()
}

fn set(value: &Value) -> BTreeSet<&str> {
    value.as_array().unwrap().iter().map(|item| item.as_str().unwrap()).collect()
}

/// Reasons by input and kind; the words too, but where a value is looked up in the workshop's own lists.
fn reasons(entry: &Value) -> BTreeSet<String> {
    let reason = |reason: &Value| {
        let own_words =
            matches!(reason["type"].as_str(), Some("value_not_in_list" | "custom_validation_failed"));
        let mut fields = vec![reason["type"].to_string(), reason["extra_info"]["input_name"].to_string()];
        if !own_words {
            fields.extend([reason["message"].to_string(), reason["details"].to_string()]);
            fields.push(reason["extra_info"].to_string());
        }
        fields.push(format!("{:?}", keys(&reason["extra_info"])));
        fields.join(" ")
    };
    entry["errors"].as_array().unwrap().iter().map(reason).collect()
}

async fn submit(person: &Person, body: &Value) -> (u16, Value) {
    let answer = person.post(&format!("/{}/prompt", person.name), body).await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test]
async fn each_recorded_prompt_is_answered_as_the_real_server_did() {
    let workshop = WorkshopBuilder::new().start().await.unwrap();
    let ada = workshop.person("user001").unwrap();
    let mut refused = 0;
    for line in captures() {
        let note = line["note"].as_str().unwrap_or_default();
        let differs = MEANT.iter().any(|(meant, _)| *meant == note);
        let (status, answer) = submit(&ada, &line["request"]["json"]).await;
        let (expected, captured) = (&line["response"]["status"], &line["response"]["json"]);
        let title = format!("{note}: {}\nanswered {answer}", line["request"]["json"]);
        assert_eq!(status, *expected, "{title}");
        assert_eq!(keys(&answer), keys(captured), "{title}");
        for field in ["type", "details", "extra_info"] {
            assert_eq!(answer["error"][field], captured["error"][field], "{title}");
        }
        assert!(differs || answer["error"]["message"] == captured["error"]["message"], "{title}");
        assert_eq!(keys(&answer["node_errors"]), keys(&captured["node_errors"]), "{title}");
        for (node, entry) in answer["node_errors"].as_object().unwrap() {
            let theirs = &captured["node_errors"][node];
            assert_eq!(keys(entry), keys(theirs), "{title}");
            assert_eq!(entry["class_type"], theirs["class_type"], "{title}");
            assert_eq!(set(&entry["dependent_outputs"]), set(&theirs["dependent_outputs"]), "{title}");
            assert!(differs || reasons(entry) == reasons(theirs), "{title}\n{captured}");
        }
        refused += usize::from(status == 400);
    }
    assert_eq!(refused, 16, "the recordings hold as many refusals");
}

#[tokio::test]
async fn what_the_check_does_not_understand_passes() {
    let workshop = WorkshopBuilder::new().start().await.unwrap();
    let ada = workshop.person("user001").unwrap();
    let mut graph = graphs::sampled_picture(1, 1);
    graph["3"]["inputs"]["seed"] = json!(u64::MAX);
    graph["3"]["inputs"]["steps"] = json!(" 1 ");
    graph["3"]["inputs"]["cfg"] = json!({"__value__": 4});
    graph["6"]["inputs"]["text"] = json!(7);
    graph["9"]["inputs"]["nobody_declares"] = json!({"a": [1, 2, 3]});
    graph["9"]["_meta"] = json!("no title");
    let (status, answer) = submit(&ada, &json!({"prompt": graph})).await;
    assert_eq!((status, &answer["node_errors"]), (200, &json!({})), "{answer}");
}

#[tokio::test]
async fn what_is_fine_runs_and_the_rest_is_told() {
    let workshop = WorkshopBuilder::new().start().await.unwrap();
    let ada = workshop.person("user001").unwrap();
    let mut graph = graphs::white_picture();
    graph["7"] =
        json!({"class_type": "EmptyImage", "inputs": {"width": 0, "height": 8, "batch_size": 1, "color": 0}});
    graph["8"] = json!({"class_type": "PreviewImage", "inputs": {"images": ["7", 0]}});
    let (status, answer) = submit(&ada, &json!({"prompt": graph})).await;
    assert_eq!(status, 200);
    assert_eq!(answer["node_errors"]["7"]["errors"][0]["type"], "value_smaller_than_min");
    assert_eq!(answer["node_errors"]["7"]["dependent_outputs"], json!(["8"]));
    let job = ada.wait_for(answer["prompt_id"].as_str().unwrap(), "completed").await.unwrap();
    assert_eq!(job["outputs"].as_array().unwrap().len(), 1);
    // Asked for the broken one alone, nothing is left to run.
    let (status, answer) = submit(&ada, &json!({"prompt": graph, "partial_execution_targets": ["8"]})).await;
    assert_eq!((status, &answer["error"]["type"]), (400, &json!("prompt_outputs_failed_validation")));
}
