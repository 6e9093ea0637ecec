//! A secret from a variable or from a file.

use std::path::Path;

use anyhow::Context;
use queue_protocol::Secret;

/// What was set directly, else what the file holds, without the white space around it.
///
/// # Errors
/// When the file cannot be read; the error names it.
pub(super) fn read(direct: Option<&Secret>, file: Option<&Path>) -> anyhow::Result<Option<Secret>> {
    match (direct, file) {
        (Some(secret), _) => Ok(Some(secret.clone())),
        (None, Some(path)) => {
            let text = std::fs::read_to_string(path);
            let text = text.with_context(|| format!("cannot read the secret in {}", path.display()))?;
            Ok(Some(text.trim().to_owned().into()))
        }
        (None, None) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_direct_one_wins_a_file_is_trimmed_and_a_missing_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        std::fs::write(&path, " from the file\n").unwrap();
        let direct = Secret::from("direct".to_owned());
        assert_eq!(read(Some(&direct), Some(&path)).unwrap(), Some(direct));
        assert_eq!(read(None, Some(&path)).unwrap().unwrap().expose(), "from the file");
        assert_eq!(read(None, None).unwrap(), None);
        let missing = read(None, Some(Path::new("/nowhere/password"))).unwrap_err();
        assert!(format!("{missing:#}").contains("/nowhere/password"));
    }
}
