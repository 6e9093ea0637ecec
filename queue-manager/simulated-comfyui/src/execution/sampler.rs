//! `KSampler`: as many waits as it has steps, with progress and previews, and a picture at the end.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;

use super::failure::Failure;
use super::nodes::Inputs;
use super::run::{Halt, Run, settle};
use super::value::{Datum, Made};
use crate::painting::Motif;
use crate::picture::Picture;
use crate::{png_file, python_json};

/// The longer side of a preview, in pixels.
const PREVIEW: u32 = 128;

impl Run<'_> {
    /// Samples; `step_ms` is what the node itself asked for, if it did.
    pub(super) async fn sample(
        &mut self,
        node: &str,
        inputs: &Inputs,
        step_ms: Option<u64>,
    ) -> Result<Made, Halt> {
        let steps = inputs.number("steps");
        let motif = motif(inputs, 0);
        let base = Arc::clone(inputs.pictures("latent_image").map_err(Halt::Raised)?);
        for step in 1..=steps {
            let wait = step_ms.map_or_else(|| self.simulator.control().step, Duration::from_millis);
            self.pause(wait).await?;
            self.strike(self.simulator.take_next()).await?;
            let preview = match base.first() {
                Some(first) if self.job.previews => {
                    Some(preview(&motif, first, step, steps).map_err(Halt::Raised)?)
                }
                _ => None,
            };
            self.tell_step(node, step, steps, preview);
        }
        let motifs: Vec<Motif> = (0..base.len()).map(|batch| self::motif(inputs, batch)).collect();
        let share = inputs.share("denoise");
        let work = tokio::task::spawn_blocking(move || {
            let painted = motifs.iter().zip(base.iter()).map(|(motif, base)| motif.paint(base, share));
            Ok(Made::one(Datum::Latent(Arc::new(painted.collect()))))
        });
        settle(work.await)
    }

    /// A preview goes between the two frames of its step or, to a client that does not know metadata, behind them.
    fn tell_step(&mut self, node: &str, step: u32, steps: u32, preview: Option<Vec<u8>>) {
        let client = self.prompt.client().map(str::to_owned);
        let sockets = &self.simulator.sockets;
        let modern = sockets.takes_preview_metadata(client.as_deref());
        let frame = preview.map(|png| if modern { self.with_metadata(node, &png) } else { plain(&png) });
        let state = self.progress.step(node, step.into(), steps.into());
        self.send("progress_state", &state);
        if let Some(frame) = frame.as_ref().filter(|_| modern) {
            sockets.send_binary(client.as_deref(), frame);
        }
        let progress = json!({"value": step, "max": steps, "prompt_id": self.prompt.id, "node": node});
        self.send("progress", &progress);
        if let Some(frame) = frame.as_ref().filter(|_| !modern) {
            sockets.send_binary(client.as_deref(), frame);
        }
    }

    fn with_metadata(&self, node: &str, png: &[u8]) -> Bytes {
        let metadata = json!({
            "node_id": node,
            "prompt_id": self.prompt.id,
            "display_node_id": node,
            "parent_node_id": null,
            "real_node_id": node,
            "image_type": "image/png",
        });
        let metadata = python_json::dump(&metadata);
        let length = u32::try_from(metadata.len()).unwrap_or(0).to_be_bytes();
        Bytes::from([&4u32.to_be_bytes()[..], &length, metadata.as_bytes(), png].concat())
    }
}

/// Event 1, image type 2 (PNG), the image.
fn plain(png: &[u8]) -> Bytes {
    Bytes::from([&1u32.to_be_bytes()[..], &2u32.to_be_bytes(), png].concat())
}

/// Everything that decides the picture at one place of the batch.
fn motif(inputs: &Inputs, batch: usize) -> Motif {
    let names = ["model", "seed", "steps", "cfg", "sampler_name", "scheduler", "positive", "negative"];
    let mut words: Vec<String> = names.iter().map(|name| inputs.word(name)).collect();
    words.push(batch.to_string());
    Motif::from_words(&words)
}

/// The picture so far, small.
fn preview(motif: &Motif, base: &Picture, step: u32, steps: u32) -> Result<Vec<u8>, Failure> {
    let longer = base.width.max(base.height).max(PREVIEW);
    let small = base.scaled((base.width * PREVIEW / longer).max(1), (base.height * PREVIEW / longer).max(1));
    let picture = motif.paint(&small, 256 * step / steps.max(1));
    png_file::encode(&picture, &[]).map_err(|error| Failure::runtime(error.to_string()))
}
