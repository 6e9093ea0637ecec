//! How the queue orders turns.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ids::InvalidId;

/// Changeable while jobs wait. In every mode the instructor's lane goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// By arrival.
    Fifo,
    /// By turns: between two turns of anyone, everyone else who waits gets one.
    RoundRobin,
    /// By GPU time used.
    Fair,
    /// By lane, with turns inside each; who waits long moves up.
    Priority,
}

impl Mode {
    /// Every mode.
    pub const ALL: [Self; 4] = [Self::Fifo, Self::RoundRobin, Self::Fair, Self::Priority];

    /// The word in the store, in settings and in messages.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Fifo => "fifo",
            Self::RoundRobin => "round_robin",
            Self::Fair => "fair",
            Self::Priority => "priority",
        }
    }
}

impl FromStr for Mode {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        Self::ALL.into_iter().find(|mode| mode.word() == text).ok_or(InvalidId::new("mode", text))
    }
}
