//! Work that is costly: so many at a time in all, one at a time per account, and only so many waiting.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use queue_protocol::AccountName;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::problem::Trouble;

/// Every kind of it.
#[derive(Clone)]
pub(crate) struct Costly {
    /// Pictures made from pictures: a page of thumbnails waits in line.
    pub(crate) pictures: Turns,
    /// Archives of everything, one download each.
    pub(crate) archives: Turns,
    /// Uploads, one after the other, so that the quota counts them all.
    pub(crate) uploads: Turns,
}

impl Default for Costly {
    fn default() -> Self {
        Self { pictures: Turns::new(2, 100), archives: Turns::new(2, 0), uploads: Turns::new(16, 16) }
    }
}

/// One kind of such work. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Turns {
    all: Arc<Semaphore>,
    lines: Arc<Mutex<HashMap<AccountName, Line>>>,
    waiting: usize,
}

struct Line {
    turn: Arc<Semaphore>,
    members: usize,
}

/// A turn, until it is dropped.
pub(crate) struct Turn {
    of_all: Option<OwnedSemaphorePermit>,
    _own: OwnedSemaphorePermit,
    _member: Member,
}

/// That somebody is in a line.
struct Member {
    turns: Turns,
    account: AccountName,
}

impl Turns {
    /// At most `at_once` in all, and `waiting` of one account behind the one whose turn it is.
    pub(crate) fn new(at_once: usize, waiting: usize) -> Self {
        Self { all: Arc::new(Semaphore::new(at_once)), lines: Arc::default(), waiting }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<AccountName, Line>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn join(&self, account: &AccountName) -> Result<(Member, Arc<Semaphore>), Trouble> {
        let mut lines = self.lock();
        let line = lines
            .entry(account.clone())
            .or_insert_with(|| Line { turn: Arc::new(Semaphore::new(1)), members: 0 });
        if line.members > self.waiting {
            return Err(Trouble::TooFast);
        }
        line.members += 1;
        Ok((Member { turns: self.clone(), account: account.clone() }, Arc::clone(&line.turn)))
    }

    /// Waits for a turn.
    ///
    /// # Errors
    /// [`Trouble::TooFast`] when too many of this account wait already.
    pub(crate) async fn take(&self, account: &AccountName) -> Result<Turn, Trouble> {
        let (member, turn) = self.join(account)?;
        let own = turn.acquire_owned().await.map_err(|_| Trouble::Bug)?;
        let of_all = Arc::clone(&self.all).acquire_owned().await.map_err(|_| Trouble::Bug)?;
        Ok(Turn { of_all: Some(of_all), _own: own, _member: member })
    }

    /// A turn that is free now.
    ///
    /// # Errors
    /// [`Trouble::TooFast`] when this account has one, or others have all.
    pub(crate) fn try_take(&self, account: &AccountName) -> Result<Turn, Trouble> {
        let (member, turn) = self.join(account)?;
        let own = turn.try_acquire_owned().map_err(|_| Trouble::TooFast)?;
        let of_all = Arc::clone(&self.all).try_acquire_owned().map_err(|_| Trouble::TooFast)?;
        Ok(Turn { of_all: Some(of_all), _own: own, _member: member })
    }
}

impl Turn {
    /// The work is done and only its result is still held: others may work, and this account waits on.
    pub(crate) fn let_others(&mut self) {
        self.of_all = None;
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let mut lines = self.turns.lock();
        let Some(line) = lines.get_mut(&self.account) else { return };
        line.members -= 1;
        if line.members == 0 {
            lines.remove(&self.account);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(name: &str) -> AccountName {
        name.parse().unwrap()
    }

    #[tokio::test]
    async fn one_account_has_one_turn_and_the_others_theirs() {
        let turns = Turns::new(2, 1);
        let mut ada = turns.take(&person("ada")).await.unwrap();
        assert!(matches!(turns.try_take(&person("ada")), Err(Trouble::TooFast)));
        let ben = turns.try_take(&person("ben")).unwrap();
        assert!(matches!(turns.try_take(&person("eve")), Err(Trouble::TooFast)), "two in all");
        ada.let_others();
        drop(turns.try_take(&person("eve")).unwrap());
        let ada_again = person("ada");
        let waits = turns.take(&ada_again);
        tokio::pin!(waits);
        assert!(futures_util::poll!(&mut waits).is_pending());
        assert!(matches!(turns.take(&person("ada")).await, Err(Trouble::TooFast)), "one waits already");
        drop(ada);
        drop((waits.await.unwrap(), ben));
        assert!(turns.lock().is_empty(), "nothing is remembered of whoever is gone");
    }

    #[tokio::test]
    async fn whoever_gives_up_waiting_leaves_the_line() {
        let turns = Turns::new(1, 1);
        let ada = turns.take(&person("ada")).await.unwrap();
        {
            let ada_again = person("ada");
            let waits = turns.take(&ada_again);
            tokio::pin!(waits);
            assert!(futures_util::poll!(&mut waits).is_pending());
        }
        drop(ada);
        drop(turns.take(&person("ada")).await.unwrap());
        assert!(turns.lock().is_empty());
    }
}
