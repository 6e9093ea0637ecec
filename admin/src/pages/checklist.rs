//! The checklist of a first run.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use queue_client::api::Api;
use queue_protocol::api::{Check, Checklist, TemplateCheck};

use super::{Failed, Layout, Visitor, render};

#[derive(Template)]
#[template(path = "pages/checklist.html")]
struct ChecklistPage {
    layout: Layout,
    checks: Vec<Check>,
    workers: Vec<String>,
    templates: Vec<TemplateCheck>,
}

pub(crate) async fn page(
    State(api): State<Api>,
    layout: Layout,
    Visitor(token): Visitor,
) -> Result<Response, Failed> {
    let list: Checklist = layout.or(api.get(&token, "/checklist").await)?;
    let workers = list.templates.first().map(|template| &template.workers);
    Ok(render(&ChecklistPage {
        workers: workers.into_iter().flatten().map(|worker| worker.worker.to_string()).collect(),
        checks: list.checks,
        templates: list.templates,
        layout,
    }))
}
