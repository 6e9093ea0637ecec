//! Which link of each worker counts in this process, and which job it was told comes next. Two links with one token are a
//! worker that came back before its old connection was known to be dead, or two processes by mistake: the newest wins.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use queue_protocol::{JobId, LinkId, WorkerName};
use tokio_util::sync::CancellationToken;

/// The links of this process. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Places(Arc<Mutex<HashMap<WorkerName, Holder>>>);

struct Holder {
    link: LinkId,
    replaced: CancellationToken,
    next: Option<JobId>,
}

/// What one link holds until it is dropped or a newer one takes it.
pub(super) struct Place {
    places: Places,
    worker: WorkerName,
    pub(super) link: LinkId,
    replaced: CancellationToken,
}

impl Places {
    fn holders(&self) -> MutexGuard<'_, HashMap<WorkerName, Holder>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the worker to this link; the one before it hears of that.
    pub(super) fn take(&self, worker: &WorkerName, link: LinkId) -> Place {
        let replaced = CancellationToken::new();
        let holder = Holder { link, replaced: replaced.clone(), next: None };
        if let Some(before) = self.holders().insert(worker.clone(), holder) {
            before.replaced.cancel();
        }
        Place { places: self.clone(), worker: worker.clone(), link, replaced }
    }

    /// Whether this job is the one that the worker was last told comes next.
    pub(super) fn comes_next(&self, worker: &WorkerName, job: JobId) -> bool {
        self.holders().get(worker).is_some_and(|holder| holder.next == Some(job))
    }
}

impl Place {
    /// Returns when a newer link has taken the worker.
    pub(super) async fn replaced(&self) {
        self.replaced.cancelled().await;
    }

    /// Remembers what the worker was told comes next; `None` ends the hint.
    pub(super) fn hint(&self, next: Option<JobId>) {
        if let Some(holder) = self.places.holders().get_mut(&self.worker)
            && holder.link == self.link
        {
            holder.next = next;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut holders = self.places.holders();
        if holders.get(&self.worker).is_some_and(|holder| holder.link == self.link) {
            holders.remove(&self.worker);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_newest_link_has_the_worker_and_an_older_one_takes_nothing_with_it() {
        let places = Places::default();
        let worker: WorkerName = "gpu-1".parse().unwrap();
        let older = places.take(&worker, LinkId::random());
        let newer = places.take(&worker, LinkId::random());
        older.replaced().await;
        let job = JobId::random();
        newer.hint(Some(job));
        older.hint(None);
        drop(older);
        assert!(places.comes_next(&worker, job) && !newer.replaced.is_cancelled());
    }

    #[test]
    fn a_hint_is_for_one_job_of_one_worker_until_it_ends() {
        let places = Places::default();
        let (worker, other): (WorkerName, WorkerName) = ("gpu-1".parse().unwrap(), "gpu-2".parse().unwrap());
        let place = places.take(&worker, LinkId::random());
        let job = JobId::random();
        assert!(!places.comes_next(&worker, job));
        place.hint(Some(job));
        assert!(places.comes_next(&worker, job));
        assert!(!places.comes_next(&other, job) && !places.comes_next(&worker, JobId::random()));
        place.hint(None);
        assert!(!places.comes_next(&worker, job));
        place.hint(Some(job));
        drop(place);
        assert!(!places.comes_next(&worker, job));
    }
}
