//! Ids that validate on the way in, so that nothing else can reach a key or a path.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;

/// A text that is not the id it should be.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("not a valid {what}: {text:?}")]
pub struct InvalidId {
    what: &'static str,
    text: String,
}

impl InvalidId {
    /// Names what was expected and keeps the first 64 characters of what came.
    #[must_use]
    pub fn new(what: &'static str, text: &str) -> Self {
        Self { what, text: text.chars().take(64).collect() }
    }
}

/// Paths that the server keeps for itself, so that nobody can be called like one.
pub const RESERVED_NAMES: [&str; 21] = [
    "admin",
    "api",
    "assets",
    "cursor",
    "docs",
    "extensions",
    "fonts",
    "health",
    "healthz",
    "internal",
    "join",
    "link",
    "livez",
    "metrics",
    "readyz",
    "scripts",
    "sign-in",
    "sign-out",
    "static",
    "templates",
    "ws",
];

fn is_plain_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    let head = bytes.next().is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    head && text.len() <= 32
        && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $pattern:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[cfg_attr(feature = "schema", schemars(extend("pattern" = $pattern)))]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let valid: fn(&str) -> bool = $valid;
                if valid(text) { Ok(Self(text.to_owned())) } else { Err(InvalidId::new($what, text)) }
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id! {
    /// Who signs in, and the first segment of their seat's path: 1–32 of `a-z 0-9 - _`, beginning with a
    /// letter or digit, not one of [`RESERVED_NAMES`].
    AccountName, "account name", "^[a-z0-9][a-z0-9_-]{0,31}$", |text| is_plain_name(text) && !RESERVED_NAMES.contains(&text)
}
text_id! {
    /// One worker, which is one GPU with one ComfyUI: 1–32 of `a-z 0-9 - _`.
    WorkerName, "worker name", "^[a-z0-9][a-z0-9_-]{0,31}$", is_plain_name
}
text_id! {
    /// The workshop whose keys share one hash tag: 1–32 of `a-z 0-9 - _`.
    Workshop, "workshop name", "^[a-z0-9][a-z0-9_-]{0,31}$", is_plain_name
}
text_id! {
    /// The id a browser tab gave itself: 1–64 of `A-Z a-z 0-9 - _`. It names a tab, it proves nothing.
    ClientId, "client id", "^[A-Za-z0-9_-]{1,64}$",
    |text| (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}
text_id! {
    /// The short id of a set of nodes and models that a job requires: 16 hexadecimal digits.
    NeedsId, "needs id", "^[0-9a-f]{16}$",
    |text| text.len() == 16 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}
text_id! {
    /// What a worker's token is called where it is listed and revoked: 12 hexadecimal digits, safe to show.
    TokenId, "token id", "^[0-9a-f]{12}$",
    |text| text.len() == 12 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}
text_id! {
    /// SHA-256 of a file's bytes: 64 lower-case hexadecimal digits.
    FileHash, "file hash", "^[0-9a-f]{64}$",
    |text| text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// A job, and at the same time its ComfyUI `prompt_id`: a canonical lower-case hyphenated UUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(
    feature = "schema",
    schemars(extend("pattern" = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"))
)]
#[serde(try_from = "String", into = "String")]
pub struct JobId(Uuid);

impl JobId {
    /// A new random id (version 4).
    #[must_use]
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }

    /// The 16 bytes, as binary frames on the worker link carry them.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// The id behind 16 bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }
}

impl FromStr for JobId {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let id = Uuid::parse_str(text).map_err(|_| InvalidId::new("job id", text))?;
        // Only the spelling that ComfyUI itself accepts: other spellings would be other keys for one job.
        if id.hyphenated().to_string() == text { Ok(Self(id)) } else { Err(InvalidId::new("job id", text)) }
    }
}

impl TryFrom<String> for JobId {
    type Error = InvalidId;
    fn try_from(text: String) -> Result<Self, InvalidId> {
        text.parse()
    }
}

impl From<JobId> for String {
    fn from(id: JobId) -> Self {
        id.to_string()
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

/// One open link of a worker, to tell the newest from those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LinkId(Uuid);

impl LinkId {
    /// A new random id (version 4).
    #[must_use]
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }
}

impl fmt::Display for LinkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

/// The fence of one claim: grows with every claim in the workshop, so an older attempt can be told apart.
/// Below 2⁵³, because Lua's numbers and JSON's are doubles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LeaseToken(pub u64);

impl fmt::Display for LeaseToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for LeaseToken {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        text.parse().map(Self).map_err(|_| InvalidId::new("lease token", text))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_reserved_path_cannot_be_a_person() {
        for name in RESERVED_NAMES {
            assert!(name.parse::<AccountName>().is_err(), "{name}");
        }
        assert!("user001".parse::<AccountName>().is_ok());
    }

    #[test]
    fn a_job_id_has_one_spelling() {
        assert!("7F2C1B9E-0A55-4B7C-9F56-0E6C56B1F001".parse::<JobId>().is_err());
        assert!("7f2c1b9e0a554b7c9f560e6c56b1f001".parse::<JobId>().is_err());
        assert!("7f2c1b9e-0a55-4b7c-9f56-0e6c56b1f001".parse::<JobId>().is_ok());
    }

    proptest! {
        #[test]
        fn a_name_that_passes_is_safe_in_a_key_and_a_path(text in ".{0,40}") {
            if let Ok(name) = text.parse::<AccountName>() {
                prop_assert!(name.as_str().len() <= 32);
                let unsafe_somewhere = name.as_str().contains(['/', '.', '{', '}', ':', '%', '\\', '*']);
                prop_assert!(!unsafe_somewhere);
            }
        }
    }
}
