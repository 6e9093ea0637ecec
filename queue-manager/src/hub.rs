//! Hands what the store announces to the open sockets of this process. Queues are bounded: a listener that does not
//! keep up loses previews first, then its socket, and comes back to a snapshot.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use queue_broker::frames::Payload;
use queue_broker::sessions::SecretHash;
use queue_broker::signals::Signal;
use queue_protocol::{AccountName, WorkerName};
use tokio::sync::{mpsc, watch};

use crate::identity::Caller;
use crate::problem::Trouble;

/// Signals that may wait for one socket: some seconds of a busy job.
const QUEUE: usize = 256;

/// Tabs and feeds of one account that may be open at the same time. The next one is refused and no older one closed: a
/// tab that is closed comes back at once and would close another, for ever; one that is refused asks again by HTTP.
const SOCKETS: usize = 16;

/// What a listener wants to hear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Interest {
    /// Everything about one participant's jobs.
    Participant(AccountName),
    /// Every change in the room, without execution messages.
    Room,
    /// What is meant for one worker.
    Worker(WorkerName),
    /// That a job of a tab ended.
    Ends,
}

impl Interest {
    fn matches(&self, signal: &Signal) -> bool {
        match (self, signal) {
            (_, Signal::Listening)
            | (Self::Room, Signal::Change { .. } | Signal::Queue(_) | Signal::Message(_))
            | (Self::Participant(_), Signal::Queue(_)) => true,
            (Self::Participant(me), Signal::Message(said)) => said.to.as_ref().is_none_or(|to| to == me),
            (Self::Participant(me), Signal::Change { change, .. }) => *me == change.participant,
            (Self::Ends, Signal::Change { change, .. }) => change.state.is_end() && change.client.is_some(),
            (Self::Participant(me), Signal::Frame(frame)) => *me == frame.participant,
            (
                Self::Worker(me),
                Signal::Wake(worker) | Signal::Cancel(worker, _) | Signal::Drain(worker, _),
            ) => me == worker,
            _ => false,
        }
    }
}

/// By whose right something listens.
struct Owner {
    account: AccountName,
    session: Option<SecretHash>,
}

struct Listener {
    interest: Interest,
    /// `None` for a worker, and for ourselves.
    owner: Option<Owner>,
    sender: mpsc::Sender<Arc<Signal>>,
}

impl Listener {
    /// Whether a signal takes away the right to listen. A socket that closes comes back, if it may.
    fn ends_with(&self, signal: &Signal) -> bool {
        match (signal, &self.owner, &self.interest) {
            (Signal::SignedOut(account, _), Some(owner), _) => owner.account == *account,
            (Signal::SessionOver(session), Some(owner), _) => owner.session.as_ref() == Some(session),
            (Signal::Revoked(worker), _, Interest::Worker(me)) => me == worker,
            _ => false,
        }
    }
}

/// The listeners of this process. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Hub {
    listeners: Arc<Mutex<HashMap<u64, Listener>>>,
    next: Arc<AtomicU64>,
    moved: Arc<watch::Sender<u64>>,
}

/// One open ear; closes when dropped. Ends by itself when it does not keep up, or when its owner may not listen any more.
pub(crate) struct Ear {
    hub: Hub,
    id: u64,
    receiver: mpsc::Receiver<Arc<Signal>>,
}

impl Ear {
    pub(crate) async fn next(&mut self) -> Option<Arc<Signal>> {
        self.receiver.recv().await
    }

    /// What is there already, without waiting.
    pub(crate) fn ready(&mut self) -> Option<Arc<Signal>> {
        self.receiver.try_recv().ok()
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        self.hub.lock().remove(&self.id);
    }
}

impl Hub {
    /// Listens for a worker, or for ourselves. Those are not counted.
    pub(crate) fn listen(&self, interest: Interest) -> Ear {
        self.add(&mut self.lock(), interest, None)
    }

    /// Listens for as long as a caller may.
    ///
    /// # Errors
    /// [`Trouble::TooManySockets`] when the account has as many as it may.
    pub(crate) fn listen_as(&self, interest: Interest, caller: &Caller) -> Result<Ear, Trouble> {
        let owner = Owner { account: caller.name.clone(), session: caller.session().cloned() };
        self.open(interest, owner)
    }

    fn open(&self, interest: Interest, owner: Owner) -> Result<Ear, Trouble> {
        let mut listeners = self.lock();
        let is_theirs = |other: &&Listener| other.owner.as_ref().is_some_and(|o| o.account == owner.account);
        if listeners.values().filter(is_theirs).count() >= SOCKETS {
            return Err(Trouble::TooManySockets(SOCKETS));
        }
        Ok(self.add(&mut listeners, interest, Some(owner)))
    }

    fn add(&self, listeners: &mut HashMap<u64, Listener>, interest: Interest, owner: Option<Owner>) -> Ear {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        listeners.insert(id, Listener { interest, owner, sender });
        Ear { hub: self.clone(), id, receiver }
    }

    /// Whose pages listen to this process.
    pub(crate) fn participants(&self) -> HashSet<AccountName> {
        let listeners = self.lock();
        let names = listeners.values().filter_map(|listener| match &listener.interest {
            Interest::Participant(name) => Some(name.clone()),
            Interest::Room | Interest::Worker(_) | Interest::Ends => None,
        });
        names.collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Listener>> {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes whenever any job, setting or worker does: says nothing about whose.
    pub(crate) fn moved(&self) -> watch::Receiver<u64> {
        self.moved.subscribe()
    }

    fn tell(&self, signal: Signal) {
        if matches!(signal, Signal::Change { .. } | Signal::Queue(_)) {
            self.moved.send_modify(|moves| *moves += 1);
        }
        let preview = matches!(&signal, Signal::Frame(frame) if matches!(frame.payload, Payload::Binary(_)));
        let signal = Arc::new(signal);
        self.lock().retain(|_, listener| {
            if listener.ends_with(&signal) {
                return false;
            }
            if !listener.interest.matches(&signal) {
                return true;
            }
            // Half the queue is kept for what matters more than a preview.
            if preview && listener.sender.capacity() < QUEUE / 2 {
                return true;
            }
            listener.sender.try_send(Arc::clone(&signal)).is_ok()
        });
    }

    /// Hands out what is heard until the sender is gone. `forget` is called before anybody hears that a session ended, or
    /// that this may have been missed.
    pub(crate) async fn run(self, mut heard: mpsc::Receiver<Signal>, forget: impl Fn()) {
        while let Some(signal) = heard.recv().await {
            if matches!(signal, Signal::SignedOut(..) | Signal::SessionOver(_) | Signal::Listening) {
                forget();
            }
            self.tell(signal);
        }
    }
}

#[cfg(test)]
mod tests {
    use queue_broker::frames::ExecutionFrame;
    use queue_protocol::JobId;
    use queue_protocol::api::Role;

    use super::*;

    fn frame(participant: &str, payload: Payload) -> Signal {
        let participant = participant.parse().unwrap();
        Signal::Frame(ExecutionFrame {
            number: None,
            participant,
            client: None,
            job: JobId::random(),
            payload,
        })
    }

    #[tokio::test]
    async fn nobody_hears_anybody_elses_frames() {
        let hub = Hub::default();
        let mut ada = hub.listen(Interest::Participant("ada".parse().unwrap()));
        let mut room = hub.listen(Interest::Room);
        hub.tell(frame("ben", Payload::Text("canary".to_owned())));
        assert!(ada.ready().is_none() && room.ready().is_none());
    }

    #[tokio::test]
    async fn whoever_is_signed_out_or_revoked_hears_nothing_more() {
        let hub = Hub::default();
        let listen = |interest, account: &str, secret: &str| {
            let session = Some(SecretHash::of(secret));
            hub.open(interest, Owner { account: account.parse().unwrap(), session }).unwrap()
        };
        let (ada, gpu): (AccountName, WorkerName) = ("ada".parse().unwrap(), "gpu-1".parse().unwrap());
        let mut first = listen(Interest::Participant(ada.clone()), "ada", "first");
        let mut second = listen(Interest::Participant(ada.clone()), "ada", "second");
        let mut room = listen(Interest::Room, "boss", "third");
        let _ben = listen(Interest::Participant("ben".parse().unwrap()), "ben", "fourth");
        let mut worker = hub.listen(Interest::Worker(gpu.clone()));
        hub.tell(Signal::SessionOver(SecretHash::of("first")));
        assert!(first.next().await.is_none());
        assert_eq!(hub.listeners.lock().unwrap().len(), 4, "another session of hers goes on");
        hub.tell(Signal::SignedOut(ada, Role::Participant));
        hub.tell(Signal::Revoked(gpu));
        assert!(second.next().await.is_none() && worker.next().await.is_none());
        assert_eq!(hub.listeners.lock().unwrap().len(), 2, "nobody else is disturbed");
        hub.tell(Signal::SignedOut("boss".parse().unwrap(), Role::Instructor));
        assert!(room.next().await.is_none(), "the room is for instructors");
    }

    #[tokio::test]
    async fn an_account_has_so_many_sockets_and_takes_none_from_others() {
        let hub = Hub::default();
        let listen = |account: &str| {
            let name: AccountName = account.parse().unwrap();
            hub.open(Interest::Participant(name.clone()), Owner { account: name, session: None })
        };
        let mut open: Vec<_> = (0..SOCKETS).map(|_| listen("ada").unwrap()).collect();
        assert!(matches!(listen("ada"), Err(Trouble::TooManySockets(SOCKETS))));
        assert!(listen("ben").is_ok());
        open.pop();
        assert!(listen("ada").is_ok(), "one that is closed makes room");
    }

    #[tokio::test]
    async fn a_slow_listener_loses_previews_first_and_then_its_socket() {
        let hub = Hub::default();
        let mut slow = hub.listen(Interest::Participant("ada".parse().unwrap()));
        for _ in 0..2 * QUEUE {
            hub.tell(frame("ada", Payload::Binary(vec![0])));
        }
        assert_eq!(hub.listeners.lock().unwrap().len(), 1, "previews alone close nothing");
        for _ in 0..QUEUE {
            hub.tell(frame("ada", Payload::Text(String::new())));
        }
        assert_eq!(hub.listeners.lock().unwrap().len(), 0);
        while slow.ready().is_some() {}
        assert!(slow.next().await.is_none());
    }
}
