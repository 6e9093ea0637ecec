//! Uploaded inputs: a name points to content by its hash, so a job keeps the content its name had at submit.

use std::io;

use queue_protocol::{AccountName, FileHash, limits};
use serde::{Deserialize, Serialize};

use super::{Arrived, Entry, Files, StorePath};
use crate::problem::Trouble;

/// What a name points to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// The content.
    pub sha256: FileHash,
    /// Bytes.
    pub size: u64,
}

/// Folders that a browser may upload into besides the input folder: what a camera or a microphone recorded goes to `temp`.
const OTHER_FOLDERS: [&str; 2] = ["temp", "output"];

/// The name under which an upload into a folder is kept: `x.png`, or `x.png [temp]` as graphs name it.
///
/// # Errors
/// [`Trouble::BadRequest`] for a folder that there is not.
pub fn kept_name(name: &str, folder: &str) -> Result<String, Trouble> {
    match folder {
        "input" => Ok(name.to_owned()),
        other if OTHER_FOLDERS.contains(&other) => Ok(format!("{name} [{other}]")),
        _ => Err(Trouble::BadRequest("The type of an upload is input, output or temp.".to_owned())),
    }
}

/// A kept name as the folder has it.
#[must_use]
pub fn shown_name(kept: &str) -> &str {
    let ending = |folder: &&str| kept.strip_suffix(']')?.strip_suffix(*folder)?.strip_suffix(" [");
    OTHER_FOLDERS.iter().find_map(ending).unwrap_or(kept)
}

/// Segments before a kept name.
const NAMES: usize = 3;

fn name_path(participant: &AccountName, name: &str) -> Result<StorePath, Trouble> {
    StorePath::new(&["inputs", participant.as_str(), "names", name])
}

/// Where a content lies.
///
/// # Errors
/// Never for a valid hash.
pub fn content_path(participant: &AccountName, sha256: &FileHash) -> Result<StorePath, Trouble> {
    StorePath::new(&["inputs", participant.as_str(), "content", sha256.as_str()])
}

impl Files {
    /// Gives an upload that arrived a name (`sub/x.png`). As ComfyUI does: the same bytes keep the name, other bytes get
    /// `x (1).png` unless `overwrite`. Answers the name it got.
    ///
    /// # Errors
    /// [`Trouble::BadPath`] for a name that is not one, or [`Trouble::BadRequest`] for one that is a folder's or too deep,
    /// [`Trouble::Full`] for one too many: nothing is kept then.
    pub async fn name_input(
        &self,
        participant: &AccountName,
        name: &str,
        overwrite: bool,
        arrived: &Arrived,
    ) -> Result<String, Trouble> {
        let input = Input { sha256: arrived.written.sha256.clone(), size: arrived.written.size };
        let name = self.free_name(participant, name, overwrite, &input).await?;
        let at = name_path(participant, &name)?.not_too_deep(NAMES)?;
        if self.entry(&at).is_err() && self.names_of(participant).await?.len() >= limits::UPLOADS {
            return Err(Trouble::Full(format!(
                "You have {} uploads, which is the limit. Ask your instructor.",
                limits::UPLOADS
            )));
        }
        let content = content_path(participant, &input.sha256)?;
        let is_new = self.entry(&content).is_err();
        self.keep(arrived, &content)?;
        let named = self.write(&at, serde_json::to_vec(&input)?).await;
        if named.is_err() && is_new {
            self.remove(&content)?;
        }
        named?;
        Ok(name)
    }

    /// Bytes of everything a participant uploaded, each content once.
    ///
    /// # Errors
    /// The file system's.
    pub async fn input_bytes(&self, participant: &AccountName) -> Result<u64, Trouble> {
        let folder = StorePath::new(&["inputs", participant.as_str(), "content"])?;
        Ok(self.list_all(&folder).await?.iter().map(|entry| entry.size).sum())
    }

    async fn free_name(
        &self,
        participant: &AccountName,
        name: &str,
        overwrite: bool,
        input: &Input,
    ) -> Result<String, Trouble> {
        let (stem, ending) =
            name.rsplit_once('.').map_or((name, String::new()), |(s, e)| (s, format!(".{e}")));
        let mut candidate = name.to_owned();
        for n in 1.. {
            match self.input(participant, &candidate).await? {
                Some(other) if !overwrite && other != *input => candidate = format!("{stem} ({n}){ending}"),
                _ => break,
            }
        }
        Ok(candidate)
    }

    /// What a name points to; `None` when there is no such upload.
    ///
    /// # Errors
    /// [`Trouble::BadPath`] for a name that is not one.
    pub async fn input(&self, participant: &AccountName, name: &str) -> Result<Option<Input>, Trouble> {
        match self.read(&name_path(participant, name)?).await {
            Ok(json) => Ok(Some(serde_json::from_slice(&json)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// A participant's uploads into the input folder, by name.
    ///
    /// # Errors
    /// The file system's.
    pub async fn inputs_of(&self, participant: &AccountName) -> Result<Vec<Entry>, Trouble> {
        let names = self.names_of(participant).await?;
        Ok(names.into_iter().filter(|entry| shown_name(&entry.name) == entry.name).collect())
    }

    async fn names_of(&self, participant: &AccountName) -> Result<Vec<Entry>, Trouble> {
        Ok(self.list_all(&StorePath::new(&["inputs", participant.as_str(), "names"])?).await?)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    async fn put(files: &Files, name: &str, bytes: &'static [u8], overwrite: bool) -> String {
        let body = futures_util::stream::iter([Ok::<_, io::Error>(Bytes::from_static(bytes))]);
        let ada = "ada".parse().unwrap();
        let arrived = files.receive(1_000, body).await.unwrap();
        files.name_input(&ada, name, overwrite, &arrived).await.unwrap()
    }

    #[tokio::test]
    async fn the_same_bytes_keep_their_name_and_other_bytes_get_another() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::open(folder.path()).unwrap();
        assert_eq!(put(&files, "x.png", b"one", false).await, "x.png");
        assert_eq!(put(&files, "x.png", b"one", false).await, "x.png");
        assert_eq!(put(&files, "x.png", b"two", false).await, "x (1).png");
        assert_eq!(put(&files, "x.png", b"three", true).await, "x.png");
        let ada = "ada".parse().unwrap();
        assert_eq!(files.input(&ada, "x.png").await.unwrap().unwrap().size, 5);
        assert_eq!(files.inputs_of(&ada).await.unwrap().len(), 2);
        assert!(files.input(&"ben".parse().unwrap(), "x.png").await.unwrap().is_none());
    }

    #[tokio::test]
    async fn what_gets_no_name_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::open(folder.path()).unwrap();
        let ada = "ada".parse().unwrap();
        put(&files, "a", b"one", false).await;
        let body = || futures_util::stream::iter([Ok::<_, io::Error>(Bytes::from_static(b"other"))]);
        let arrived = files.receive(1_000, body()).await.unwrap();
        let refused = files.name_input(&ada, "a/b", false, &arrived).await;
        assert!(matches!(refused, Err(Trouble::BadRequest(_))), "{refused:?}");
        drop(arrived);
        drop(files.receive(1_000, body()).await.unwrap());
        assert!(files.receive(2, body()).await.is_err());
        assert_eq!(files.input_bytes(&ada).await.unwrap(), 3);
        assert_eq!(std::fs::read_dir(folder.path().join("incoming")).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn names_are_counted_and_one_that_is_there_may_get_other_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::open(folder.path()).unwrap();
        let ada = "ada".parse().unwrap();
        put(&files, "x.png", b"one", false).await;
        for n in 1..limits::UPLOADS {
            std::fs::write(folder.path().join(format!("inputs/ada/names/{n}")), "").unwrap();
        }
        let body = futures_util::stream::iter([Ok::<_, io::Error>(Bytes::from_static(b"other"))]);
        let arrived = files.receive(1_000, body).await.unwrap();
        let refused = files.name_input(&ada, "y.png", false, &arrived).await;
        assert!(matches!(refused, Err(Trouble::Full(_))), "{refused:?}");
        assert_eq!(files.input_bytes(&ada).await.unwrap(), 3, "nothing of it is kept");
        put(&files, "x.png", b"three", true).await;
    }
}
