//! `upload/image` and `upload/mask`: a file into one's own inputs.

use std::io;

use axum::Json;
use axum::body::Bytes;
use axum::extract::multipart::{Field, MultipartError};
use axum::extract::{Multipart, State};
use axum::http::StatusCode;
use queue_protocol::limits;
use serde_json::{Value, json};

use super::input::Form as Sent;
use super::picture;
use super::quota::Quota;
use super::view::Which;
use crate::app::App;
use crate::files::inputs::{kept_name, shown_name};
use crate::files::{Arrived, Files, StorePath};
use crate::identity::Caller;
use crate::problem::{SeatTrouble, Trouble};
use crate::turns::Costly;

fn broken(error: &MultipartError) -> Trouble {
    match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Trouble::TooLarge(limits::UPLOAD),
        _ => Trouble::BadRequest(error.body_text()),
    }
}

/// The form's fields come in any order; browsers send the file first.
#[derive(Default)]
struct Form {
    file: Option<(String, Arrived)>,
    kind: Option<String>,
    subfolder: String,
    overwrite: bool,
    /// The picture that a mask is for.
    original: Option<String>,
}

/// What an upload is checked against.
struct Limit {
    quota: Quota,
    left: u64,
}

impl Limit {
    async fn of(quota: Quota, files: &Files, caller: &Caller) -> Result<Self, Trouble> {
        let left = quota.left(files.input_bytes(&caller.name).await?);
        if left == 0 {
            return Err(Trouble::Full(quota.uploads_full()));
        }
        Ok(Self { quota, left })
    }

    fn bytes(&self) -> u64 {
        self.left.min(limits::UPLOAD as u64)
    }

    /// A file that came to its limit: everybody's, or what this participant has left.
    fn passed(&self, error: io::Error) -> Trouble {
        match error.kind() {
            io::ErrorKind::FileTooLarge if self.left < limits::UPLOAD as u64 => {
                Trouble::Full(self.quota.uploads_full())
            }
            io::ErrorKind::FileTooLarge => Trouble::TooLarge(limits::UPLOAD),
            _ => error.into(),
        }
    }
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

/// The whole form, or why not. What is refused is taken in to its end and thrown away: who is still sending hears no answer.
async fn read(
    files: &Files,
    quota: Quota,
    caller: &Caller,
    mut fields: Multipart,
) -> Result<(Form, Limit), Trouble> {
    let limit = Limit::of(quota, files, caller).await;
    let form = match &limit {
        Ok(limit) => read_fields(files, limit, &mut fields).await,
        Err(_) => Ok(Form::default()),
    };
    if limit.is_err() || form.is_err() {
        while let Ok(Some(_)) = fields.next_field().await {}
    }
    Ok((form?, limit?))
}

async fn read_fields(files: &Files, limit: &Limit, fields: &mut Multipart) -> Result<Form, Trouble> {
    let mut form = Form::default();
    while let Some(field) = fields.next_field().await.map_err(|error| broken(&error))? {
        match field.name() {
            Some("image") => {
                let name = field.file_name().unwrap_or_default().to_owned();
                // Before anything is taken in: what has no name cannot be kept.
                if name.is_empty() || form.file.is_some() {
                    return Err(no_file());
                }
                StorePath::new(&[&name])?;
                let arrived =
                    files.receive(limit.bytes(), field).await.map_err(|error| limit.passed(error))?;
                form.file = Some((name, arrived));
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
        arrived: &Arrived,
    ) -> Result<Value, Trouble> {
        let subfolder = self.subfolder.trim_matches('/');
        let wanted = if subfolder.is_empty() { name.to_owned() } else { format!("{subfolder}/{name}") };
        let kind = self.kind.as_deref().unwrap_or("input");
        let wanted = kept_name(&wanted, kind)?;
        let given = files.name_input(&caller.name, &wanted, self.overwrite, arrived).await?;
        let given = shown_name(&given);
        let (subfolder, name) = given.rsplit_once('/').unwrap_or(("", given));
        Ok(json!({"name": name, "subfolder": subfolder, "type": kind}))
    }

    fn file(&self) -> Result<(&str, &Arrived), Trouble> {
        self.file.as_ref().map(|(name, arrived)| (name.as_str(), arrived)).ok_or_else(no_file)
    }
}

fn no_file() -> Trouble {
    Trouble::BadRequest("The form has no file, with a name, in its one field image.".to_owned())
}

pub(super) async fn image(
    State(files): State<Files>,
    State(quota): State<Quota>,
    State(costly): State<Costly>,
    caller: Caller,
    Sent(fields): Sent,
) -> Result<Json<Value>, SeatTrouble> {
    let _turn = costly.uploads.take(&caller.name).await?;
    let (form, _) = read(&files, quota, &caller, fields).await?;
    let (name, arrived) = form.file()?;
    Ok(Json(form.keep(&files, &caller, name, arrived).await?))
}

/// The original, one's own input or output, with the transparency of what was uploaded, as a new input.
pub(super) async fn mask(
    State(App { broker, files, quota, costly, .. }): State<App>,
    caller: Caller,
    Sent(fields): Sent,
) -> Result<Json<Value>, SeatTrouble> {
    let _turn = costly.uploads.take(&caller.name).await?;
    let (mut form, limit) = read(&files, quota, &caller, fields).await?;
    let (name, mask) = form.file()?;
    let no_original = || Trouble::BadRequest("The form does not say which picture it masks.".to_owned());
    let which: Which = serde_json::from_str(form.original.as_deref().ok_or_else(no_original)?)?;
    let found = which.find(&broker, &files, &caller).await?;
    if mask.written.size > picture::FILE {
        return Err(SeatTrouble(Trouble::TooLarge(limits::UPLOAD)));
    }
    let does_not_fit = || Trouble::BadRequest("The mask does not fit the picture.".to_owned());
    // Two pictures are in memory from here on, and nobody has more than a turn's worth.
    let drawing = costly.pictures.take(&caller.name).await?;
    let (original, mask) = (found.picture(&files).await?, mask.read().await?);
    let made = Bytes::from(picture::masked(original, mask).await.ok_or_else(does_not_fit)?);
    drop(drawing);
    let body = futures_util::stream::iter([Ok::<_, io::Error>(made)]);
    let arrived = files.receive(limit.bytes(), body).await.map_err(|error| limit.passed(error))?;
    let name = name.to_owned();
    form.kind = None;
    Ok(Json(form.keep(&files, &caller, &name, &arrived).await?))
}
