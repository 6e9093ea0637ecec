//! Files, in a folder: inputs, outputs, what a person saved in their tab. Every path is checked when it is made and
//! resolved beneath the folder, so neither `..` nor a symlink leads out.

pub mod inputs;
pub mod outputs;
pub mod path;

use std::io::{self, Read, Write};
use std::iter;
use std::path::Path;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use bytes::Bytes;
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use futures_util::{Stream, StreamExt, stream};
use queue_protocol::FileHash;
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;

pub use path::StorePath;

/// The file store.
#[derive(Clone)]
pub struct Files {
    root: Arc<Dir>,
}

/// What lists show of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Relative to the folder that was listed, with `/` between folders.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// Last change in ms since 1970, by the file system's clock.
    pub modified_ms: u64,
}

/// Where files lie until they have come as a whole.
const INCOMING: &str = "incoming";

/// So much is hashed and written at a time: the whole of a large file would keep others waiting.
const PIECE: usize = 256 * 1024;

/// Folders that a path begins with and that stay: of one kind, and of one account.
const OWN: usize = 2;

/// A file that began to arrive so long ago will not end.
const OLD_MS: u64 = 24 * 3600 * 1_000;

/// A file that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// SHA-256 of what came.
    pub sha256: FileHash,
    /// Bytes.
    pub size: u64,
}

/// A file that came as a whole and has no place yet. Goes when it is dropped.
pub struct Arrived {
    incoming: Incoming,
    /// What it is.
    pub written: Written,
}

impl Arrived {
    /// All of it.
    ///
    /// # Errors
    /// The file system's.
    pub async fn read(&self) -> io::Result<Vec<u8>> {
        self.incoming.files.read_at(&self.incoming.name).await
    }
}

/// The file itself, until it is dropped.
struct Incoming {
    files: Files,
    name: String,
}

impl Drop for Incoming {
    fn drop(&mut self) {
        // One that got its place is not there any more.
        drop(self.files.root.remove_file(&self.name));
    }
}

/// What is asked for by a name that goes through a file, or that is a folder, is not there.
fn missing(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory => io::ErrorKind::NotFound.into(),
        _ => error,
    }
}

impl Files {
    /// Opens the folder, made when it is missing.
    ///
    /// # Errors
    /// When it cannot be made or opened.
    pub fn open(folder: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let root = Dir::open_ambient_dir(folder, ambient_authority())?;
        root.create_dir_all(INCOMING)?;
        let files = Self { root: Arc::new(root) };
        files.forget_old_arrivals()?;
        Ok(files)
    }

    /// Removes what a process that ended left half arrived. Another process may be receiving beside us, so the young stay.
    fn forget_old_arrivals(&self) -> io::Result<()> {
        let probe = Self::incoming();
        let now_ms = modified_ms(&self.root.create(&probe)?.metadata()?);
        self.root.remove_file(&probe)?;
        for entry in self.root.read_dir(INCOMING)? {
            let entry = entry?;
            if now_ms.saturating_sub(modified_ms(&entry.metadata()?)) > OLD_MS {
                entry.remove_file()?;
            }
        }
        Ok(())
    }

    fn incoming() -> String {
        format!("{INCOMING}/{}", uuid::Uuid::new_v4())
    }

    /// Writes a whole file; readers see the old one or the new one.
    ///
    /// # Errors
    /// The file system's; the old file is as it was.
    pub async fn write(&self, path: &StorePath, bytes: impl Into<Bytes>) -> io::Result<Written> {
        let mut rest: Bytes = bytes.into();
        let pieces = iter::from_fn(move || {
            let piece = rest.split_to(rest.len().min(PIECE));
            (!piece.is_empty()).then_some(Ok::<_, io::Error>(piece))
        });
        self.write_stream(path, u64::MAX, stream::iter(pieces)).await
    }

    /// Writes a file as it arrives, at most `limit` bytes.
    ///
    /// # Errors
    /// [`io::ErrorKind::FileTooLarge`] past the limit, the sender's, or the file system's; nothing is left behind.
    pub async fn write_stream<S, E>(&self, path: &StorePath, limit: u64, mut body: S) -> io::Result<Written>
    where
        S: Stream<Item = Result<Bytes, E>> + Unpin,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let arrived = self.receive(limit, &mut body).await?;
        self.keep(&arrived, path)?;
        Ok(arrived.written.clone())
    }

    /// Takes a file in as it arrives, at most `limit` bytes, under no name: it is gone when what is answered is dropped.
    ///
    /// # Errors
    /// [`io::ErrorKind::FileTooLarge`] past the limit, the sender's, or the file system's; nothing is left behind.
    pub async fn receive<S, E>(&self, limit: u64, mut body: S) -> io::Result<Arrived>
    where
        S: Stream<Item = Result<Bytes, E>> + Unpin,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let incoming = Self::incoming();
        let file = tokio::fs::File::from_std(self.root.create(&incoming)?.into_std());
        // From here on it is removed, whatever becomes of this request.
        let incoming = Incoming { files: self.clone(), name: incoming };
        let written = receive(file, limit, &mut body).await?;
        Ok(Arrived { incoming, written })
    }

    /// Gives what arrived its place; readers see the old file or the new one.
    ///
    /// # Errors
    /// The file system's; the old file is as it was.
    pub fn keep(&self, arrived: &Arrived, path: &StorePath) -> io::Result<()> {
        if let Some(folder) = path.folder() {
            self.root.create_dir_all(folder)?;
        }
        self.root.rename(&arrived.incoming.name, &self.root, path.as_str())
    }

    /// Opens a file for reading, with its size.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] also for a folder.
    pub fn open_file(&self, path: &StorePath) -> io::Result<(tokio::fs::File, u64)> {
        let file = self.root.open(path.as_str()).map_err(missing)?;
        let about = file.metadata()?;
        if !about.is_file() {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok((tokio::fs::File::from_std(file.into_std()), about.len()))
    }

    /// A whole small file.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] also for a folder.
    pub async fn read(&self, path: &StorePath) -> io::Result<Vec<u8>> {
        self.read_at(path.as_str()).await
    }

    async fn read_at(&self, path: &str) -> io::Result<Vec<u8>> {
        let file = self.root.open(path).map_err(missing)?;
        tokio::task::spawn_blocking(move || {
            let mut bytes = Vec::new();
            file.into_std().read_to_end(&mut bytes).map(|_| bytes).map_err(missing)
        })
        .await
        .map_err(io::Error::other)?
    }

    /// One file's entry.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] also for a folder.
    pub fn entry(&self, path: &StorePath) -> io::Result<Entry> {
        let about = self.root.metadata(path.as_str()).map_err(missing)?;
        if !about.is_file() {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(Entry { name: path.name().to_owned(), size: about.len(), modified_ms: modified_ms(&about) })
    }

    /// The files of a folder and, with `recurse`, of the folders in it; sorted by name.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] when there is no such folder.
    pub async fn list(&self, folder: &StorePath, recurse: bool) -> io::Result<Vec<Entry>> {
        let (root, folder) = (Arc::clone(&self.root), folder.clone());
        let listed = tokio::task::spawn_blocking(move || {
            let mut entries = collect(&root.open_dir(folder.as_str())?, recurse)?;
            entries.sort_by(|a, b| a.name.cmp(&b.name));
            Ok(entries)
        });
        listed.await.map_err(io::Error::other)?
    }

    /// The same of a folder that comes into being with its first file.
    ///
    /// # Errors
    /// The file system's.
    pub async fn list_all(&self, folder: &StorePath) -> io::Result<Vec<Entry>> {
        match self.list(folder, true).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            listed => listed,
        }
    }

    /// Moves a file; folders that it leaves empty go.
    ///
    /// # Errors
    /// The file system's; both files are as they were.
    pub fn rename(&self, from: &StorePath, to: &StorePath) -> io::Result<()> {
        if let Some(folder) = to.folder() {
            self.root.create_dir_all(folder)?;
        }
        self.root.rename(from.as_str(), &self.root, to.as_str())?;
        self.drop_empty_folders(from);
        Ok(())
    }

    /// Removes a file, and folders that it leaves empty.
    ///
    /// # Errors
    /// The file system's.
    pub fn remove(&self, path: &StorePath) -> io::Result<()> {
        self.root.remove_file(path.as_str())?;
        self.drop_empty_folders(path);
        Ok(())
    }

    fn drop_empty_folders(&self, file: &StorePath) {
        let mut folder = file.folder();
        while let Some(empty) = folder.filter(|folder| folder.split('/').count() > OWN) {
            // One that holds something stays, and those around it.
            if self.root.remove_dir(empty).is_err() {
                return;
            }
            folder = empty.rsplit_once('/').map(|(around, _)| around);
        }
    }

    /// Bytes that are free on the disk, for us.
    ///
    /// # Errors
    /// The file system's.
    pub fn free(&self) -> io::Result<u64> {
        let disk = rustix::fs::fstatvfs(&*self.root)?;
        Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
    }

    /// Whether a small file can be written and taken away again: the readiness of the disk.
    ///
    /// # Errors
    /// The file system's, which is the answer.
    pub fn probe(&self) -> io::Result<()> {
        let probe = Self::incoming();
        self.root.create(&probe)?.into_std().write_all(b"ready")?;
        self.root.remove_file(&probe)
    }
}

async fn receive<S, E>(mut file: tokio::fs::File, limit: u64, body: &mut S) -> io::Result<Written>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut hash = Sha256::new();
    let mut size = 0;
    while let Some(chunk) = body.next().await {
        // No file system says so: whoever sends it broke off, or sent what is no form.
        let chunk = chunk.map_err(|error| io::Error::new(io::ErrorKind::ConnectionAborted, error))?;
        size += chunk.len() as u64;
        if size > limit {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        hash.update(&chunk);
        file.write_all(&chunk).await?;
    }
    file.flush().await?;
    let sha256 = hex::encode(hash.finalize()).parse().map_err(io::Error::other)?;
    Ok(Written { sha256, size })
}

/// One folder after the other, so that no depth takes more than one of them open. What goes meanwhile is not there.
fn collect(top: &Dir, recurse: bool) -> io::Result<Vec<Entry>> {
    let (mut entries, mut folders) = (Vec::new(), vec![String::new()]);
    while let Some(prefix) = folders.pop() {
        let Some(items) = there(top.read_dir(if prefix.is_empty() { "." } else { &prefix }))? else {
            continue;
        };
        for item in items {
            let item = item?;
            let Ok(name) = item.file_name().into_string() else {
                continue;
            };
            let kind = item.file_type()?;
            if kind.is_dir() && recurse {
                folders.push(format!("{prefix}{name}/"));
            } else if kind.is_file()
                && let Some(about) = there(item.metadata())?
            {
                let name = format!("{prefix}{name}");
                entries.push(Entry { name, size: about.len(), modified_ms: modified_ms(&about) });
            }
        }
    }
    Ok(entries)
}

fn there<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        found => found.map(Some),
    }
}

fn modified_ms(about: &cap_std::fs::Metadata) -> u64 {
    about
        .modified()
        .ok()
        .and_then(|time| time.into_std().duration_since(UNIX_EPOCH).ok())
        .and_then(|since| u64::try_from(since.as_millis()).ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests;
