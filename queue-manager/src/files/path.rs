//! Paths beneath the store's folder, checked when they are made.

use queue_protocol::limits;

use crate::problem::Trouble;

/// A relative path of plain segments: never empty, never `.` or `..`, no separator or NUL inside a segment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StorePath(String);

fn is_plain(segment: &str) -> bool {
    !segment.is_empty()
        && segment.len() <= 255
        && segment != "."
        && segment != ".."
        && !segment.contains(['/', '\\', '\0'])
        && !segment.chars().any(char::is_control)
}

impl StorePath {
    /// Joins segments, each of which may itself be several joined by `/`, as browsers send them.
    ///
    /// # Errors
    /// [`Trouble::BadPath`] when any segment is not plain.
    pub fn new(parts: &[&str]) -> Result<Self, Trouble> {
        let joined = parts.iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join("/");
        if joined.is_empty() || joined.len() > 1_024 || !joined.split('/').all(is_plain) {
            return Err(Trouble::BadPath);
        }
        Ok(Self(joined))
    }

    /// The same, if folders in the folder that `own` segments name are not nested too deep.
    ///
    /// # Errors
    /// [`Trouble::BadRequest`] when they are.
    pub fn not_too_deep(self, own: usize) -> Result<Self, Trouble> {
        if self.0.split('/').count() > own + limits::FOLDERS + 1 {
            return Err(Trouble::BadRequest(format!(
                "Folders may be nested {} deep and no deeper.",
                limits::FOLDERS
            )));
        }
        Ok(self)
    }

    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last segment.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// Everything before the last segment.
    #[must_use]
    pub fn folder(&self) -> Option<&str> {
        self.0.rsplit_once('/').map(|(folder, _)| folder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_beneath_its_folder() {
        for bad in ["..", "a/../b", "/etc/passwd", "a//b", "a\\b", "a\0b", ".", "a/.", "\n"] {
            assert!(StorePath::new(&["inputs", bad]).is_err(), "{bad:?}");
        }
        assert_eq!(StorePath::new(&["inputs", "", "a b.png"]).unwrap().as_str(), "inputs/a b.png");
    }
}
