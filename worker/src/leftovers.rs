//! What earlier jobs have left on this machine: inputs in the cache and in ComfyUI's input folder, and outputs that the
//! queue-manager has long had. What is old goes, and the oldest beyond a size; nothing outside this worker's own folders,
//! and nothing of the job that runs.

use std::fs::{self, DirEntry, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use queue_protocol::{FileHash, JobId, WorkerName};

/// A disk with less than this, and with less than a tenth of itself, is nearly full.
const NEARLY_FULL: u64 = 5_000_000_000;

/// How much is kept, and where ComfyUI has its part of it.
#[derive(Debug, Clone)]
pub struct Keep {
    /// How long.
    pub age: Duration,
    /// How many bytes.
    pub bytes: u64,
    /// ComfyUI's own folder; `None` when its files are not ours to remove.
    pub comfyui: Option<PathBuf>,
}

/// The leftovers of one worker.
#[derive(Debug, Clone)]
pub struct Leftovers {
    keep: Keep,
    cache: PathBuf,
    worker: WorkerName,
}

struct Leftover {
    path: PathBuf,
    is_folder: bool,
    age: Duration,
    bytes: u64,
}

impl Leftover {
    fn new(path: PathBuf, about: &Metadata, bytes: u64) -> Self {
        // One from the future is a clock that was set back.
        let age = about.modified().ok().and_then(|at| at.elapsed().ok()).unwrap_or_default();
        Self { path, is_folder: about.is_dir(), age, bytes }
    }

    fn remove(&self) -> io::Result<()> {
        if self.is_folder { fs::remove_dir_all(&self.path) } else { fs::remove_file(&self.path) }
    }
}

impl Leftovers {
    /// Those of `worker`, with its inputs beneath `cache`.
    #[must_use]
    pub fn new(keep: Keep, cache: PathBuf, worker: WorkerName) -> Self {
        Self { keep, cache, worker }
    }

    /// Removes what is too much, before the job `running` needs room. No job waits for what cannot be removed.
    pub(crate) fn tidy(&self, running: JobId) {
        let mut found = self.found(running);
        found.sort_unstable_by_key(|leftover| leftover.age);
        let (mut kept, mut removed) = (0, 0_usize);
        let mut failed = None;
        for leftover in found {
            if leftover.age < self.keep.age && kept + leftover.bytes <= self.keep.bytes {
                kept += leftover.bytes;
                continue;
            }
            match leftover.remove() {
                Ok(()) => removed += 1,
                Err(error) => failed = Some((leftover.path, error)),
            }
        }
        if removed > 0 {
            tracing::info!(removed, "removed what earlier jobs had left on this machine");
        }
        if let Some((path, error)) = failed {
            tracing::warn!(path = %path.display(), %error, "what an earlier job left cannot be removed");
        }
        self.warn_of_a_full_disk();
    }

    fn found(&self, running: JobId) -> Vec<Leftover> {
        let mut found = Vec::new();
        add_files(&self.cache.join(self.worker.as_str()), &mut found);
        if let Some(comfyui) = &self.keep.comfyui {
            let own = |folder: &str| comfyui.join(folder).join("atelier").join(self.worker.as_str());
            for participant in entries(&own("input")).into_iter().filter(is_folder) {
                add_files(&participant.path(), &mut found);
            }
            let others = |entry: &DirEntry| {
                let job = entry.file_name().to_str().and_then(|name| name.parse::<JobId>().ok());
                is_folder(entry) && job.is_some_and(|job| job != running)
            };
            for job in entries(&own("output")).into_iter().filter(others) {
                if let Ok(about) = job.metadata() {
                    found.push(Leftover::new(job.path(), &about, size(&job.path())));
                }
            }
        }
        found
    }

    fn warn_of_a_full_disk(&self) {
        for folder in std::iter::once(&self.cache).chain(&self.keep.comfyui) {
            let Ok(disk) = rustix::fs::statvfs(folder) else { continue };
            let free = disk.f_bavail.saturating_mul(disk.f_frsize);
            let total = disk.f_blocks.saturating_mul(disk.f_frsize);
            if free < NEARLY_FULL.min(total / 10) {
                let (folder, free_mb) = (folder.display(), free / 1_000_000);
                tracing::warn!(%folder, free_mb, "the disk of this folder is nearly full; jobs that write much will fail");
            }
        }
    }
}

/// What is in a folder; nothing when it is not there.
fn entries(folder: &Path) -> Vec<DirEntry> {
    fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok).collect()
}

/// A link to one is none.
fn is_folder(entry: &DirEntry) -> bool {
    entry.file_type().is_ok_and(|kind| kind.is_dir())
}

/// Adds the files that are called by their content, with or without an ending.
fn add_files(folder: &Path, found: &mut Vec<Leftover>) {
    for entry in entries(folder) {
        let path = entry.path();
        let is_ours = path.file_stem().and_then(|stem| stem.to_str()).is_some_and(is_hash);
        if let Some(about) = entry.metadata().ok().filter(|about| is_ours && about.is_file()) {
            found.push(Leftover::new(path, &about, about.len()));
        }
    }
}

fn is_hash(name: &str) -> bool {
    name.parse::<FileHash>().is_ok()
}

fn size(folder: &Path) -> u64 {
    let of = |entry: DirEntry| match entry.metadata() {
        Ok(about) if about.is_dir() => size(&entry.path()),
        about => about.map_or(0, |about| about.len()),
    };
    entries(folder).into_iter().map(of).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    /// A worker's folders on a disk, and what lies beside them.
    struct Disk(tempfile::TempDir);

    impl Disk {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn leftovers(&self, bytes: u64) -> Leftovers {
            let keep = Keep { age: 24 * HOUR, bytes, comfyui: Some(self.0.path().join("comfyui")) };
            Leftovers::new(keep, self.0.path().join("cache"), "gpu-1".parse().unwrap())
        }

        /// A file of ten bytes, and so old; with its folder, if that is a job's.
        fn put(&self, path: &str, hours: u32) -> PathBuf {
            let file = self.0.path().join(path);
            let folder = file.parent().unwrap();
            fs::create_dir_all(folder).unwrap();
            fs::write(&file, "0123456789").unwrap();
            for path in [file.as_path(), folder] {
                let open = fs::File::open(path).unwrap();
                let now = open.metadata().unwrap().modified().unwrap();
                open.set_modified(now - hours * HOUR).unwrap();
            }
            file
        }
    }

    #[test]
    fn what_is_old_goes_from_this_workers_own_folders_and_from_nowhere_else() {
        let (disk, job, running) = (Disk::new(), JobId::random(), JobId::random());
        let hash = "a".repeat(64);
        let old = [
            format!("cache/gpu-1/{hash}"),
            format!("comfyui/input/atelier/gpu-1/user001/{hash}.png"),
            format!("comfyui/output/atelier/gpu-1/{job}/films/take_00001_.mp4"),
        ]
        .map(|path| disk.put(&path, 48));
        // The folder of a job is as old as what was last put into it.
        disk.put(&format!("comfyui/output/atelier/gpu-1/{job}/picture.png"), 48);
        let others = [
            format!("cache/gpu-2/{hash}"),
            "cache/gpu-1/notes.txt".to_owned(),
            "comfyui/input/photo.png".to_owned(),
            format!("comfyui/input/{hash}.png"),
            "comfyui/input/atelier/gpu-1/user001/photo.png".to_owned(),
            format!("comfyui/output/{job}/picture.png"),
            format!("comfyui/output/atelier/gpu-2/{job}/picture.png"),
            "comfyui/output/atelier/gpu-1/mine/picture.png".to_owned(),
            format!("comfyui/output/atelier/gpu-1/{running}/picture.png"),
            format!("elsewhere/{job}/picture.png"),
        ]
        .map(|path| disk.put(&path, 48));
        let link = disk.0.path().join("comfyui/output/atelier/gpu-1").join(JobId::random().to_string());
        std::os::unix::fs::symlink(disk.0.path().join("elsewhere"), &link).unwrap();
        let young = disk.put(&format!("cache/gpu-1/{}", "b".repeat(64)), 1);
        disk.leftovers(1_000).tidy(running);
        assert!(old.iter().all(|path| !path.exists()), "{old:?}");
        assert!(others.iter().chain([&young, &link]).all(|path| path.exists()), "{others:?}");
    }

    #[test]
    fn beyond_a_size_the_oldest_go() {
        let disk = Disk::new();
        let file = |letter: &str, hours| disk.put(&format!("cache/gpu-1/{}", letter.repeat(64)), hours);
        let [oldest, older, newest] = [file("a", 3), file("b", 2), file("c", 1)];
        disk.leftovers(25).tidy(JobId::random());
        assert!(!oldest.exists() && older.exists() && newest.exists());
    }
}
