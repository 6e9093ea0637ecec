//! Which jobs a list of `api/jobs` shows, and in which order, with ComfyUI's words for what it cannot read.

use queue_broker::jobs::StoredJob;
use serde::Deserialize;

const STATUSES: [&str; 5] = ["pending", "in_progress", "completed", "failed", "cancelled"];

/// The query as it came.
#[derive(Deserialize, Default)]
pub(super) struct Asked {
    status: Option<String>,
    workflow_id: Option<String>,
    sort_by: Option<String>,
    sort_order: Option<String>,
    limit: Option<String>,
    offset: Option<String>,
}

/// What it means.
#[derive(Debug)]
pub(super) struct Filter {
    statuses: Vec<String>,
    workflow: Option<String>,
    by_duration: bool,
    ascending: bool,
    /// How many at most; `None` for all.
    pub(super) limit: Option<usize>,
    /// How many to leave out.
    pub(super) offset: usize,
}

fn integer(text: Option<&str>, name: &str) -> Result<Option<i64>, String> {
    let read = text.map(|text| text.trim().parse().map_err(|_| format!("{name} must be an integer")));
    read.transpose()
}

fn one_of(text: Option<String>, name: &str, words: [&str; 2]) -> Result<bool, String> {
    let word = text.map_or_else(|| words[0].to_owned(), |text| text.to_lowercase());
    match words.iter().position(|known| *known == word) {
        Some(at) => Ok(at == 1),
        None => Err(format!("{name} must be '{}' or '{}'", words[0], words[1])),
    }
}

impl Asked {
    /// # Errors
    /// What is wrong, in ComfyUI's words.
    pub(super) fn read(self) -> Result<Filter, String> {
        let words = self.status.unwrap_or_default().to_lowercase();
        let statuses: Vec<_> =
            words.split(',').map(str::trim).filter(|word| !word.is_empty()).map(ToOwned::to_owned).collect();
        let unknown: Vec<_> =
            statuses.iter().filter(|word| !STATUSES.contains(&word.as_str())).cloned().collect();
        if !unknown.is_empty() {
            let (unknown, valid) = (unknown.join(", "), STATUSES.join(", "));
            return Err(format!("Invalid status value(s): {unknown}. Valid values: {valid}"));
        }
        let by_duration = one_of(self.sort_by, "sort_by", ["created_at", "execution_duration"])?;
        let descending = self.sort_order.is_none() || one_of(self.sort_order, "sort_order", ["asc", "desc"])?;
        let limit = integer(self.limit.as_deref(), "limit")?;
        if limit.is_some_and(|limit| limit <= 0) {
            return Err("limit must be a positive integer".to_owned());
        }
        let offset = integer(self.offset.as_deref(), "offset")?.unwrap_or_default();
        Ok(Filter {
            statuses,
            workflow: self.workflow_id.filter(|id| !id.is_empty()),
            by_duration,
            ascending: !descending,
            limit: limit.and_then(|limit| usize::try_from(limit).ok()),
            offset: usize::try_from(offset).unwrap_or_default(),
        })
    }
}

impl Filter {
    pub(super) fn shows(&self, job: &StoredJob, status: &str) -> bool {
        (self.statuses.is_empty() || self.statuses.iter().any(|word| word == status))
            && (self.workflow.is_none() || self.workflow == job.workflow)
    }

    pub(super) fn sort(&self, jobs: &mut [StoredJob]) {
        let took = |job: &StoredJob| {
            job.ended_at.zip(job.started_at).map_or(0, |(end, start)| end.saturating_sub(start))
        };
        if self.by_duration {
            jobs.sort_by_key(|job| std::cmp::Reverse(took(job)));
        } else {
            jobs.sort_by_key(|job| std::cmp::Reverse((job.submitted_at, job.seq)));
        }
        if self.ascending {
            jobs.reverse();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(asked: Asked) -> String {
        asked.read().unwrap_err()
    }

    #[test]
    fn what_cannot_be_read_is_refused_in_comfyuis_words() {
        let text = |text: &str| Some(text.to_owned());
        let bogus = error(Asked { status: text("bogus, pending"), ..Asked::default() });
        assert_eq!(
            bogus,
            "Invalid status value(s): bogus. Valid values: pending, in_progress, completed, failed, cancelled"
        );
        let sort = error(Asked { sort_by: text("name"), ..Asked::default() });
        assert_eq!(sort, "sort_by must be 'created_at' or 'execution_duration'");
        let order = error(Asked { sort_order: text("up"), ..Asked::default() });
        assert_eq!(order, "sort_order must be 'asc' or 'desc'");
        assert_eq!(error(Asked { limit: text("x"), ..Asked::default() }), "limit must be an integer");
        assert_eq!(error(Asked { limit: text("0"), ..Asked::default() }), "limit must be a positive integer");
        assert_eq!(error(Asked { offset: text("x"), ..Asked::default() }), "offset must be an integer");
        let fine =
            Asked { status: text(" Pending ,"), offset: text("-3"), limit: text("2"), ..Asked::default() };
        let fine = fine.read().unwrap();
        assert_eq!((fine.statuses, fine.offset, fine.limit), (vec!["pending".to_owned()], 0, Some(2)));
        assert!(!fine.ascending && !fine.by_duration);
    }
}
