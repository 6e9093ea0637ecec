//! The four lanes of a line, in the order they are served.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ids::InvalidId;

/// Only the instructor sets a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Lane {
    /// Served before all others in every mode.
    Instructor,
    /// Above the usual.
    High,
    /// Where every participant's job goes.
    Normal,
    /// Below the usual.
    Low,
}

impl Lane {
    /// In the order they are served.
    pub const ALL: [Self; 4] = [Self::Instructor, Self::High, Self::Normal, Self::Low];

    /// The word in keys and messages.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Instructor => "instructor",
            Self::High => "high",
            Self::Normal => "normal",
            Self::Low => "low",
        }
    }
}

impl FromStr for Lane {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        Self::ALL.into_iter().find(|lane| lane.word() == text).ok_or(InvalidId::new("lane", text))
    }
}
