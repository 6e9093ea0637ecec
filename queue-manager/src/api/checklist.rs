//! `GET /checklist`: what must be there before people come.

use axum::Json;
use axum::extract::State;
use queue_broker::Broker;
use queue_protocol::FileHash;
use queue_protocol::api::{Check, Checklist, Role, TemplateCheck, Worker, WorkerLacks};

use crate::app::App;
use crate::capabilities::Capabilities;
use crate::problem::Trouble;
use crate::workflow::needs::Requirements;

fn check(name: &str, good: bool, detail: String) -> Check {
    Check { name: name.to_owned(), good, detail }
}

pub(crate) async fn show(State(app): State<App>) -> Result<Json<Checklist>, Trouble> {
    let broker = &app.broker;
    let mut workers = broker.worker_list().await?;
    workers.sort_by(|a, b| a.name.cmp(&b.name));
    let here: Vec<_> = workers.iter().filter(|worker| worker.active).collect();
    let status = broker.status().await?;
    let mut checks = vec![store(broker).await, workers_here(&here)];
    checks.push(check(
        "A job ran",
        status.completed_jobs > 0,
        match status.completed_jobs {
            0 => "None has ended well yet. Run one in your own seat.".to_owned(),
            n => format!("{n} ended well."),
        },
    ));
    let people = broker.accounts().await?;
    let participants = people.iter().filter(|account| account.role == Role::Participant).count();
    checks.push(check(
        "People",
        participants > 0,
        match participants {
            0 => "Nobody has an account yet. Add people under People, and print their cards.".to_owned(),
            n => format!("{n} participants have an account."),
        },
    ));
    let frontend = app.config.frontend.join("index.html").is_file();
    let seats = if frontend {
        "ComfyUI's frontend is served."
    } else {
        "The frontend is missing, so seats are the plain page: run scripts/fetch-frontend.sh."
    };
    checks.push(check("Seats", frontend, seats.to_owned()));
    Ok(Json(Checklist { checks, templates: templates(&app, &here).await? }))
}

async fn store(broker: &Broker) -> Check {
    match broker.ping().await {
        Ok(()) => check("Redis", true, "The queue store answers.".to_owned()),
        Err(error) => check("Redis", false, error.to_string()),
    }
}

fn workers_here(here: &[&Worker]) -> Check {
    let names: Vec<_> = here.iter().map(|worker| worker.name.as_str()).collect();
    let dead = here.iter().filter(|worker| !worker.comfyui_alive).count();
    match (here.len(), dead) {
        (0, _) => {
            check("Workers", false, "No worker is connected. Jobs are accepted and will wait.".to_owned())
        }
        (_, 0) => check("Workers", true, format!("{} connected.", names.join(", "))),
        (_, dead) => {
            check("Workers", false, format!("{dead} of {} have a ComfyUI that does not answer.", here.len()))
        }
    }
}

async fn templates(app: &App, here: &[&Worker]) -> Result<Vec<TemplateCheck>, Trouble> {
    let kinds: Vec<(&Worker, Option<FileHash>)> = {
        let fields: std::collections::HashMap<_, _> = app.broker.workers().await?.into_iter().collect();
        let kind = |worker: &Worker| fields.get(&worker.name)?.get("object_info")?.parse().ok();
        here.iter().map(|worker| (*worker, kind(worker))).collect()
    };
    let mut found = Vec::new();
    let Ok(mut folder) = tokio::fs::read_dir(&app.config.seats.workflows).await else {
        return Ok(found);
    };
    while let Some(item) = folder.next_entry().await? {
        let file = item.file_name().into_string().unwrap_or_default();
        let Some(name) = file.strip_suffix(".json") else { continue };
        let json = tokio::fs::read(item.path()).await?;
        let Ok(workflow) = serde_json::from_slice::<serde_json::Value>(&json) else { continue };
        let needs = needs_of(&workflow);
        let mut workers = Vec::new();
        for (worker, kind) in &kinds {
            workers.push(WorkerLacks {
                worker: worker.name.clone(),
                lacks: lacks(&app.capabilities, kind.as_ref(), &needs).await?,
            });
        }
        found.push(TemplateCheck { name: name.to_owned(), workers });
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

async fn lacks(
    capabilities: &Capabilities,
    kind: Option<&FileHash>,
    needs: &Requirements,
) -> Result<Vec<String>, Trouble> {
    match kind {
        Some(kind) => needs.lacking(capabilities, std::slice::from_ref(kind)).await,
        None => Ok(vec!["its description".to_owned()]),
    }
}

/// Classes and models of a workflow as the editor saves it (`nodes`), or in API format.
fn needs_of(workflow: &serde_json::Value) -> Requirements {
    let empty = Vec::new();
    let graph = workflow["nodes"].as_array().unwrap_or(&empty);
    let mut nodes: Vec<&str> = graph.iter().filter_map(|node| node["type"].as_str()).collect();
    let values = graph.iter().flat_map(|node| node["widgets_values"].as_array().into_iter().flatten());
    let mut models: Vec<&str> = values.filter_map(|value| value.as_str()).collect();
    for node in workflow.as_object().into_iter().flat_map(serde_json::Map::values) {
        if let Some(class) = node["class_type"].as_str() {
            nodes.push(class);
            models.extend(
                node["inputs"]
                    .as_object()
                    .into_iter()
                    .flat_map(|all| all.values())
                    .filter_map(|v| v.as_str()),
            );
        }
    }
    models.retain(|text| crate::workflow::needs::is_model(text));
    // What the editor draws and no worker runs.
    nodes.retain(|class| !matches!(*class, "Note" | "MarkdownNote" | "Reroute" | "PrimitiveNode"));
    let owned = |names: Vec<&str>| names.into_iter().map(str::to_owned).collect();
    Requirements { nodes: owned(nodes), models: owned(models) }
}
