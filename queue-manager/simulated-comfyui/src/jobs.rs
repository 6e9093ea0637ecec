//! Jobs as `/api/jobs` shows them: one list of what waits, runs and is done.

use serde_json::{Map, Value, json};

use crate::history::{Ending, Entry};
use crate::queue::{Prompt, Queue};

/// The states, in the order in which the real server lists them.
pub(crate) const STATES: [&str; 5] = ["pending", "in_progress", "completed", "failed", "cancelled"];

/// All jobs, the running one first, then the waiting, then the finished ones.
pub(crate) fn all(queue: &Queue) -> Vec<Map<String, Value>> {
    queue.look(|running, waiting, history| {
        let running = running.into_iter().map(|prompt| unfinished(prompt, "in_progress"));
        let waiting = waiting.into_iter().map(|prompt| unfinished(prompt, "pending"));
        running.chain(waiting).chain(history.iter().map(finished)).collect()
    })
}

/// One job, with its outputs and its workflow once it is done.
pub(crate) fn one(queue: &Queue, id: &str) -> Option<Map<String, Value>> {
    queue.look(|running, waiting, history| {
        if let Some(prompt) = running.filter(|prompt| prompt.id == id) {
            return Some(unfinished(prompt, "in_progress"));
        }
        if let Some(prompt) = waiting.into_iter().find(|prompt| prompt.id == id) {
            return Some(unfinished(prompt, "pending"));
        }
        history.find(id).map(|entry| {
            let mut job = finished(entry);
            job.insert("outputs".to_owned(), entry.outcome.outputs.clone().into());
            job.insert("execution_status".to_owned(), entry.status_json());
            let workflow = json!({"prompt": entry.prompt.graph, "extra_data": entry.prompt.extra_data});
            job.insert("workflow".to_owned(), workflow);
            job
        })
    })
}

fn unfinished(prompt: &Prompt, status: &str) -> Map<String, Value> {
    let mut job = begun(prompt, status);
    job.insert("outputs_count".to_owned(), 0.into());
    add_workflow_id(&mut job, prompt);
    job
}

fn finished(entry: &Entry) -> Map<String, Value> {
    let interrupted = entry.message("execution_interrupted");
    let failed = entry.message("execution_error");
    let status = match (entry.outcome.ending, interrupted) {
        (Ending::Success, _) => "completed",
        (Ending::Error, Some(_)) => "cancelled",
        (Ending::Error, None) => "failed",
    };
    let mut job = begun(&entry.prompt, status);
    let end = interrupted.or(failed).or_else(|| entry.message("execution_success"));
    for (key, message) in
        [("execution_start_time", entry.message("execution_start")), ("execution_end_time", end)]
    {
        if let Some(message) = message {
            job.insert(key.to_owned(), message["timestamp"].clone());
        }
    }
    if let Some(error) = failed {
        job.insert("execution_error".to_owned(), error.clone());
    }
    let files = files(&entry.outcome.outputs);
    job.insert("outputs_count".to_owned(), files.len().into());
    let shown = files.iter().find(|file| file["type"] == "output").or(files.first());
    if let Some(shown) = shown.filter(|shown| shown["filename"].is_string()) {
        job.insert("preview_output".to_owned(), shown.clone());
    }
    add_workflow_id(&mut job, &entry.prompt);
    job
}

fn begun(prompt: &Prompt, status: &str) -> Map<String, Value> {
    let mut job = Map::new();
    job.insert("id".to_owned(), prompt.id.as_str().into());
    job.insert("status".to_owned(), status.into());
    job.insert("priority".to_owned(), prompt.number.clone().into());
    if let Some(time) = prompt.extra_data.get("create_time") {
        job.insert("create_time".to_owned(), time.clone());
    }
    job
}

fn add_workflow_id(job: &mut Map<String, Value>, prompt: &Prompt) {
    let id = prompt.extra_data.get("extra_pnginfo").map(|info| &info["workflow"]["id"]);
    if let Some(id) = id.filter(|id| id.is_string()) {
        job.insert("workflow_id".to_owned(), id.clone());
    }
}

/// Every output item, with the node and the kind it came from.
fn files(outputs: &Map<String, Value>) -> Vec<Value> {
    let mut files = Vec::new();
    for (node, shown) in outputs {
        for (kind, items) in shown.as_object().into_iter().flatten() {
            for item in items.as_array().into_iter().flatten() {
                let mut file = item.clone();
                if let Some(fields) = file.as_object_mut() {
                    fields.insert("nodeId".to_owned(), node.as_str().into());
                    fields.insert("mediaType".to_owned(), kind.as_str().into());
                }
                files.push(file);
            }
        }
    }
    files
}
