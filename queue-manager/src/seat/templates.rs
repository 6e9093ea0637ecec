//! `workflow_templates`: the workshop's example workflows, which every seat offers in the frontend's template dialog
//! as those of a node pack.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::container::{self, Containers};
use super::input::Named;
use crate::identity::Caller;
use crate::problem::SeatTrouble;

/// The node pack under which the dialog shows them, and the `source` of an address that opens one.
const PACK: &str = "workshop";

/// The folder of example workflows; it may be missing.
#[derive(Debug, Clone)]
pub(crate) struct Templates {
    folder: PathBuf,
    first: Option<Arc<str>>,
}

impl Templates {
    /// Over a folder, with the name of the one that a first visit opens.
    pub(crate) fn new(folder: &Path, first: Option<&str>) -> Self {
        Self { folder: folder.to_owned(), first: first.map(Arc::from) }
    }

    /// The query by which the frontend opens the default workflow; `None` when it starts with its own.
    pub(super) fn first_visit(&self) -> Option<String> {
        self.first.as_ref().map(|name| format!("template={name}&source={PACK}"))
    }

    async fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        let mut items = match tokio::fs::read_dir(&self.folder).await {
            Ok(items) => items,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(names),
            Err(error) => return Err(error),
        };
        while let Some(item) = items.next_entry().await? {
            let name = item.file_name().into_string().unwrap_or_default();
            names.extend(name.strip_suffix(".json").filter(|name| !name.starts_with('.')).map(str::to_owned));
        }
        names.sort();
        Ok(names)
    }
}

/// The workshop's, and in a container seat those of its own node packs.
pub(super) async fn list(
    State(templates): State<Templates>,
    State(containers): State<Containers>,
    caller: Caller,
) -> Result<Json<Value>, SeatTrouble> {
    let mut packs = container::templates(&containers, &caller.name).await;
    let names = templates.names().await?;
    packs.remove(PACK);
    if !names.is_empty() {
        packs.insert(PACK.to_owned(), json!(names));
    }
    Ok(Json(packs.into()))
}

/// `NAME.json`, the workflow, or `NAME.jpg`, its picture in the dialog.
pub(super) async fn file(
    State(templates): State<Templates>,
    containers: State<Containers>,
    Named((pack, file)): Named<(String, String)>,
    caller: Caller,
    request: Request,
) -> Result<Response, SeatTrouble> {
    if pack != PACK && containers.has(&caller.name) {
        return container::forward(containers, caller, request).await;
    }
    let known = templates.names().await?;
    let Some((name, ending)) = file.rsplit_once('.').filter(|(name, _)| known.iter().any(|one| one == name))
    else {
        return Ok(StatusCode::NOT_FOUND.into_response());
    };
    let kind = match (pack.as_str(), ending) {
        (PACK, "json") => "application/json",
        (PACK, "jpg") => "image/jpeg",
        _ => return Ok(StatusCode::NOT_FOUND.into_response()),
    };
    match tokio::fs::read(templates.folder.join(&file)).await {
        Ok(bytes) => Ok(([(header::CONTENT_TYPE, kind), NO_CACHE], bytes).into_response()),
        Err(error) if error.kind() == io::ErrorKind::NotFound && ending == "jpg" => {
            Ok(([(header::CONTENT_TYPE, "image/svg+xml"), NO_CACHE], picture_of(name)).into_response())
        }
        Err(error) => Err(error.into()),
    }
}

const NO_CACHE: (header::HeaderName, &str) = (header::CACHE_CONTROL, "no-cache");

/// Three nodes and their links, in a colour of their own for each name: the dialog draws a broken picture otherwise.
fn picture_of(name: &str) -> String {
    let hue = name.bytes().fold(7_u32, |sum, byte| (sum * 31 + u32::from(byte)) % 360);
    format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 320 320"><rect width="320" height="320" fill="hsl({hue},30%,18%)"/><g fill="none" stroke="hsl({hue},60%,65%)" stroke-width="4"><path d="M110 110C150 110 130 190 170 190M230 190C270 190 200 90 240 90"/></g><g fill="hsl({hue},45%,45%)"><rect x="40" y="80" width="70" height="60" rx="8"/><rect x="165" y="160" width="70" height="60" rx="8"/><rect x="215" y="60" width="70" height="60" rx="8"/></g></svg>"#
    )
}

/// The frontend's own template package is hundreds of megabytes and not served: its lists are empty.
pub(super) async fn package(Named(file): Named) -> Response {
    match file.as_str() {
        "index_logo.json" => Json(json!({})).into_response(),
        // How the dialog searches: its own way.
        "fuse_options.json" => Json(Value::Null).into_response(),
        list if list.strip_suffix(".json").is_some_and(|name| name.starts_with("index")) => {
            Json(json!([])).into_response()
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}
