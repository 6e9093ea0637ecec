//! Settings of the seats: example workflows, and how much one participant may save.

use std::path::PathBuf;

use crate::seat::container::ContainerSeat;
use crate::workflow::policy::{Policy, REFUSED};

use anyhow::bail;
use clap::{Args, value_parser};

/// Settings of the seats.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Seats")]
pub struct SeatSettings {
    /// Folder of example workflows, `*.json` as ComfyUI saves them; every seat offers them among its templates.
    #[arg(
        long,
        env = "ATELIER_WORKFLOWS",
        value_name = "PATH",
        default_value = "data/workflows",
        global = true
    )]
    pub workflows: PathBuf,

    /// The example workflow that a participant's first visit opens, as its file is called; ComfyUI's own when not set.
    #[arg(long, env = "ATELIER_DEFAULT_WORKFLOW", value_name = "FILE", global = true)]
    pub default_workflow: Option<String>,

    /// Node classes that may not run, commas between. The list that holds without it has nodes that evaluate code, read any
    /// path, or change what all jobs share.
    #[arg(long, env = "ATELIER_REFUSED_NODES", value_name = "CLASSES", value_delimiter = ',', default_values_t = REFUSED.iter().map(ToString::to_string), global = true)]
    pub refused_nodes: Vec<String>,

    /// Node classes that may run, commas between; all that are not refused when not set.
    #[arg(long, env = "ATELIER_ALLOWED_NODES", value_name = "CLASSES", value_delimiter = ',', global = true)]
    pub allowed_nodes: Vec<String>,

    /// Megabytes of workflows and other small files that one participant may save in their seat.
    #[arg(long, env = "ATELIER_SAVED_MB", value_name = "MB", value_parser = value_parser!(u64).range(1..=100_000), default_value_t = 200, global = true)]
    pub saved_mb: u64,

    /// Number of files that one participant may save in their seat.
    #[arg(long, env = "ATELIER_SAVED_FILES", value_name = "FILES", value_parser = value_parser!(u64).range(1..=1_000_000), default_value_t = 2_000, global = true)]
    pub saved_files: u64,

    /// Megabytes of uploads that one participant may have.
    #[arg(long, env = "ATELIER_UPLOADS_MB", value_name = "MB", value_parser = value_parser!(u64).range(1..=10_000_000), default_value_t = 4_000, global = true)]
    pub uploads_mb: u64,

    /// Participants whose seat is a ComfyUI of their own in a container, as `NAME=http://HOST:PORT`, commas between;
    /// `scripts/generate-users.sh` writes it. All others have light seats.
    #[arg(long, env = "ATELIER_CONTAINER_SEATS", value_name = "SEATS", value_delimiter = ',', global = true)]
    pub container_seats: Vec<ContainerSeat>,
}

impl SeatSettings {
    /// Which node classes may run.
    #[must_use]
    pub fn policy(&self) -> Policy {
        Policy::of(&self.allowed_nodes, &self.refused_nodes)
    }

    /// The default workflow as a template is called: its file without `.json`.
    #[must_use]
    pub fn default_template(&self) -> Option<&str> {
        let file = self.default_workflow.as_deref().filter(|file| !file.is_empty())?;
        Some(file.strip_suffix(".json").unwrap_or(file))
    }

    /// Stops a start whose default workflow is not there.
    ///
    /// # Errors
    /// When there is no such file, or the frontend could not ask for it by its name.
    pub fn check(&self) -> anyhow::Result<()> {
        let Some(name) = self.default_template() else { return Ok(()) };
        if !is_template_name(name) {
            bail!(
                "ATELIER_DEFAULT_WORKFLOW={name}: ComfyUI opens only files whose names are of a-z A-Z 0-9 . _ -, \
                 so give the file such a name."
            );
        }
        let path = self.workflows.join(format!("{name}.json"));
        if !path.is_file() {
            bail!(
                "ATELIER_DEFAULT_WORKFLOW: there is no {}. Put the file there or name another.",
                path.display()
            );
        }
        Ok(())
    }
}

/// Whether the frontend takes a name from the page's address.
fn is_template_name(name: &str) -> bool {
    !name.starts_with('.') && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn settings(folder: &Path, file: &str) -> SeatSettings {
        let default_workflow = Some(file.to_owned());
        SeatSettings {
            workflows: folder.to_owned(),
            default_workflow,
            saved_mb: 1,
            saved_files: 1,
            refused_nodes: Vec::new(),
            allowed_nodes: Vec::new(),
            uploads_mb: 1,
            container_seats: Vec::new(),
        }
    }

    #[test]
    fn a_default_workflow_that_cannot_be_opened_stops_the_start() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("first.v2.json"), "{}").unwrap();
        for good in ["first.v2.json", "first.v2", ""] {
            assert!(settings(folder.path(), good).check().is_ok(), "{good:?}");
        }
        for bad in ["other.json", "../first.v2.json", "first v2.json"] {
            assert!(settings(folder.path(), bad).check().is_err(), "{bad:?}");
        }
    }
}
