//! Workflows in ComfyUI's API format, which the simulated and a real ComfyUI both run.

use serde_json::{Value, json};

/// Black, inverted, saved: no model needed.
#[must_use]
pub fn white_picture() -> Value {
    json!({
        "1": {"class_type": "EmptyImage", "inputs": {"width": 64, "height": 48, "batch_size": 1, "color": 0}},
        "2": {"class_type": "ImageInvert", "inputs": {"image": ["1", 0]}},
        "3": {"class_type": "SaveImage", "inputs": {"images": ["2", 0], "filename_prefix": "white"}},
    })
}

/// A sampler on the tiny model: `steps` steps, each with progress and a preview.
#[must_use]
pub fn sampled_picture(seed: u64, steps: u32) -> Value {
    json!({
        "3": {"class_type": "KSampler", "inputs": {
            "seed": seed, "steps": steps, "cfg": 4.0, "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0,
            "model": ["4", 0], "positive": ["6", 0], "negative": ["7", 0], "latent_image": ["5", 0]}},
        "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "tiny-random-sd3.safetensors"}},
        "5": {"class_type": "EmptyLatentImage", "inputs": {"width": 256, "height": 256, "batch_size": 1}},
        "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a cat", "clip": ["4", 1]}},
        "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "bad", "clip": ["4", 1]}},
        "8": {"class_type": "VAEDecode", "inputs": {"samples": ["3", 0], "vae": ["4", 2]}},
        "9": {"class_type": "SaveImage", "inputs": {"filename_prefix": "sampled", "images": ["8", 0]}},
    })
}

/// An uploaded picture, inverted and saved.
#[must_use]
pub fn inverted_upload(name: &str) -> Value {
    json!({
        "1": {"class_type": "LoadImage", "inputs": {"image": name}},
        "2": {"class_type": "ImageInvert", "inputs": {"image": ["1", 0]}},
        "3": {"class_type": "SaveImage", "inputs": {"images": ["2", 0], "filename_prefix": "inverted"}},
    })
}

/// The same graph with one node told how to misbehave in the simulated ComfyUI.
#[must_use]
pub fn misbehaving(mut graph: Value, node: &str, how: &str) -> Value {
    graph[node]["inputs"]["simulate"] = json!(how);
    graph
}
