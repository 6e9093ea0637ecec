//! `models`, `experiment/models` and `embeddings`: the model files that the workers' loaders choose from.

use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::input::Named;
use crate::capabilities::{Capabilities, Known};
use crate::problem::SeatTrouble;
use crate::workflow::needs::is_model;

/// Loaders whose input has a name that other loaders use for another folder: (class, input, folder).
const BY_CLASS: [(&str, &str, &str); 8] = [
    ("CLIPVisionLoader", "clip_name", "clip_vision"),
    ("UpscaleModelLoader", "model_name", "upscale_models"),
    ("LatentUpscaleModelLoader", "model_name", "latent_upscale_models"),
    ("FrameInterpolationModelLoader", "model_name", "frame_interpolation"),
    ("OpticalFlowLoader", "model_name", "optical_flow"),
    ("LoadMoGeModel", "model_name", "geometry_estimation"),
    ("LoadMediaPipeFaceLandmarker", "model_name", "detection"),
    ("ModelPatchLoader", "name", "model_patches"),
];

/// Inputs that mean one folder in every loader, custom nodes' as well: (input, folder).
const BY_INPUT: [(&str, &str); 18] = [
    ("ckpt_name", "checkpoints"),
    ("lora_name", "loras"),
    ("vae_name", "vae"),
    ("unet_name", "diffusion_models"),
    ("clip_name", "text_encoders"),
    ("clip_name1", "text_encoders"),
    ("clip_name2", "text_encoders"),
    ("clip_name3", "text_encoders"),
    ("clip_name4", "text_encoders"),
    ("text_encoder", "text_encoders"),
    ("control_net_name", "controlnet"),
    ("style_model_name", "style_models"),
    ("gligen_name", "gligen"),
    ("config_name", "configs"),
    ("hypernetwork_name", "hypernetworks"),
    ("photomaker_model_name", "photomaker"),
    ("audio_encoder_name", "audio_encoders"),
    ("bg_removal_name", "background_removal"),
];

/// ComfyUI's folders of which no loader tells what is in them: they are there, and empty.
const UNLISTED: [&str; 1] = ["embeddings"];

fn folder_of(class: &str, input: &str) -> Option<&'static str> {
    let special = BY_CLASS.iter().find(|(loader, name, _)| (*loader, *name) == (class, input));
    let usual = || BY_INPUT.iter().find(|(name, _)| *name == input);
    special.map(|(_, _, folder)| *folder).or_else(|| usual().map(|(_, folder)| *folder))
}

fn is_folder(name: &str) -> bool {
    BY_CLASS.iter().any(|(_, _, folder)| *folder == name)
        || BY_INPUT.iter().any(|(_, folder)| *folder == name)
        || UNLISTED.contains(&name)
}

/// Folder → files, over all workers. Empty before the first worker came.
fn folders(known: &Known) -> BTreeMap<&'static str, BTreeSet<&str>> {
    let mut folders: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for (class, input, options) in known.choices() {
        if let Some(folder) = folder_of(class, input) {
            // A loader may offer more than files: `pixel_space` stands among the VAEs.
            let files = options.filter(|name| is_model(name) || folder == "configs");
            folders.entry(folder).or_default().extend(files);
        }
    }
    if !folders.is_empty() {
        folders.extend(UNLISTED.map(|folder| (folder, BTreeSet::new())));
    }
    folders
}

pub(super) async fn all(State(capabilities): State<Capabilities>) -> Result<Json<Value>, SeatTrouble> {
    Ok(Json(folders(&capabilities.known().await?).keys().copied().collect()))
}

pub(super) async fn one(
    State(capabilities): State<Capabilities>,
    Named(folder): Named,
) -> Result<Response, SeatTrouble> {
    in_folder(&capabilities, &folder, |file| json!(file)).await
}

/// The folders as ComfyUI's model library asks for them. The paths are a worker's own affair; only the last part is told.
pub(super) async fn experiment_all(
    State(capabilities): State<Capabilities>,
) -> Result<Json<Value>, SeatTrouble> {
    let known = capabilities.known().await?;
    let about = |folder: &&str| json!({"name": folder, "folders": [format!("models/{folder}")], "extensions": [".safetensors"]});
    Ok(Json(folders(&known).keys().map(about).collect()))
}

/// Where the folders are, as ComfyUI tells it; only the last part is told.
pub(super) async fn folder_paths(
    State(capabilities): State<Capabilities>,
) -> Result<Json<BTreeMap<String, [String; 1]>>, SeatTrouble> {
    let known = capabilities.known().await?;
    let folders = folders(&known).into_keys();
    Ok(Json(folders.map(|folder| (folder.to_owned(), [format!("models/{folder}")])).collect()))
}

/// The files as ComfyUI's model library asks for them. What `object_info` does not say is 0.
pub(super) async fn experiment_one(
    State(capabilities): State<Capabilities>,
    Named(folder): Named,
) -> Result<Response, SeatTrouble> {
    let about = |file: &str| json!({"name": file, "pathIndex": 0, "modified": 0, "created": 0, "size": 0});
    in_folder(&capabilities, &folder, about).await
}

/// ComfyUI answers 404 for a folder it does not know, and an empty list for an empty one.
async fn in_folder(
    capabilities: &Capabilities,
    folder: &str,
    about: impl Fn(&str) -> Value,
) -> Result<Response, SeatTrouble> {
    if !is_folder(folder) {
        return Ok(StatusCode::NOT_FOUND.into_response());
    }
    let known = capabilities.known().await?;
    let files = folders(&known).remove(folder).unwrap_or_default();
    Ok(Json(files.into_iter().map(about).collect::<Value>()).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_names_its_folder_and_a_loader_may_know_better() {
        assert_eq!(folder_of("CheckpointLoaderSimple", "ckpt_name"), Some("checkpoints"));
        assert_eq!(folder_of("CLIPLoader", "clip_name"), Some("text_encoders"));
        assert_eq!(folder_of("CLIPVisionLoader", "clip_name"), Some("clip_vision"));
        assert_eq!(folder_of("KSampler", "sampler_name"), None);
    }

    #[test]
    fn files_of_all_loaders_are_listed_once_and_words_are_no_files() {
        let known = Known::from_json(&[
            r#"{"A":{"input":{"required":{"ckpt_name":[["a.safetensors"]],"vae_name":[["pixel_space","v.pt"]]}}}}"#,
            r#"{"B":{"input":{"optional":{"ckpt_name":["COMBO",{"options":["a.safetensors","b.ckpt"]}]}}}}"#,
        ]);
        let folders = folders(&known);
        assert_eq!(folders["checkpoints"], BTreeSet::from(["a.safetensors", "b.ckpt"]));
        assert_eq!(folders["vae"], BTreeSet::from(["v.pt"]));
        assert!(folders["embeddings"].is_empty());
        assert!(
            super::folders(&Known::default()).is_empty(),
            "nothing is known before the first worker came"
        );
    }
}
