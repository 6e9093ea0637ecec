//! What a ComfyUI is: version, GPU, and the nodes and models in its `object_info`.

use std::collections::{BTreeMap, HashSet};

use queue_protocol::FileHash;
use queue_protocol::link::Part;
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::parts::Described;
use super::{Comfyui, ComfyuiError};

/// Everything a `hello` says about ComfyUI.
#[derive(Debug, Clone)]
pub struct Description {
    /// Its version.
    pub comfyui_version: String,
    /// Its GPU.
    pub gpu: String,
    /// Bytes of GPU memory.
    pub vram_total: u64,
    /// `object_info` as it came.
    pub object_info: Vec<u8>,
    /// Its SHA-256.
    pub object_info_hash: FileHash,
    /// Classes that are output nodes.
    pub output_classes: HashSet<String>,
    /// What else it has for a tab.
    pub parts: BTreeMap<Part, Described>,
}

/// The part of `system_stats` we read.
#[derive(Debug, Deserialize)]
pub struct SystemStats {
    system: System,
    devices: Vec<Device>,
}

#[derive(Debug, Deserialize)]
struct System {
    comfyui_version: String,
}

#[derive(Debug, Deserialize)]
struct Device {
    name: String,
    vram_total: u64,
    vram_free: u64,
}

impl SystemStats {
    /// Free bytes of GPU memory; 0 when unknown.
    #[must_use]
    pub fn vram_free(&self) -> u64 {
        self.devices.first().map_or(0, |device| device.vram_free)
    }
}

impl Comfyui {
    /// Asks how it is.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn system_stats(&self) -> Result<SystemStats, ComfyuiError> {
        Ok(self.get("/system_stats").await?.json().await?)
    }

    /// Asks what it is.
    ///
    /// # Errors
    /// When it does not answer, or its `object_info` is none.
    pub async fn describe(&self) -> Result<Description, ComfyuiError> {
        let stats = self.system_stats().await?;
        let object_info = self.get("/object_info").await?.bytes().await?.to_vec();
        let classes: serde_json::Map<String, Value> = serde_json::from_slice(&object_info)
            .map_err(|error| ComfyuiError::Unexpected(format!("object_info: {error}")))?;
        let output_classes = classes
            .iter()
            .filter(|(_, about)| about["output_node"] == true)
            .map(|(c, _)| c.clone())
            .collect();
        let hash = hex::encode(Sha256::digest(&object_info));
        let device = stats.devices.first();
        Ok(Description {
            comfyui_version: stats.system.comfyui_version,
            gpu: device.map_or_else(String::new, |device| device.name.clone()),
            vram_total: device.map_or(0, |device| device.vram_total),
            object_info_hash: hash.parse().map_err(|_| ComfyuiError::Unexpected("no hash".to_owned()))?,
            object_info,
            output_classes,
            parts: self.parts().await,
        })
    }
}
