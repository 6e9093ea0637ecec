//! Work that is costly: so much at a time in all and of one account, and only so many waiting.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use queue_protocol::{AccountName, limits};
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
    /// Changes of saved files, one after the other: two tabs that save at once must not both find a name free, nor pass the
    /// quota together.
    pub(crate) saves: Turns,
    /// Descriptions of all nodes, each a tree of its own.
    pub(crate) descriptions: Turns,
    /// Bodies that are in memory as a whole, by the KiB: two of the largest, or many small ones, of one account.
    pub(crate) bodies: Turns,
}

/// KiB of one account's bodies, and of all.
const OWN_BODIES: usize = 2 * limits::BODY / 1024 + 1;
const ALL_BODIES: usize = 128 * 1024;

impl Default for Costly {
    fn default() -> Self {
        Self {
            pictures: Turns::new(2, 100),
            archives: Turns::new(32, 0),
            uploads: Turns::new(16, 16),
            saves: Turns::new(16, 200),
            descriptions: Turns::new(4, 100),
            bodies: Turns::of_size(ALL_BODIES, OWN_BODIES, 200),
        }
    }
}

/// One kind of such work. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Turns {
    all: Arc<Semaphore>,
    lines: Arc<Mutex<HashMap<AccountName, Line>>>,
    own: usize,
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
        Self::of_size(at_once, 1, waiting)
    }

    /// At most `all` in all and `own` of one account, of which each takes what it says.
    pub(crate) fn of_size(all: usize, own: usize, waiting: usize) -> Self {
        Self { all: Arc::new(Semaphore::new(all)), lines: Arc::default(), own, waiting }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<AccountName, Line>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn join(&self, account: &AccountName) -> Result<(Member, Arc<Semaphore>), Trouble> {
        let mut lines = self.lock();
        let line = lines
            .entry(account.clone())
            .or_insert_with(|| Line { turn: Arc::new(Semaphore::new(self.own)), members: 0 });
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
        self.take_of_size(account, 1).await
    }

    /// Waits for a turn of a size, which is at most what one account may have.
    ///
    /// # Errors
    /// [`Trouble::TooFast`] when too many of this account wait already.
    pub(crate) async fn take_of_size(&self, account: &AccountName, size: u32) -> Result<Turn, Trouble> {
        let (member, turn) = self.join(account)?;
        let own = turn.acquire_many_owned(size).await.map_err(|_| Trouble::Bug)?;
        let of_all = Arc::clone(&self.all).acquire_many_owned(size).await.map_err(|_| Trouble::Bug)?;
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

    async fn waits(turns: &Turns, name: &str, size: u32) -> bool {
        let name = person(name);
        let taking = turns.take_of_size(&name, size);
        tokio::pin!(taking);
        futures_util::poll!(&mut taking).is_pending()
    }

    #[tokio::test]
    async fn one_account_has_one_turn_and_the_others_theirs() {
        let turns = Turns::new(2, 1);
        let mut ada = turns.take(&person("ada")).await.unwrap();
        assert!(waits(&turns, "ada", 1).await);
        let ben = turns.take(&person("ben")).await.unwrap();
        assert!(waits(&turns, "eve", 1).await, "two in all");
        ada.let_others();
        drop(turns.take(&person("eve")).await.unwrap());
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
    async fn one_account_takes_no_more_than_its_size_and_all_no_more_than_theirs() {
        let turns = Turns::of_size(5, 3, 9);
        let ada = turns.take_of_size(&person("ada"), 2).await.unwrap();
        assert!(waits(&turns, "ada", 2).await);
        let small = turns.take_of_size(&person("ada"), 1).await.unwrap();
        let ben = turns.take_of_size(&person("ben"), 2).await.unwrap();
        assert!(waits(&turns, "eve", 1).await, "five in all");
        drop(ada);
        drop((turns.take_of_size(&person("eve"), 2).await.unwrap(), small, ben));
        assert!(turns.lock().is_empty());
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
