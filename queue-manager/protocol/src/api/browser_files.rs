//! The scripts that workers' custom nodes have for browsers, and whether the instructor accepted them.

use serde::{Deserialize, Serialize};

use crate::ids::{FileHash, WorkerName};

/// One set of scripts. Another byte in it is another set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BrowserFileSet {
    /// What it is accepted by.
    pub hash: FileHash,
    /// Workers whose ComfyUI has it.
    pub workers: Vec<WorkerName>,
    /// Whether every seat loads it.
    pub accepted: bool,
    /// What is in it.
    pub files: Vec<BrowserFile>,
}

/// One script.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BrowserFile {
    /// Where a seat serves it, below the participant.
    pub path: String,
    /// Its content.
    pub sha256: FileHash,
    /// Bytes.
    pub size: u64,
}

/// Every set that a worker has now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BrowserFileSets {
    /// Those that wait for the instructor first.
    pub sets: Vec<BrowserFileSet>,
}
