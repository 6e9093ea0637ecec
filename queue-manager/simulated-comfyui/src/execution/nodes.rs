//! What each node class does, but for the sampler's waiting, which is in `sampler.rs`.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::failure::Failure;
use super::job::Job;
use super::saving::save;
use super::value::{Datum, Made};
use crate::folder::Kind;
use crate::picture::Picture;
use crate::png_file;

/// The most pixels that one node makes, over the whole batch. More would need more memory than the device has, and
/// there is no sense in finding out how much this machine has.
const MOST_PIXELS: u64 = 1 << 26;

/// The inputs of one node, with links already followed.
#[derive(Debug, Default)]
pub(crate) struct Inputs(pub(crate) HashMap<String, Datum>);

impl Inputs {
    pub(crate) fn number(&self, name: &str) -> u32 {
        let number = self.literal(name).and_then(Value::as_u64).unwrap_or(0);
        u32::try_from(number).unwrap_or(u32::MAX)
    }

    /// A fraction of 0.0 to 1.0 as 0 to 256.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the value is between 0 and 256"
    )]
    pub(crate) fn share(&self, name: &str) -> u32 {
        let fraction = self.literal(name).and_then(Value::as_f64).unwrap_or(1.0);
        (fraction.clamp(0.0, 1.0) * 256.0).round() as u32
    }

    pub(crate) fn text(&self, name: &str) -> String {
        match self.0.get(name) {
            Some(Datum::Text(text) | Datum::Literal(Value::String(text))) => text.clone(),
            Some(other) => other.describe().to_string(),
            None => String::new(),
        }
    }

    pub(crate) fn pictures(&self, name: &str) -> Result<&Arc<Vec<Picture>>, Failure> {
        match self.0.get(name) {
            Some(Datum::Images(pictures) | Datum::Latent(pictures)) => Ok(pictures),
            _ => Err(Failure::runtime(format!("input {name} holds no pictures"))),
        }
    }

    pub(crate) fn word(&self, name: &str) -> String {
        self.0.get(name).map(Datum::word).unwrap_or_default()
    }

    fn literal(&self, name: &str) -> Option<&Value> {
        match self.0.get(name) {
            Some(Datum::Literal(value)) => Some(value),
            _ => None,
        }
    }

    fn each(&self, name: &str, change: impl Fn(&Picture) -> Picture) -> Result<Made, Failure> {
        let changed = self.pictures(name)?.iter().map(change).collect();
        Ok(Made::one(Datum::Images(Arc::new(changed))))
    }
}

/// Runs one node; it may take long and touch files, so it belongs on a thread of its own.
pub(crate) fn run(class: &str, inputs: &Inputs, job: &Job, temp_prefix: &str) -> Result<Made, Failure> {
    match class {
        "EmptyImage" => empty_image(inputs),
        "EmptyLatentImage" | "EmptySD3LatentImage" => empty_latent(inputs),
        "ImageInvert" => inputs.each("image", Picture::inverted),
        "ImageScale" => scale(inputs),
        "ImageBlend" => blend(inputs),
        "LoadImage" => load(inputs, job),
        "SaveImage" => save(job, Kind::Output, &inputs.text("filename_prefix"), inputs.pictures("images")?),
        "PreviewImage" => {
            save(job, Kind::Temp, &format!("ComfyUI_temp_{temp_prefix}"), inputs.pictures("images")?)
        }
        "CheckpointLoaderSimple" => {
            let name = inputs.text("ckpt_name");
            Ok(Made {
                slots: vec![Datum::Model(name.clone()), Datum::Model(name.clone()), Datum::Model(name)],
                shown: None,
            })
        }
        "CLIPTextEncode" => Ok(Made::one(Datum::Conditioning(inputs.text("text")))),
        "VAEDecode" => Ok(Made::one(Datum::Images(Arc::clone(inputs.pictures("samples")?)))),
        "VAEEncode" => Ok(Made::one(Datum::Latent(Arc::clone(inputs.pictures("pixels")?)))),
        "PrimitiveString" => Ok(Made::one(Datum::Text(inputs.text("value")))),
        "PreviewAny" => {
            let text = inputs.text("source");
            Ok(Made { shown: Some(json!({"text": [text]})), slots: vec![Datum::Text(text)] })
        }
        other => Err(Failure::runtime(format!("{other} is described, but not simulated"))),
    }
}

fn empty_image(inputs: &Inputs) -> Result<Made, Failure> {
    let [_, red, green, blue] = inputs.number("color").to_be_bytes();
    Ok(Made::one(Datum::Images(batch(inputs, [red, green, blue])?)))
}

/// An empty latent is grey, whatever its decoder would make of zeros.
fn empty_latent(inputs: &Inputs) -> Result<Made, Failure> {
    Ok(Made::one(Datum::Latent(batch(inputs, [127; 3])?)))
}

fn batch(inputs: &Inputs, colour: [u8; 3]) -> Result<Arc<Vec<Picture>>, Failure> {
    let (width, height) = (inputs.number("width"), inputs.number("height"));
    let size = inputs.number("batch_size").max(1);
    within_memory(width, height, size)?;
    Ok(Arc::new(vec![Picture::plain(width, height, colour); size as usize]))
}

fn within_memory(width: u32, height: u32, batch: u32) -> Result<(), Failure> {
    let pixels = u64::from(width).saturating_mul(height.into()).saturating_mul(batch.into());
    if pixels > MOST_PIXELS { Err(Failure::out_of_memory()) } else { Ok(()) }
}

/// A width or height of 0 keeps the picture's proportions.
fn scale(inputs: &Inputs) -> Result<Made, Failure> {
    let (width, height) = (inputs.number("width"), inputs.number("height"));
    let centre = inputs.text("crop") == "center";
    let size = u32::try_from(inputs.pictures("image")?.len()).unwrap_or(u32::MAX);
    within_memory(width.max(1), height.max(1), size)?;
    inputs.each("image", |picture| {
        let proportional = |wanted: u32, own: u32, other: u32| {
            let length = u64::from(wanted) * u64::from(own) / u64::from(other.max(1));
            u32::try_from(length).unwrap_or(1).max(1)
        };
        let (width, height) = match (width, height) {
            (0, 0) => (picture.width, picture.height),
            (0, height) => (proportional(height, picture.width, picture.height), height),
            (width, 0) => (width, proportional(width, picture.height, picture.width)),
            both => both,
        };
        if centre {
            picture.centred(width, height).scaled(width, height)
        } else {
            picture.scaled(width, height)
        }
    })
}

fn blend(inputs: &Inputs) -> Result<Made, Failure> {
    let (second, mode) = (inputs.pictures("image2")?, inputs.text("blend_mode"));
    let share = inputs.share("blend_factor");
    let first = second.first().cloned().unwrap_or_else(|| Picture::plain(1, 1, [0; 3]));
    inputs.each("image1", |picture| picture.blended(&first, share, &mode))
}

fn load(inputs: &Inputs, job: &Job) -> Result<Made, Failure> {
    let name = inputs.text("image");
    let path = job.folder.named(&name).ok_or_else(|| Failure::runtime(format!("no such file: {name}")))?;
    let bytes = std::fs::read(&path).map_err(|error| Failure::runtime(error.to_string()))?;
    let picture = png_file::decode(&bytes).map_err(|_| Failure::unidentified(&path))?;
    Ok(Made { slots: vec![Datum::Images(Arc::new(vec![picture])), Datum::Mask], shown: None })
}
