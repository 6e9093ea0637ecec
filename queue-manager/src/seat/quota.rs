//! How much one participant may save in their seat.

use crate::files::Entry;

/// The limits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Quota {
    /// Megabytes.
    pub(crate) megabytes: u64,
    /// Number of files.
    pub(crate) files: u64,
    /// Megabytes of uploads.
    pub(crate) uploads_mb: u64,
}

impl Quota {
    /// Bytes that somebody may still upload who has `used`.
    pub(super) fn left(self, used: u64) -> u64 {
        self.uploads_mb.saturating_mul(1_000_000).saturating_sub(used)
    }

    /// What to tell a person whose upload has no room.
    pub(super) fn uploads_full(self) -> String {
        format!(
            "Your uploads would take more than {} MB, which is the limit. Ask your instructor.",
            self.uploads_mb
        )
    }

    /// What to tell a person who would pass a limit by saving `size` bytes next to `all` they have, in place of `old`.
    /// Saving a file smaller than it was is never refused, so that a person can always make room.
    pub(super) fn refuses(self, all: &[Entry], old: Option<&Entry>, size: u64) -> Option<String> {
        let before = old.map_or(0, |entry| entry.size);
        if old.is_none() && all.len() as u64 >= self.files {
            return Some(format!(
                "You have {} saved files, which is the limit. Delete some first.",
                all.len()
            ));
        }
        let bytes: u64 = all.iter().map(|entry| entry.size).sum();
        let limit = self.megabytes.saturating_mul(1_000_000);
        let full = size > before && bytes.saturating_sub(before).saturating_add(size) > limit;
        full.then(|| {
            format!(
                "Your saved files would take more than {} MB, which is the limit. Delete some first.",
                self.megabytes
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saved(size: u64) -> Entry {
        Entry { name: "a.json".to_owned(), size, modified_ms: 0 }
    }

    #[test]
    fn files_and_bytes_are_counted_and_what_is_replaced_is_not() {
        let quota = Quota { megabytes: 1, files: 2, uploads_mb: 1 };
        let (small, large) = (saved(10), saved(999_990));
        let all = [small.clone(), large.clone()];
        assert!(quota.refuses(&all, None, 1).unwrap().contains("2 saved files"));
        assert_eq!(quota.refuses(&all, Some(&small), 10), None);
        assert!(quota.refuses(&all, Some(&small), 11).unwrap().contains("1 MB"));
        assert_eq!(quota.refuses(&all, Some(&large), 1), None);
        assert_eq!(quota.refuses(&all[..1], None, 999_990), None);
        assert!(quota.refuses(&all[..1], None, 999_991).is_some());
    }

    #[test]
    fn over_the_limit_a_file_may_still_become_smaller() {
        let quota = Quota { megabytes: 1, files: 1, uploads_mb: 1 };
        let large = saved(3_000_000);
        assert_eq!(quota.refuses(std::slice::from_ref(&large), Some(&large), 2_999_999), None);
    }
}
