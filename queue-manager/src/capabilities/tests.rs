//! What is known of workers, asked of a few classes.

use super::*;
use crate::workflow::{Graph, Refusal};

fn info() -> ObjectInfo {
    ObjectInfo::read(
        br#"{"LoadImage":{"output_node":false,"input":{"required":{
                "image":[["someone-elses.png"],{"image_upload":true}]}}},
            "Loader":{"output_node":false,"input":{"required":{
                "ckpt_name":["COMBO",{"options":["a.safetensors"]}]}}},
            "LoraLoader":{"output_node":false,"python_module":"nodes","input":{"required":{"lora_name":[[]]}}},
            "Theirs":{"output_node":false,"python_module":"custom_nodes.x","input":{"required":{"model":[[]]}}},
            "SaveImage":{"output_node":true,"input":{"required":{}}}}"#,
    )
    .unwrap()
}

fn check(graph: &str) -> Result<(), Refusal> {
    let raw = serde_json::value::RawValue::from_string(graph.to_owned()).unwrap();
    Known(vec![Arc::new(info())]).check(&Graph::read(&raw).unwrap(), None).map(|_| ())
}

#[test]
fn nobody_sees_the_workers_or_anyone_elses_inputs() {
    let shown = Known(vec![Arc::new(info())]).object_info(&["mine.png".to_owned()]);
    let text = serde_json::to_string(&shown).unwrap();
    assert!(text.contains("mine.png") && !text.contains("someone-elses"));
}

#[test]
fn what_no_worker_has_is_refused_at_once() {
    let save = r#""9":{"class_type":"SaveImage"}"#;
    assert_eq!(check(&format!("{{{save}}}")), Ok(()));
    let unknown = check(r#"{"1":{"class_type":"Nope"}}"#).unwrap_err();
    assert_eq!(unknown.code(), "missing_node_type");
    let loader = r#""1":{"class_type":"Loader","inputs":{"ckpt_name":"b.safetensors"}}"#;
    let missing = check(&format!("{{{loader},{save}}}")).unwrap_err();
    assert_eq!(missing.node_errors()["1"]["errors"][0]["type"], "value_not_in_list");
    let none = r#""1":{"class_type":"LoraLoader","inputs":{"lora_name":"b.safetensors"}}"#;
    let missing = check(&format!("{{{none},{save}}}")).unwrap_err();
    assert_eq!(missing.node_errors()["1"]["errors"][0]["type"], "value_not_in_list", "no GPU has any");
    let theirs = r#""1":{"class_type":"Theirs","inputs":{"model":"b.safetensors"}}"#;
    assert_eq!(check(&format!("{{{theirs},{save}}}")), Ok(()), "their own list, their own check");
    assert_eq!(check(r#"{"1":{"class_type":"LoadImage"}}"#), Err(Refusal::NoOutputs));
}

#[test]
fn only_nodes_that_say_so_are_given_keys() {
    let asks = |known: &Known, class: &str| {
        let graph = format!(r#"{{"1":{{"class_type":"{class}"}}}}"#);
        let raw = serde_json::value::RawValue::from_string(graph).unwrap();
        known.asks_for_keys(&Graph::read(&raw).unwrap())
    };
    let known = Known::from_json(&[r#"{
        "Older": {"input": {"required": {}, "hidden": {"key": "API_KEY_COMFY_ORG", "prompt": "PROMPT"}}},
        "Newer": {"input": {"hidden": {"auth_token_comfy_org": ["AUTH_TOKEN_COMFY_ORG"]}}},
        "SaveImage": {"input": {"required": {"key": ["STRING"]}, "hidden": {"prompt": "PROMPT"}}},
        "Bare": {}
    }"#]);
    assert!(asks(&known, "Older") && asks(&known, "Newer"));
    assert!(!asks(&known, "SaveImage") && !asks(&known, "Bare"));
    assert!(asks(&Known::default(), "SaveImage"), "nobody knows");
}
