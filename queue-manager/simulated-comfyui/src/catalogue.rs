//! The node classes it knows: a subset of a real `/object_info`, with the input folder's files filled in.

use serde_json::{Map, Value};

use crate::folder::{Folder, Kind};

const CAPTURED: &str = include_str!("../captures/object_info.json");

/// The node classes, in the form of `/object_info`.
#[derive(Debug)]
pub(crate) struct Catalogue {
    classes: Map<String, Value>,
}

/// One declared input: its type (a word, or a list of choices) and its options.
#[derive(Debug, Clone)]
pub(crate) struct InputSpec<'a> {
    pub(crate) name: &'a str,
    pub(crate) required: bool,
    pub(crate) kind: &'a Value,
    pub(crate) options: Value,
}

impl InputSpec<'_> {
    /// `[type, options]` as validation errors repeat it.
    pub(crate) fn config(&self) -> Value {
        Value::Array(vec![self.kind.clone(), self.options.clone()])
    }

    /// The type as a word; a list of choices is a `COMBO`.
    pub(crate) fn type_word(&self) -> &str {
        self.kind.as_str().unwrap_or("COMBO")
    }

    /// The choices of a list, in either of the two spellings.
    pub(crate) fn choices(&self) -> Option<&Vec<Value>> {
        match self.kind {
            Value::Array(choices) => Some(choices),
            Value::String(word) if word == "COMBO" => self.options.get("options")?.as_array(),
            _ => None,
        }
    }
}

impl Catalogue {
    /// Reads the captured subset.
    ///
    /// # Errors
    ///
    /// If the file that was compiled in is no JSON object.
    pub(crate) fn captured() -> serde_json::Result<Self> {
        Ok(Self { classes: serde_json::from_str(CAPTURED)? })
    }

    pub(crate) fn knows(&self, class: &str) -> bool {
        self.classes.contains_key(class)
    }

    pub(crate) fn is_output(&self, class: &str) -> bool {
        self.classes.get(class).is_some_and(|class| class["output_node"] == true)
    }

    /// The type of one output slot.
    pub(crate) fn output_type(&self, class: &str, slot: usize) -> Option<&str> {
        self.classes.get(class)?.get("output")?.get(slot)?.as_str()
    }

    /// The declared inputs, required ones first; hidden ones are not among them.
    pub(crate) fn inputs(&self, class: &str) -> Vec<InputSpec<'_>> {
        let mut specs = Vec::new();
        for (category, required) in [("required", true), ("optional", false)] {
            let declared = self.classes.get(class).and_then(|class| class["input"][category].as_object());
            for (name, spec) in declared.into_iter().flatten() {
                let options = spec.get(1).cloned().unwrap_or_else(|| Value::Object(Map::new()));
                specs.push(InputSpec { name, required, kind: &spec[0], options });
            }
        }
        specs
    }

    /// `/object_info`: everything, with the files that `LoadImage` can choose from.
    pub(crate) fn describe(&self, folder: &Folder) -> Map<String, Value> {
        let mut classes = self.classes.clone();
        if let Some(list) =
            classes.get_mut("LoadImage").and_then(|class| class.pointer_mut("/input/required/image/0"))
        {
            *list = folder.pictures(Kind::Input).into();
        }
        classes
    }
}
