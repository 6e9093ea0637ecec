//! What the worker changes in a request before ComfyUI gets it.

use std::collections::HashSet;

use queue_protocol::JobId;
use serde_json::{Value, json};

/// Puts our ids into a request and an input that no node declares into every output node.
///
/// ComfyUI's cache does not look at hidden inputs: a second participant with the same graph would get the first one's
/// file with the first one's workflow in it. With the undeclared input output nodes run again; everything before them
/// stays cached.
pub(super) fn make_ours(body: &mut Value, job: JobId, output_classes: &HashSet<String>) {
    for node in body["prompt"].as_object_mut().into_iter().flat_map(|nodes| nodes.values_mut()) {
        let is_output = node["class_type"].as_str().is_some_and(|class| output_classes.contains(class));
        if let (true, Some(node)) = (is_output, node.as_object_mut()) {
            let inputs = node.entry("inputs").or_insert_with(|| json!({}));
            if let Some(inputs) = inputs.as_object_mut() {
                inputs.insert("atelier".to_owned(), json!(job));
            }
        }
    }
    body["client_id"] = json!(job);
    body["prompt_id"] = json!(job);
    let Some(fields) = body.as_object_mut() else {
        return;
    };
    // The order among jobs is the queue's; here only one runs.
    fields.remove("number");
    fields.remove("front");
    let extra = fields.entry("extra_data").or_insert_with(|| json!({}));
    if !extra.is_object() {
        *extra = json!({});
    }
    if extra["preview_method"].as_str().is_none_or(|method| method == "default") {
        extra["preview_method"] = json!("auto");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_shape_of_a_request_makes_it_panic() {
        let classes = HashSet::from(["SaveImage".to_owned()]);
        for mut body in [
            json!({"prompt": {"1": {"class_type": "SaveImage", "inputs": "x"}}, "extra_data": "x"}),
            json!({"prompt": {"1": {"class_type": "SaveImage"}, "2": 7}, "extra_data": [1]}),
            json!({"prompt": [], "extra_data": null}),
        ] {
            make_ours(&mut body, JobId::random(), &classes);
            assert_eq!(body["extra_data"]["preview_method"], "auto");
        }
    }

    #[test]
    fn only_output_nodes_get_the_cache_key() {
        let mut body = json!({
            "prompt": {
                "1": {"class_type": "EmptyImage", "inputs": {"width": 8}},
                "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0]}},
            },
            "number": -3, "front": true, "client_id": "tab", "partial_execution_targets": ["2"],
        });
        let job = JobId::random();
        make_ours(&mut body, job, &HashSet::from(["SaveImage".to_owned()]));
        assert_eq!(body["prompt"]["1"]["inputs"], json!({"width": 8}));
        assert_eq!(body["prompt"]["2"]["inputs"], json!({"images": ["1", 0], "atelier": job}));
        assert_eq!(body["client_id"], json!(job));
        assert_eq!(body["partial_execution_targets"], json!(["2"]));
        assert!(body.get("number").is_none() && body.get("front").is_none());
    }
}
