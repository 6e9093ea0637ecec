//! `upload/image`: a file into one's own inputs.

use axum::Json;
use axum::extract::multipart::{Field, MultipartError};
use axum::extract::{Multipart, State};
use axum::http::StatusCode;
use queue_protocol::limits;
use serde_json::{Value, json};

use crate::files::Files;
use crate::files::inputs::Input;
use crate::identity::Caller;
use crate::problem::{SeatTrouble, Trouble};

fn broken(error: &MultipartError) -> Trouble {
    match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Trouble::TooLarge(limits::UPLOAD),
        _ => Trouble::BadRequest(error.body_text()),
    }
}

/// The form's fields come in any order; browsers send the file first.
#[derive(Default)]
struct Form {
    file: Option<(String, Input)>,
    kind: Option<String>,
    subfolder: String,
    overwrite: bool,
}

/// A text field of at most a kilobyte: a path and no more.
async fn short_text(mut field: Field<'_>) -> Result<String, Trouble> {
    let mut text = Vec::new();
    while let Some(chunk) = field.chunk().await.map_err(|error| broken(&error))? {
        text.extend_from_slice(&chunk);
        if text.len() > 1_024 {
            return Err(Trouble::BadRequest("A field of this form is too long.".to_owned()));
        }
    }
    String::from_utf8(text).map_err(|_| Trouble::BadRequest("A field of this form is no text.".to_owned()))
}

async fn read(files: &Files, caller: &Caller, mut fields: Multipart) -> Result<Form, Trouble> {
    let mut form = Form::default();
    while let Some(field) = fields.next_field().await.map_err(|error| broken(&error))? {
        match field.name() {
            Some("image") => {
                let name = field.file_name().unwrap_or_default().to_owned();
                let input = files.receive_input(&caller.name, limits::UPLOAD, field).await?;
                form.file = Some((name, input));
            }
            Some("type") => form.kind = Some(short_text(field).await?),
            Some("subfolder") => form.subfolder = short_text(field).await?,
            Some("overwrite") => {
                let text = short_text(field).await?;
                form.overwrite = matches!(text.as_str(), "true" | "1");
            }
            _ => {}
        }
    }
    Ok(form)
}

pub(super) async fn image(
    State(files): State<Files>,
    caller: Caller,
    fields: Multipart,
) -> Result<Json<Value>, SeatTrouble> {
    let form = read(&files, &caller, fields).await?;
    let missing = || Trouble::BadRequest("The form has no file in its field image.".to_owned());
    let (name, input) = form.file.filter(|(name, _)| !name.is_empty()).ok_or_else(missing)?;
    let subfolder = form.subfolder.trim_matches('/');
    let wanted = if subfolder.is_empty() { name } else { format!("{subfolder}/{name}") };
    let given = files.name_input(&caller.name, &wanted, form.overwrite, &input).await?;
    let (subfolder, name) = given.rsplit_once('/').unwrap_or(("", &given));
    let kind = form.kind.unwrap_or_else(|| "input".to_owned());
    Ok(Json(json!({"name": name, "subfolder": subfolder, "type": kind})))
}
