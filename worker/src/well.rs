//! A sign that the worker is well, in a file: its link is open, the queue-manager answers on it, and ComfyUI is alive.
//! `worker healthcheck`, a container's health check, looks how old it is. Workers that share a cache folder share the sign.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use queue_protocol::timings;

/// Renewals are answered every 5 s; two may be late.
const FRESH: Duration = timings::RENEW_EVERY.saturating_mul(3);

fn sign(cache: &Path) -> PathBuf {
    cache.join("well")
}

/// Gives the sign. A folder that cannot be written is somebody else's to report: the job's files go there too.
pub(crate) fn say(cache: &Path) {
    if let Err(error) = std::fs::write(sign(cache), "") {
        tracing::debug!(%error, "no sign of being well could be given");
    }
}

/// Looks for a fresh sign.
///
/// # Errors
/// When there is none: the link is not open, or ComfyUI does not answer.
pub fn check(cache: &Path) -> anyhow::Result<()> {
    let path = sign(cache);
    let given = std::fs::metadata(&path).and_then(|about| about.modified());
    let given = given.with_context(|| format!("no sign in {}: the link was never open", path.display()))?;
    // One from the future is a clock that was set back.
    let age = given.elapsed().unwrap_or_default();
    if age > FRESH {
        bail!("the last sign is {} s old: the link is not open, or ComfyUI does not answer", age.as_secs());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn an_old_sign_and_none_at_all_are_not_well() {
        let folder = tempfile::tempdir().unwrap();
        assert!(check(folder.path()).unwrap_err().to_string().contains("never open"));
        say(folder.path());
        check(folder.path()).unwrap();
        let file = File::options().write(true).open(sign(folder.path())).unwrap();
        let now = file.metadata().unwrap().modified().unwrap();
        file.set_modified(now - FRESH - Duration::from_secs(1)).unwrap();
        assert!(check(folder.path()).unwrap_err().to_string().contains("old"));
        file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
        assert!(check(folder.path()).is_err());
    }
}
