//! What one kind of worker described: its node classes, their inputs, its models.

use std::collections::HashSet;

use queue_protocol::limits;
use serde_json::Value;

use crate::problem::Trouble;
use crate::workflow::depth::has_more_values;
use crate::workflow::needs::{Requirements, is_model};
use crate::workflow::validation::is_comfyuis_own;

/// The `object_info` of one kind of worker.
#[derive(Debug)]
pub struct ObjectInfo {
    /// Class → its description, as ComfyUI sent it.
    pub classes: serde_json::Map<String, Value>,
    pub(super) models: HashSet<String>,
    /// (class, input) that take the name of an uploaded file.
    pub(super) uploads: HashSet<(String, String)>,
    /// (class, input) that choose from a list.
    pub(super) choices: HashSet<(String, String)>,
}

/// Flags by which ComfyUI marks an input that takes an uploaded file.
const UPLOAD_FLAGS: [&str; 4] = ["image_upload", "audio_upload", "video_upload", "file_upload"];

/// What a class declares as the type of a hidden input that ComfyUI fills with a key of paid nodes.
const KEY_TYPES: [&str; 2] = ["AUTH_TOKEN_COMFY_ORG", "API_KEY_COMFY_ORG"];

/// Inputs of ComfyUI's own loaders that take an uploaded file: all that is known before the first worker came.
pub(super) const USUAL_UPLOADS: [&str; 5] = ["image", "audio", "video", "file", "model_file"];

impl ObjectInfo {
    /// Reads what a worker sent.
    ///
    /// # Errors
    /// [`Trouble::BadRequest`] when it is no object of classes.
    pub fn read(json: &[u8]) -> Result<Self, Trouble> {
        if has_more_values(json, limits::VALUES) {
            return Err(Trouble::BadRequest("This describes more than anybody has.".to_owned()));
        }
        let classes: serde_json::Map<String, Value> = serde_json::from_slice(json)?;
        let (mut models, mut uploads, mut choices) = (HashSet::new(), HashSet::new(), HashSet::new());
        for (class, about) in &classes {
            for (input, spec) in inputs_of(about) {
                if UPLOAD_FLAGS.iter().any(|flag| spec[1][*flag] == Value::Bool(true)) {
                    uploads.insert((class.clone(), input.clone()));
                }
                // An empty list of other people's nodes may be filled by the browser.
                let own = is_comfyuis_own(about) && choices_of(spec).is_some();
                if own || options_of(spec).next().is_some() {
                    choices.insert((class.clone(), input.clone()));
                }
                models.extend(options_of(spec).filter(|text| is_model(text)).map(ToOwned::to_owned));
            }
        }
        Ok(Self { classes, models, uploads, choices })
    }

    /// Whether a worker of this kind can run what these requirements name.
    #[must_use]
    pub fn can_run(&self, needs: &Requirements) -> bool {
        self.lacks(needs).is_empty()
    }

    /// Models, then node classes, that these requirements name and a worker of this kind has not.
    pub(crate) fn lacks(&self, needs: &Requirements) -> Vec<String> {
        let models = needs.models.iter().filter(|model| !self.models.contains(*model));
        let classes = needs.nodes.iter().filter(|class| !self.classes.contains_key(*class));
        models.chain(classes).cloned().collect()
    }

    /// Whether an input takes the name of an uploaded file.
    #[must_use]
    pub fn takes_upload(&self, class: &str, input: &str) -> bool {
        self.uploads.contains(&(class.to_owned(), input.to_owned()))
    }
}

/// The inputs that a class declares: whether it must be there, its name, its type and options.
pub(crate) fn declared(about: &Value) -> impl Iterator<Item = (bool, &String, &Value)> {
    ["required", "optional"].into_iter().flat_map(|group| {
        let inputs = about["input"][group].as_object().into_iter().flatten();
        inputs.map(move |(name, spec)| (group == "required", name, spec))
    })
}

/// The same without saying which must be there.
pub(crate) fn inputs_of(about: &Value) -> impl Iterator<Item = (&String, &Value)> {
    declared(about).map(|(_, name, spec)| (name, spec))
}

/// Whether a class is given keys of paid nodes: `{"hidden": {"api_key": "API_KEY_COMFY_ORG"}}` or, in newer nodes, with the type
/// in a list.
pub(super) fn asks_for_keys(about: &Value) -> bool {
    let mut hidden = about["input"]["hidden"].as_object().into_iter().flatten();
    hidden.any(|(_, kind)| kind.as_str().or(kind[0].as_str()).is_some_and(|kind| KEY_TYPES.contains(&kind)))
}

/// The choices of an input: `[["a", "b"], {…}]` or, in newer nodes, `["COMBO", {"options": ["a", "b"]}]`.
pub(super) fn choices_of(spec: &Value) -> Option<&Vec<Value>> {
    spec[0].as_array().or_else(|| spec[1]["options"].as_array())
}

pub(super) fn options_of(spec: &Value) -> impl Iterator<Item = &str> {
    choices_of(spec).into_iter().flatten().filter_map(Value::as_str)
}
