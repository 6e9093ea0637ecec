//! What a simulated `ComfyUI` is started with.

use std::path::PathBuf;
use std::time::Duration;

use crate::control::{Control, Misbehaviour};

/// What a simulated `ComfyUI` is started with; everything but the folder can be changed later over `POST /simulation`.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long one step of a sampler takes.
    pub step: Duration,
    /// How long every other node takes, on top of its real work.
    pub node: Duration,
    /// The base folder; `input`, `output` and `temp` are made inside it.
    pub folder: PathBuf,
    /// The misbehaviour that strikes at the next node or step, once; `None` behaves.
    pub next: Option<Misbehaviour>,
    /// Whether interrupts are accepted and then ignored.
    pub ignore_interrupt: bool,
}

impl Settings {
    /// As fast as it can, well behaved, with its files in `folder`.
    pub fn in_folder(folder: impl Into<PathBuf>) -> Self {
        Self {
            step: Duration::ZERO,
            node: Duration::ZERO,
            folder: folder.into(),
            next: None,
            ignore_interrupt: false,
        }
    }

    pub(crate) fn control(&self) -> Control {
        Control {
            step: self.step,
            node: self.node,
            next: self.next,
            ignore_interrupt: self.ignore_interrupt,
            silent: None,
            badge: None,
        }
    }
}
