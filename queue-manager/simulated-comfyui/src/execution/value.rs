//! What flows along the links of a graph.

use std::sync::Arc;

use serde_json::Value;

use crate::picture::Picture;

/// What one output slot holds.
#[derive(Debug, Clone)]
pub(crate) enum Datum {
    /// A literal from the graph.
    Literal(Value),
    /// A batch of pictures.
    Images(Arc<Vec<Picture>>),
    /// A batch of pictures that a sampler works on.
    Latent(Arc<Vec<Picture>>),
    /// Transparency. Nothing here reads it.
    Mask,
    /// A model, a text encoder or a decoder, by the file it came from.
    Model(String),
    /// An encoded text.
    Conditioning(String),
    /// A text.
    Text(String),
}

impl Datum {
    /// The short form for `current_inputs`, where the real server prints whole tensors.
    pub(crate) fn describe(&self) -> Value {
        match self {
            Self::Literal(value) => value.clone(),
            Self::Images(pictures) => describe_batch("images", pictures),
            Self::Latent(pictures) => describe_batch("latent", pictures),
            Self::Mask => "mask".into(),
            Self::Model(name) => format!("model {name}").into(),
            Self::Conditioning(_) => "conditioning".into(),
            Self::Text(text) => text.as_str().into(),
        }
    }

    /// The word that goes into a motif.
    pub(crate) fn word(&self) -> String {
        match self {
            Self::Conditioning(text) | Self::Text(text) | Self::Model(text) => text.clone(),
            other => other.describe().to_string(),
        }
    }
}

fn describe_batch(what: &str, pictures: &[Picture]) -> Value {
    let (width, height) = pictures.first().map_or((0, 0), |first| (first.width, first.height));
    format!("{what} {}x{width}x{height}", pictures.len()).into()
}

/// What a node leaves behind.
#[derive(Debug, Clone, Default)]
pub(crate) struct Made {
    /// One datum per output slot.
    pub(crate) slots: Vec<Datum>,
    /// What an output node shows: `{"images": […]}` or `{"text": […]}`.
    pub(crate) shown: Option<Value>,
}

impl Made {
    pub(crate) fn one(datum: Datum) -> Self {
        Self { slots: vec![datum], shown: None }
    }
}
