//! Who waits for a verification: one line per name, one at a time, three waiting. Lines exist only while somebody is in
//! them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use queue_protocol::AccountName;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::problem::Trouble;

/// In one line: the one that is verified and three that wait.
const LONGEST: usize = 4;

/// A digest of a name's stored hash and a password.
pub(super) type Credentials = [u8; 32];

/// The lines of this process, by name; `None` is one for all names that do not exist. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Lines(Arc<Mutex<HashMap<Option<AccountName>, Line>>>);

struct Line {
    turn: Arc<Semaphore>,
    /// Each that is in line. The same credentials wait for one verification and count once.
    waiting: Vec<Credentials>,
}

/// One place in a line, until it is dropped.
pub(super) struct Place {
    lines: Lines,
    name: Option<AccountName>,
    credentials: Credentials,
    turn: Arc<Semaphore>,
    has_turn: Option<OwnedSemaphorePermit>,
}

impl Lines {
    fn lock(&self) -> MutexGuard<'_, HashMap<Option<AccountName>, Line>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Joins the end of a name's line.
    ///
    /// # Errors
    /// [`Trouble::SlowDown`] when it is full of other credentials.
    pub(super) fn join(&self, name: Option<AccountName>, credentials: Credentials) -> Result<Place, Trouble> {
        let mut lines = self.lock();
        let line = lines
            .entry(name.clone())
            .or_insert_with(|| Line { turn: Arc::new(Semaphore::new(1)), waiting: Vec::new() });
        let mut distinct = line.waiting.clone();
        distinct.sort_unstable();
        distinct.dedup();
        if distinct.len() >= LONGEST && !distinct.contains(&credentials) {
            return Err(Trouble::SlowDown);
        }
        line.waiting.push(credentials);
        let turn = Arc::clone(&line.turn);
        Ok(Place { lines: self.clone(), name, credentials, turn, has_turn: None })
    }
}

impl Place {
    /// Returns when it is this place's turn, which lasts until it is dropped.
    pub(super) async fn wait(&mut self) -> Result<(), Trouble> {
        let turn = Arc::clone(&self.turn).acquire_owned().await;
        self.has_turn = Some(turn.map_err(|_| Trouble::Bug)?);
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut lines = self.lines.lock();
        let Some(line) = lines.get_mut(&self.name) else { return };
        if let Some(at) = line.waiting.iter().position(|waits| *waits == self.credentials) {
            line.waiting.swap_remove(at);
        }
        if line.waiting.is_empty() {
            lines.remove(&self.name);
        }
    }
}
