//! `SaveImage` and `PreviewImage`: pictures into files that carry their graph.

use std::sync::Arc;

use serde_json::{Value, json};

use super::failure::Failure;
use super::job::Job;
use super::value::{Datum, Made};
use crate::folder::Kind;
use crate::picture::Picture;
use crate::{png_file, python_json};

/// Writes one file per picture and answers with their names.
pub(crate) fn save(
    job: &Job,
    kind: Kind,
    prefix: &str,
    pictures: &Arc<Vec<Picture>>,
) -> Result<Made, Failure> {
    let (width, height) = pictures.first().map_or((0, 0), |first| (first.width, first.height));
    let prefix = prefix.replace("%width%", &width.to_string()).replace("%height%", &height.to_string());
    let broken = |error: std::io::Error| Failure::runtime(error.to_string());
    let name = job.folder.save_name(kind, &prefix).map_err(broken)?;
    let name = name.ok_or_else(|| Failure::outside(&job.folder.of(kind), &prefix))?;
    let texts = texts(job);
    let mut files = Vec::new();
    for (batch, picture) in (0u32..).zip(pictures.iter()) {
        let stem = name.stem.replace("%batch_num%", &batch.to_string());
        let file = format!("{stem}_{:05}_.png", name.counter + batch);
        let bytes = png_file::encode(picture, &texts).map_err(|error| Failure::runtime(error.to_string()))?;
        std::fs::write(name.folder.join(&file), bytes).map_err(broken)?;
        files.push(json!({"filename": file, "subfolder": name.subfolder, "type": kind.word()}));
    }
    Ok(Made { slots: vec![Datum::Images(Arc::clone(pictures))], shown: Some(json!({"images": files})) })
}

/// The graph as `prompt`, then everything that the browser asked to embed.
fn texts(job: &Job) -> Vec<(String, String)> {
    let mut texts = vec![("prompt".to_owned(), python_json::dump(&job.graph))];
    if let Some(Value::Object(extra)) = &job.extra_pnginfo {
        texts.extend(extra.iter().map(|(key, value)| (key.clone(), python_json::dump(value))));
    }
    texts
}
