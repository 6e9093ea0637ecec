//! The frontend package that browser tests use: the pinned one, or the version that `ATELIER_TEST_FRONTEND` names.

use std::path::PathBuf;

use anyhow::{Context, ensure};

use crate::process::repository;

/// An unpacked frontend package.
#[derive(Debug)]
pub struct Frontend {
    /// The folder that holds its `index.html`.
    pub folder: PathBuf,
    /// Its version without the last part: 1.45.21 is `(1, 45)`.
    pub version: (u32, u32),
    /// Whether it is the version that workshops get.
    pub is_pinned: bool,
}

impl Frontend {
    /// The one to test with, as `scripts/fetch-frontend.sh` unpacked it.
    ///
    /// # Errors
    /// When it was not fetched.
    pub fn to_try() -> anyhow::Result<Self> {
        let folder = repository().join("data/frontend");
        let current = folder.join("current");
        let pinned = std::fs::read_link(&current).unwrap_or(current).to_string_lossy().into_owned();
        #[expect(clippy::disallowed_methods, reason = "this is the tests' own setting")]
        let name = std::env::var("ATELIER_TEST_FRONTEND").unwrap_or_else(|_| pinned.clone());
        let folder = folder.join(&name);
        ensure!(
            folder.join("index.html").exists(),
            "{} is missing: run scripts/fetch-frontend.sh first (scripts/test.sh does)",
            folder.display()
        );
        let version = version(&name).with_context(|| format!("{name} is no version of the frontend"))?;
        Ok(Self { folder, version, is_pinned: name == pinned })
    }

    /// Whether an address can name a template to open, which is how a first visit gets the workshop's default workflow.
    #[must_use]
    pub fn opens_templates(&self) -> bool {
        self.version >= (1, 32)
    }
}

fn version(name: &str) -> Option<(u32, u32)> {
    let mut parts = name.split('.').map(str::parse);
    Some((parts.next()?.ok()?, parts.next()?.ok()?))
}
