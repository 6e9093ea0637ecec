//! Inputs on this machine, by content, in a folder of this worker's own: two workers on one box never share a file that
//! is still arriving.

use std::io;
use std::path::{Path, PathBuf};

use queue_client::ClientError;
use queue_protocol::{FileHash, WorkerName};

const ARRIVING: &str = "arriving-";

/// The inputs of one worker.
#[derive(Debug, Clone)]
pub struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// The cache beneath `base`. What was arriving when the last process of this worker ended is thrown away.
    ///
    /// # Errors
    /// When the folder cannot be used.
    pub fn open(base: &Path, worker: &WorkerName) -> io::Result<Self> {
        let folder = base.join(worker.as_str());
        std::fs::create_dir_all(&folder)?;
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(ARRIVING) {
                std::fs::remove_file(entry.path())?;
            }
        }
        Ok(Self { folder })
    }

    /// The file with this content; `None` when it is not here.
    pub(crate) async fn find(&self, sha256: &FileHash, size: u64) -> Option<PathBuf> {
        let path = self.folder.join(sha256.as_str());
        tokio::fs::metadata(&path).await.is_ok_and(|about| about.len() == size).then_some(path)
    }

    /// Fetches what is not here yet, beside its place: one that is cut, or not wanted any more, leaves nothing.
    ///
    /// # Errors
    /// The fetch's; [`ClientError::Unexpected`] when the file cannot be written or is not as long as it should be.
    pub(crate) async fn get(
        &self,
        sha256: &FileHash,
        size: u64,
        fetch: impl AsyncFnOnce(&Path) -> Result<(), ClientError>,
    ) -> Result<PathBuf, ClientError> {
        if let Some(path) = self.find(sha256, size).await {
            return Ok(path);
        }
        let local = |error: io::Error| ClientError::Unexpected(format!("{}: {error}", self.folder.display()));
        let arriving = tempfile::Builder::new().prefix(ARRIVING).tempfile_in(&self.folder).map_err(local)?;
        fetch(arriving.path()).await?;
        let arrived = tokio::fs::metadata(arriving.path()).await.map_err(local)?.len();
        if arrived != size {
            return Err(ClientError::Unexpected(format!("an input has {arrived} bytes in place of {size}")));
        }
        let path = self.folder.join(sha256.as_str());
        arriving.persist(&path).map_err(|error| local(error.error))?;
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worker(name: &str) -> WorkerName {
        name.parse().unwrap()
    }

    #[tokio::test]
    async fn an_input_is_fetched_once_and_a_cut_one_leaves_nothing() {
        let base = tempfile::tempdir().unwrap();
        let cache = Cache::open(base.path(), &worker("gpu-1")).unwrap();
        let hash: FileHash = "a".repeat(64).parse().unwrap();
        let write = async |path: &Path| {
            std::fs::write(path, b"abc").unwrap();
            Ok(())
        };
        assert!(cache.get(&hash, 4, write).await.is_err(), "too short");
        assert_eq!(std::fs::read_dir(base.path().join("gpu-1")).unwrap().count(), 0);
        let path = cache.get(&hash, 3, write).await.unwrap();
        let again = cache.get(&hash, 3, async |_| panic!("it is here")).await.unwrap();
        assert_eq!((&path, std::fs::read(&path).unwrap().as_slice()), (&again, b"abc".as_slice()));
    }

    #[test]
    fn two_workers_on_one_box_have_a_folder_each() {
        let base = tempfile::tempdir().unwrap();
        Cache::open(base.path(), &worker("gpu-1")).unwrap();
        let arriving = base.path().join("gpu-1/arriving-x");
        std::fs::write(&arriving, b"half").unwrap();
        Cache::open(base.path(), &worker("gpu-2")).unwrap();
        assert!(arriving.exists(), "what arrives for another worker is left alone");
        Cache::open(base.path(), &worker("gpu-1")).unwrap();
        assert!(!arriving.exists());
    }
}
