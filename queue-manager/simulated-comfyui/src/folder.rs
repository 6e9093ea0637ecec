//! The base folder with `input`, `output` and `temp`, and the names inside it.

use std::io;
use std::path::{Component, Path, PathBuf};
use std::time::SystemTime;

/// One of the three folders that `ComfyUI` reads and writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Uploads.
    Input,
    /// What `SaveImage` writes.
    Output,
    /// What `PreviewImage` writes.
    Temp,
}

impl Kind {
    pub(crate) fn parse(word: &str) -> Option<Self> {
        match word {
            "input" => Some(Self::Input),
            "output" => Some(Self::Output),
            "temp" => Some(Self::Temp),
            _ => None,
        }
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Output => "output",
            Self::Temp => "temp",
        }
    }
}

/// The base folder.
#[derive(Debug, Clone)]
pub(crate) struct Folder {
    base: PathBuf,
}

/// A name under which the next pictures may be saved.
#[derive(Debug)]
pub(crate) struct SaveName {
    pub(crate) folder: PathBuf,
    pub(crate) subfolder: String,
    pub(crate) stem: String,
    pub(crate) counter: u32,
}

impl Folder {
    /// Makes the three folders.
    pub(crate) fn create(base: PathBuf) -> io::Result<Self> {
        for kind in [Kind::Input, Kind::Output, Kind::Temp] {
            std::fs::create_dir_all(base.join(kind.word()))?;
        }
        Ok(Self { base })
    }

    pub(crate) fn of(&self, kind: Kind) -> PathBuf {
        self.base.join(kind.word())
    }

    /// The path of `relative` in one of the folders, or `None` if it would lead out of it.
    pub(crate) fn inside(&self, kind: Kind, relative: &str) -> Option<PathBuf> {
        Some(self.of(kind).join(normalised(relative)?))
    }

    /// The path that a node means by `sub/in.png` or `in.png [output]`.
    pub(crate) fn named(&self, name: &str) -> Option<PathBuf> {
        let (name, kind) = annotated(name);
        self.inside(kind.unwrap_or(Kind::Input), name)
    }

    /// Files directly in a folder, the newest first.
    pub(crate) fn newest_first(&self, kind: Kind) -> Vec<String> {
        let mut files = self.files(kind);
        files.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
        files.into_iter().map(|(name, _)| name).collect()
    }

    /// Pictures directly in a folder, by name.
    pub(crate) fn pictures(&self, kind: Kind) -> Vec<String> {
        let is_picture = |name: &String| {
            let extension = Path::new(name).extension().and_then(|extension| extension.to_str());
            matches!(extension, Some("png" | "jpg" | "jpeg" | "webp" | "gif" | "bmp" | "tiff" | "avif"))
        };
        let names = self.files(kind).into_iter().map(|(name, _)| name);
        let mut names: Vec<String> = names.filter(is_picture).collect();
        names.sort();
        names
    }

    /// Hidden files are left out, as the real server does.
    fn files(&self, kind: Kind) -> Vec<(String, SystemTime)> {
        let Ok(entries) = std::fs::read_dir(self.of(kind)) else {
            return Vec::new();
        };
        entries
            .filter_map(Result::ok)
            .filter_map(|entry| {
                let meta = entry.metadata().ok().filter(std::fs::Metadata::is_file)?;
                let name = entry.file_name().into_string().ok().filter(|name| !name.starts_with('.'))?;
                Some((name, meta.modified().ok()?))
            })
            .collect()
    }

    /// The folder, the stem and the next free number for a `filename_prefix`; `None` if it leads out of the folder.
    pub(crate) fn save_name(&self, kind: Kind, prefix: &str) -> io::Result<Option<SaveName>> {
        let Some(relative) = normalised(prefix) else {
            return Ok(None);
        };
        let stem = relative.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let parent = relative.parent().unwrap_or_else(|| Path::new(""));
        let folder = self.of(kind).join(parent);
        std::fs::create_dir_all(&folder)?;
        let counter = highest(&folder, &stem)? + 1;
        let subfolder = parent.to_string_lossy().into_owned();
        Ok(Some(SaveName { folder, subfolder, stem, counter }))
    }
}

/// `in.png [output]` names a folder as well; without it the caller's own default holds.
pub(crate) fn annotated(name: &str) -> (&str, Option<Kind>) {
    for kind in [Kind::Input, Kind::Output, Kind::Temp] {
        let bare = name.strip_suffix(']').and_then(|rest| rest.strip_suffix(kind.word()));
        if let Some(bare) = bare.and_then(|rest| rest.strip_suffix('[')) {
            return (bare.trim_end(), Some(kind));
        }
    }
    (name, None)
}

/// The highest number among `stem_00001_.png` and its kind.
fn highest(folder: &Path, stem: &str) -> io::Result<u32> {
    let mut highest = 0;
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let digits = name.strip_prefix(stem).and_then(|rest| rest.strip_prefix('_'));
        let digits = digits.and_then(|rest| rest.split('_').next());
        if let Some(number) = digits.and_then(|digits| digits.parse().ok()) {
            highest = highest.max(number);
        }
    }
    Ok(highest)
}

/// Resolves `.` and `..` by the letters alone; `None` for absolute paths and those that climb out.
fn normalised(relative: &str) -> Option<PathBuf> {
    let mut clean = PathBuf::new();
    for part in Path::new(relative).components() {
        match part {
            Component::Normal(part) => clean.push(part),
            Component::CurDir => {}
            Component::ParentDir => {
                if !clean.pop() {
                    return None;
                }
            }
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(clean)
}

#[cfg(test)]
mod tests {
    use super::{Kind, annotated, normalised};

    #[test]
    fn a_path_that_climbs_out_has_no_place() {
        assert!(normalised("../evil").is_none());
        assert!(normalised("a/../../evil").is_none());
        assert!(normalised("/abs/evil").is_none());
        assert_eq!(normalised("a/./b/../c").unwrap(), std::path::Path::new("a/c"));
    }

    #[test]
    fn a_name_may_say_which_folder_it_means() {
        assert_eq!(annotated("in.png [output]"), ("in.png", Some(Kind::Output)));
        assert_eq!(annotated("in.png"), ("in.png", None));
    }
}
