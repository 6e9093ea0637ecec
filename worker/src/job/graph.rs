//! What the worker changes in a request before ComfyUI gets it.

use std::collections::{BTreeMap, HashSet};

use queue_protocol::{JobId, Secret, WorkerName};
use serde_json::{Value, json};

/// This worker's folder in ComfyUI's input and output folders. Two instances on one box may share those, and both count
/// up the names of files: without it one participant would get a picture that another worker has just written.
pub(super) fn own_folder(worker: &WorkerName) -> String {
    format!("atelier/{worker}")
}

/// A job's folder in ComfyUI's output folder, which all jobs can read: nobody can guess the name of somebody else's.
fn job_folder(worker: &WorkerName, job: JobId) -> String {
    format!("{}/{job}", own_folder(worker))
}

/// A folder of ComfyUI's as the participant sees it: without this worker's own, and without the job's.
pub(super) fn shown_folder<'a>(worker: &WorkerName, subfolder: &'a str) -> &'a str {
    let rest = subfolder.strip_prefix("atelier").and_then(|rest| rest.strip_prefix(['/', '\\']));
    match rest.and_then(|rest| rest.strip_prefix(worker.as_str())) {
        Some("") => "",
        Some(rest) => rest.strip_prefix(['/', '\\']).map_or(subfolder, without_job),
        None => subfolder,
    }
}

fn without_job(folder: &str) -> &str {
    let (first, rest) = folder.split_once(['/', '\\']).unwrap_or((folder, ""));
    if first.parse::<JobId>().is_ok() { rest } else { folder }
}

/// Where an output node is to put its files, in its job's folder. A prefix that leads elsewhere is ComfyUI's to refuse;
/// one from a picture that a worker made names the folder of the job that made it.
fn own_prefix(worker: &WorkerName, job: JobId, prefix: &str) -> Option<String> {
    let of_a_worker = prefix.strip_prefix("atelier/").and_then(|rest| rest.split_once('/'));
    let prefix = of_a_worker.map_or(prefix, |(_, rest)| without_job(rest));
    let leads_elsewhere =
        prefix.starts_with(['/', '\\']) || prefix.split(['/', '\\']).any(|part| part == "..");
    (!prefix.is_empty() && !leads_elsewhere).then(|| format!("{}/{prefix}", job_folder(worker, job)))
}

/// The prefix of a node that has none, or whose prefix another node computes: where that leads cannot be known here.
const PREFIX: &str = "ComfyUI";

/// Puts our ids into a request, an input that no node declares into every output node, and its files into this job's
/// folder.
///
/// ComfyUI's cache does not look at hidden inputs: a second participant with the same graph would get the first one's
/// file with the first one's workflow in it. With the undeclared input output nodes run again; everything before them
/// stays cached.
pub(super) fn make_ours(body: &mut Value, job: JobId, worker: &WorkerName, output_classes: &HashSet<String>) {
    for node in body["prompt"].as_object_mut().into_iter().flat_map(|nodes| nodes.values_mut()) {
        let is_output = node["class_type"].as_str().is_some_and(|class| output_classes.contains(class));
        if let (true, Some(node)) = (is_output, node.as_object_mut()) {
            let inputs = node.entry("inputs").or_insert_with(|| json!({}));
            if let Some(inputs) = inputs.as_object_mut() {
                inputs.insert("atelier".to_owned(), json!(job));
                let prefix = inputs.entry("filename_prefix").or_insert_with(|| json!(PREFIX));
                let text = prefix.get("__value__").unwrap_or(prefix).as_str().unwrap_or(PREFIX);
                if let Some(own) = own_prefix(worker, job, text) {
                    *prefix = json!(own);
                }
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

/// The keys of paid nodes to where ComfyUI looks for them.
pub(super) fn add_keys(body: &mut Value, keys: &BTreeMap<String, Secret>) {
    for (name, key) in keys {
        body["extra_data"][name] = json!(key.expose());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worker() -> WorkerName {
        "gpu-1".parse().unwrap()
    }

    #[test]
    fn files_of_two_workers_never_meet_and_nobody_sees_the_folder() {
        let (job, other) = (JobId::random(), JobId::random());
        for (prefix, own, shown) in [
            ("ComfyUI", "ComfyUI", ""),
            ("films/take", "films/take", "films"),
            ("atelier/gpu-2/films/take", "films/take", "films"),
            (&format!("atelier/gpu-2/{other}/films/take"), "films/take", "films"),
        ] {
            let ours = own_prefix(&worker(), job, prefix).unwrap();
            assert_eq!(ours, format!("atelier/gpu-1/{job}/{own}"));
            let (subfolder, _) = ours.rsplit_once('/').unwrap();
            assert_eq!(shown_folder(&worker(), subfolder), shown);
            assert_eq!(shown_folder(&worker(), &subfolder.replace('/', "\\")), shown);
        }
        for elsewhere in ["/etc/x", "../x", "a/../../x", "", "\\\\host\\x"] {
            assert_eq!(own_prefix(&worker(), job, elsewhere), None, "{elsewhere}");
        }
        assert_eq!(shown_folder(&worker(), "atelier/gpu-10"), "atelier/gpu-10");
        assert_eq!(shown_folder(&worker(), "films"), "films");
    }

    #[test]
    fn no_shape_of_a_request_makes_it_panic() {
        let classes = HashSet::from(["SaveImage".to_owned()]);
        for mut body in [
            json!({"prompt": {"1": {"class_type": "SaveImage", "inputs": "x"}}, "extra_data": "x"}),
            json!({"prompt": {"1": {"class_type": "SaveImage"}, "2": 7}, "extra_data": [1]}),
            json!({"prompt": [], "extra_data": null}),
        ] {
            make_ours(&mut body, JobId::random(), &worker(), &classes);
            assert_eq!(body["extra_data"]["preview_method"], "auto");
        }
    }

    #[test]
    fn only_output_nodes_get_the_cache_key_and_the_folder() {
        let mut body = json!({
            "prompt": {
                "1": {"class_type": "EmptyImage", "inputs": {"width": 8}},
                "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "x"}},
                "3": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": ["4", 0]}},
            },
            "number": -3, "front": true, "client_id": "tab", "partial_execution_targets": ["2"],
        });
        let job = JobId::random();
        make_ours(&mut body, job, &worker(), &HashSet::from(["SaveImage".to_owned()]));
        assert_eq!(body["prompt"]["1"]["inputs"], json!({"width": 8}));
        assert_eq!(
            body["prompt"]["2"]["inputs"],
            json!({"images": ["1", 0], "filename_prefix": format!("atelier/gpu-1/{job}/x"), "atelier": job})
        );
        let computed = &body["prompt"]["3"]["inputs"]["filename_prefix"];
        assert_eq!(
            *computed,
            json!(format!("atelier/gpu-1/{job}/ComfyUI")),
            "nobody knows where a link leads"
        );
        assert_eq!(body["client_id"], json!(job));
        assert_eq!(body["partial_execution_targets"], json!(["2"]));
        assert!(body.get("number").is_none() && body.get("front").is_none());
    }
}
