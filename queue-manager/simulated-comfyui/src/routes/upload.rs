//! `/upload/image` and `/upload/mask`.

use std::path::Path;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Multipart, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

use crate::folder::Kind;
use crate::png_file;
use crate::reply;
use crate::server::Simulator;

/// The parts of the form.
#[derive(Debug, Default)]
struct Form {
    image: Option<(String, Bytes)>,
    kind: Option<String>,
    subfolder: String,
    overwrite: bool,
    original: Value,
}

/// `POST /upload/image`
pub(crate) async fn image(State(simulator): State<Arc<Simulator>>, multipart: Multipart) -> Response {
    match read(multipart).await {
        Some(form) => store(&simulator, &form, None),
        None => reply::empty(StatusCode::BAD_REQUEST),
    }
}

/// `POST /upload/mask`: stores the picture of `original_ref` with the upload's transparency.
pub(crate) async fn mask(State(simulator): State<Arc<Simulator>>, multipart: Multipart) -> Response {
    let Some(form) = read(multipart).await else {
        return reply::empty(StatusCode::BAD_REQUEST);
    };
    match masked(&simulator, &form) {
        Some(bytes) => store(&simulator, &form, Some(&bytes)),
        None => reply::empty(StatusCode::BAD_REQUEST),
    }
}

async fn read(mut multipart: Multipart) -> Option<Form> {
    let mut form = Form::default();
    while let Some(field) = multipart.next_field().await.ok()? {
        let name = field.name().unwrap_or_default().to_owned();
        if name == "image" {
            let file = field.file_name().map(str::to_owned)?;
            form.image = Some((file, field.bytes().await.ok()?));
            continue;
        }
        let text = field.text().await.ok()?;
        match name.as_str() {
            "type" => form.kind = Some(text),
            "subfolder" => form.subfolder = text,
            "overwrite" => form.overwrite = matches!(text.as_str(), "true" | "1"),
            "original_ref" => form.original = serde_json::from_str(&text).unwrap_or_default(),
            _ => {}
        }
    }
    Some(form)
}

/// Stores the upload, or `instead` of it; an unknown type is an exception in the real server.
fn store(simulator: &Simulator, form: &Form, instead: Option<&[u8]>) -> Response {
    let Some(kind) = Kind::parse(form.kind.as_deref().unwrap_or("input")) else {
        return reply::trouble();
    };
    let Some((name, bytes)) = form.image.as_ref().filter(|(name, _)| !name.is_empty()) else {
        return reply::empty(StatusCode::BAD_REQUEST);
    };
    let bytes = instead.unwrap_or(bytes);
    let folder = simulator.folder.inside(kind, &form.subfolder);
    let Some(folder) = folder.filter(|_| !name.contains('/') && name != "..") else {
        return reply::empty(StatusCode::BAD_REQUEST);
    };
    match write(&folder, name, bytes, form.overwrite) {
        Ok(name) => reply::json(&json!({"name": name, "subfolder": form.subfolder, "type": kind.word()})),
        Err(_) => reply::trouble(),
    }
}

/// Same name and same bytes: nothing to do. Same name and other bytes: `name (1).png`, unless it may be overwritten.
fn write(folder: &Path, name: &str, bytes: &[u8], overwrite: bool) -> std::io::Result<String> {
    std::fs::create_dir_all(folder)?;
    let mut chosen = name.to_owned();
    let mut copies = 0;
    while !overwrite && folder.join(&chosen).exists() {
        if std::fs::read(folder.join(&chosen))? == bytes {
            return Ok(chosen);
        }
        copies += 1;
        chosen = match name.rsplit_once('.') {
            Some((stem, extension)) => format!("{stem} ({copies}).{extension}"),
            None => format!("{name} ({copies})"),
        };
    }
    std::fs::write(folder.join(&chosen), bytes)?;
    Ok(chosen)
}

/// The original picture with the transparency of the upload; one without any hides nothing.
fn masked(simulator: &Simulator, form: &Form) -> Option<Vec<u8>> {
    let original = &form.original;
    let kind = Kind::parse(original["type"].as_str().unwrap_or("output"))?;
    let subfolder = original["subfolder"].as_str().unwrap_or_default();
    let relative = match subfolder {
        "" => original["filename"].as_str()?.to_owned(),
        subfolder => format!("{subfolder}/{}", original["filename"].as_str()?),
    };
    let mut picture =
        png_file::decode(&std::fs::read(simulator.folder.inside(kind, &relative)?).ok()?).ok()?;
    let mask = png_file::decode(&form.image.as_ref()?.1).ok()?;
    let pixels = picture.width as usize * picture.height as usize;
    let same_size = (mask.width, mask.height) == (picture.width, picture.height);
    picture.alpha = mask.alpha.filter(|_| same_size).or_else(|| Some(vec![255; pixels]));
    png_file::encode(&picture, &[]).ok()
}
