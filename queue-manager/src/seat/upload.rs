//! `upload/image` and `upload/mask`: a file into one's own inputs.

use axum::Json;
use axum::body::Bytes;
use axum::extract::multipart::{Field, MultipartError};
use axum::extract::{Multipart, State};
use axum::http::StatusCode;
use queue_broker::Broker;
use queue_protocol::limits;
use serde_json::{Value, json};

use super::input::Form as Sent;
use super::picture;
use super::view::Which;
use crate::files::Files;
use crate::files::inputs::{Input, content_path, kept_name, shown_name};
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
    /// The picture that a mask is for.
    original: Option<String>,
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
            Some("original_ref") => form.original = Some(short_text(field).await?),
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

impl Form {
    /// Names a content as the form says; ComfyUI's answer.
    async fn keep(
        &self,
        files: &Files,
        caller: &Caller,
        name: &str,
        input: &Input,
    ) -> Result<Value, Trouble> {
        let subfolder = self.subfolder.trim_matches('/');
        let wanted = if subfolder.is_empty() { name.to_owned() } else { format!("{subfolder}/{name}") };
        let kind = self.kind.as_deref().unwrap_or("input");
        let wanted = kept_name(&wanted, kind)?;
        let given = files.name_input(&caller.name, &wanted, self.overwrite, input).await?;
        let given = shown_name(&given);
        let (subfolder, name) = given.rsplit_once('/').unwrap_or(("", given));
        Ok(json!({"name": name, "subfolder": subfolder, "type": kind}))
    }

    fn file(&self) -> Result<(&str, &Input), Trouble> {
        let missing = || Trouble::BadRequest("The form has no file in its field image.".to_owned());
        let file = self.file.as_ref().filter(|(name, _)| !name.is_empty());
        file.map(|(name, input)| (name.as_str(), input)).ok_or_else(missing)
    }
}

pub(super) async fn image(
    State(files): State<Files>,
    caller: Caller,
    Sent(fields): Sent,
) -> Result<Json<Value>, SeatTrouble> {
    let form = read(&files, &caller, fields).await?;
    let (name, input) = form.file()?;
    Ok(Json(form.keep(&files, &caller, name, input).await?))
}

/// The original, one's own input or output, with the transparency of what was uploaded, as a new input.
pub(super) async fn mask(
    State(broker): State<Broker>,
    State(files): State<Files>,
    caller: Caller,
    Sent(fields): Sent,
) -> Result<Json<Value>, SeatTrouble> {
    let mut form = read(&files, &caller, fields).await?;
    let (name, mask) = form.file()?;
    let no_original = || Trouble::BadRequest("The form does not say which picture it masks.".to_owned());
    let which: Which = serde_json::from_str(form.original.as_deref().ok_or_else(no_original)?)?;
    let original = which.find(&broker, &files, &caller).await?.picture(&files).await?;
    if mask.size > picture::FILE {
        return Err(SeatTrouble(Trouble::TooLarge(limits::UPLOAD)));
    }
    let mask = files.read(&content_path(&caller.name, &mask.sha256)?).await?;
    let does_not_fit = || Trouble::BadRequest("The mask does not fit the picture.".to_owned());
    let made = Bytes::from(picture::masked(original, mask).await.ok_or_else(does_not_fit)?);
    let body = futures_util::stream::iter([Ok::<_, std::io::Error>(made)]);
    let input = files.receive_input(&caller.name, limits::UPLOAD, body).await?;
    let name = name.to_owned();
    form.kind = None;
    Ok(Json(form.keep(&files, &caller, &name, &input).await?))
}
