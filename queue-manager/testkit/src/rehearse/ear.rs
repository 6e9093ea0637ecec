//! A feed kept open, and everything it said. A feed that closes is opened again, as its page would do.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use queue_client::api::{Api, Feed};
use queue_protocol::feed::{FeedMessage, JobChange, Snapshot};
use queue_protocol::{AccountName, JobId, JobState};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::report::Trouble;

const FIRST_SNAPSHOT: Duration = Duration::from_secs(10);

/// A change and when it was heard.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    pub(crate) at: Instant,
    pub(crate) change: JobChange,
}

/// What an ear heard, in the order of the feed.
#[derive(Debug, Default)]
pub(crate) struct Book {
    pub(crate) changes: Vec<Heard>,
    /// Whoever else was heard of in somebody's own feed.
    pub(crate) foreign: Vec<AccountName>,
    /// Times that something was missed, so that only a snapshot says how it went on.
    pub(crate) gaps: usize,
    ended: HashMap<JobId, JobState>,
    last: (String, u64),
}

impl Book {
    /// Ends of a job as changes told them; more than one must not be.
    pub(crate) fn ends(&self, job: JobId) -> Vec<&Heard> {
        self.changes.iter().filter(|heard| heard.change.job == job && heard.change.state.is_end()).collect()
    }

    /// When a job was first heard to run.
    pub(crate) fn running(&self, job: JobId) -> Option<Instant> {
        let runs = |heard: &&Heard| heard.change.job == job && heard.change.state == JobState::Running;
        self.changes.iter().find(runs).map(|heard| heard.at)
    }

    fn snapshot(&mut self, whose: Option<&AccountName>, snapshot: Snapshot, first: bool) {
        let same = self.last == (snapshot.epoch.clone(), snapshot.n);
        self.gaps += usize::from(!first && !same);
        self.last = (snapshot.epoch, snapshot.n);
        for job in snapshot.jobs {
            self.check_owner(whose, &job.participant);
            if job.state.is_end() {
                self.ended.insert(job.id, job.state);
            }
        }
    }

    /// Whether the change is news and follows what was heard before.
    fn change(&mut self, whose: Option<&AccountName>, change: JobChange) -> bool {
        self.check_owner(whose, &change.participant);
        if !self.follows(&change.epoch, change.n) {
            return change.epoch == self.last.0 && change.n <= self.last.1;
        }
        if change.state.is_end() {
            self.ended.insert(change.job, change.state);
        }
        self.changes.push(Heard { at: Instant::now(), change });
        true
    }

    fn follows(&mut self, epoch: &str, n: u64) -> bool {
        let follows = epoch == self.last.0 && n == self.last.1 + 1;
        if follows {
            self.last.1 = n;
        }
        follows
    }

    fn check_owner(&mut self, whose: Option<&AccountName>, owner: &AccountName) {
        if whose.is_some_and(|me| me != owner) {
            self.foreign.push(owner.clone());
        }
    }
}

/// An open ear; closes when dropped.
pub(crate) struct Ear {
    book: Arc<Mutex<Book>>,
    news: watch::Receiver<()>,
    _task: JoinSet<()>,
}

impl Ear {
    /// Opens the feed of whoever the token belongs to, and waits for its first snapshot. `whose` is `None` for the
    /// instructor, whose feed is about everyone.
    pub(crate) async fn open(api: &Api, token: &str, whose: Option<AccountName>) -> Result<Self, Trouble> {
        let who = whose.as_ref().map_or("the instructor", AccountName::as_str);
        let silent = |error: String| Trouble::new(format!("{who} hears nothing of what happens"), error);
        let mut feed =
            api.feed(token).await.map_err(|error| silent(format!("the feed did not open: {error}")))?;
        let first = tokio::time::timeout(FIRST_SNAPSHOT, feed.next()).await;
        let Ok(Ok(Some(FeedMessage::Snapshot(snapshot)))) = first else {
            return Err(silent("the feed did not begin with a snapshot".to_owned()));
        };
        let book = Arc::new(Mutex::new(Book::default()));
        open(&book).snapshot(whose.as_ref(), snapshot, true);
        let (tell, news) = watch::channel(());
        let mut task = JoinSet::new();
        task.spawn(listen(api.clone(), token.to_owned(), whose, feed, Arc::clone(&book), tell));
        Ok(Self { book, news, _task: task })
    }

    /// What was heard so far.
    pub(crate) fn book(&self) -> MutexGuard<'_, Book> {
        open(&self.book)
    }

    /// Waits until a job was heard to end; `None` when it was not within the time.
    pub(crate) async fn end_of(&self, job: JobId, patience: Duration) -> Option<JobState> {
        let mut news = self.news.clone();
        let ended = async {
            loop {
                news.borrow_and_update();
                if let Some(state) = self.book().ended.get(&job) {
                    return Some(*state);
                }
                if news.changed().await.is_err() {
                    return None;
                }
            }
        };
        tokio::time::timeout(patience, ended).await.ok().flatten()
    }
}

fn open(book: &Mutex<Book>) -> MutexGuard<'_, Book> {
    book.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn listen(
    api: Api,
    token: String,
    whose: Option<AccountName>,
    mut feed: Feed,
    book: Arc<Mutex<Book>>,
    tell: watch::Sender<()>,
) {
    loop {
        while let Ok(Some(message)) = feed.next().await {
            let goes_on = match message {
                FeedMessage::Snapshot(snapshot) => {
                    open(&book).snapshot(whose.as_ref(), snapshot, false);
                    true
                }
                FeedMessage::Job(change) => open(&book).change(whose.as_ref(), change),
                FeedMessage::Queue(change) => {
                    let mut book = open(&book);
                    book.follows(&change.epoch, change.n) || change.n <= book.last.1
                }
                _ => true,
            };
            tell.send_replace(());
            if !goes_on {
                // A number was left out: a new snapshot says what was missed.
                break;
            }
        }
        feed = loop {
            tokio::time::sleep(Duration::from_millis(200)).await;
            if let Ok(feed) = api.feed(&token).await {
                break feed;
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(n: u64, who: &str, state: JobState) -> JobChange {
        JobChange {
            epoch: "e".to_owned(),
            n,
            job: JobId::from_bytes([7; 16]),
            participant: who.parse().unwrap(),
            state,
            reason: None,
            worker: None,
            client: None,
        }
    }

    #[test]
    fn a_change_that_comes_again_counts_once_and_a_second_end_counts_twice() {
        let mut book = Book { last: ("e".to_owned(), 4), ..Book::default() };
        let me: AccountName = "ada".parse().unwrap();
        assert!(book.change(Some(&me), change(4, "ada", JobState::Running)), "part of the snapshot already");
        assert!(book.change(Some(&me), change(5, "ada", JobState::Completed)));
        assert!(book.change(Some(&me), change(5, "ada", JobState::Completed)));
        assert_eq!(book.ends(JobId::from_bytes([7; 16])).len(), 1);
        assert!(book.change(Some(&me), change(6, "ada", JobState::Failed)));
        assert_eq!(book.ends(JobId::from_bytes([7; 16])).len(), 2);
        assert!(!book.change(Some(&me), change(8, "ada", JobState::Failed)), "7 was missed");
        assert!(book.foreign.is_empty());
        book.change(Some(&me), change(7, "ben", JobState::Running));
        assert_eq!(book.foreign.len(), 1);
    }
}
