//! What the worker wants to say, most urgent first, while the link may be slow or gone: signs of life, then a job's
//! messages in their order, then its end, then previews. Of progress and previews only the newest waits; nothing that
//! matters is dropped.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use queue_protocol::link::{Event, FromWorker, HeldLease};
use serde_json::value::RawValue;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::uplink::Uplink;

/// One message of ComfyUI for the tab that waits for it.
#[derive(Debug, Clone)]
pub struct Waiting {
    /// The job and its claim.
    pub lease: HeldLease,
    /// ComfyUI's type.
    pub kind: String,
    /// The message.
    pub frame: Box<RawValue>,
}

/// Types of which only the newest is worth sending.
const NEWEST_WINS: [&str; 2] = ["progress", "progress_state"];

impl Waiting {
    fn passes(&self) -> bool {
        NEWEST_WINS.contains(&self.kind.as_str())
    }
}

/// What is to be sent now.
#[derive(Debug)]
pub(crate) enum Due {
    /// A message of the worker itself.
    Say(FromWorker),
    /// A message of ComfyUI.
    Event(Event),
    /// The newest preview.
    Preview(HeldLease, Vec<u8>),
    /// The question whether all this has arrived.
    Ask(u64),
    /// Nothing, until something is added or this time comes.
    Nothing(Option<Instant>),
}

/// A message with its place among all that this process has to say.
#[derive(Debug)]
struct Placed {
    message: Waiting,
    number: u64,
    /// How much had been sent with it, once the socket has it whole.
    upto: Option<u64>,
}

impl Placed {
    fn event(&self) -> Event {
        let HeldLease { job, token } = self.message.lease;
        Event { job, token, number: self.number, frame: self.message.frame.clone() }
    }
}

struct Contents {
    urgent: VecDeque<FromWorker>,
    messages: VecDeque<Placed>,
    /// The number of the last message.
    numbered: u64,
    /// Messages that were handed to the link and may not have arrived; the last one may still be on its way to the socket.
    unconfirmed: VecDeque<Placed>,
    /// Whether something was taken out and is not counted as sent yet.
    in_hand: bool,
    end: Option<FromWorker>,
    preview: Option<(HeldLease, Vec<u8>)>,
    uplink: Uplink,
}

impl Contents {
    fn due(&mut self, now: Instant) -> Due {
        if let Some(message) = self.urgent.pop_front() {
            return Due::Say(message);
        }
        // Progress that something else follows keeps its place before it.
        let followed = self.end.is_some() || self.messages.iter().any(|placed| !placed.message.passes());
        if (followed || self.uplink.has_room())
            && let Some(placed) = self.messages.pop_front()
        {
            let event = placed.event();
            if !placed.message.passes() {
                self.unconfirmed.push_back(placed);
            }
            return Due::Event(event);
        }
        if self.messages.is_empty()
            && let Some(end) = self.end.take()
        {
            return Due::Say(end);
        }
        let preview_due = self.preview.as_ref().and(self.uplink.preview_due());
        if preview_due.is_some_and(|at| at <= now)
            && let Some((lease, frame)) = self.preview.take()
        {
            return Due::Preview(lease, frame);
        }
        match self.uplink.ask(now) {
            Some(number) => Due::Ask(number),
            None => Due::Nothing(preview_due),
        }
    }
}

/// The outbox of one worker.
pub struct Outbox {
    contents: Mutex<Contents>,
    changed: Notify,
}

impl Default for Outbox {
    fn default() -> Self {
        let contents = Contents {
            urgent: VecDeque::new(),
            messages: VecDeque::new(),
            numbered: 0,
            unconfirmed: VecDeque::new(),
            in_hand: false,
            end: None,
            preview: None,
            uplink: Uplink::new(Instant::now()),
        };
        Self { contents: Mutex::new(contents), changed: Notify::new() }
    }
}

impl Outbox {
    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Contents)) {
        change(&mut self.contents());
        self.changed.notify_one();
    }

    /// A claim begins of which so many messages are known: the next ones have larger numbers.
    pub(crate) fn number_from(&self, known: u64) {
        self.change(|contents| contents.numbered = contents.numbered.max(known));
    }

    /// Adds a message. A progress message takes the place of the one of its type that still waits.
    pub fn push(&self, message: Waiting) {
        self.change(|contents| {
            if message.passes() {
                contents.messages.retain(|waiting| waiting.message.kind != message.kind);
            }
            contents.numbered += 1;
            contents.messages.push_back(Placed { message, number: contents.numbered, upto: None });
        });
    }

    /// Sets the preview that is sent next.
    pub fn preview(&self, lease: HeldLease, frame: Vec<u8>) {
        self.change(|contents| contents.preview = Some((lease, frame)));
    }

    /// Says something ahead of everything else. Of renewals only the newest waits.
    pub(crate) fn say(&self, message: FromWorker) {
        self.change(|contents| {
            if matches!(message, FromWorker::Renew(_)) {
                contents.urgent.retain(|waiting| !matches!(waiting, FromWorker::Renew(_)));
            }
            contents.urgent.push_back(message);
        });
    }

    /// Says how a job ended, behind its messages. No preview comes after that.
    pub(crate) fn say_end(&self, end: FromWorker) {
        self.change(|contents| {
            contents.preview = None;
            contents.end = Some(end);
        });
    }

    /// Throws away what a claim that is over wanted to say.
    pub(crate) fn clear(&self) {
        self.change(|contents| {
            contents.messages.clear();
            contents.unconfirmed.clear();
            (contents.end, contents.preview) = (None, None);
        });
    }

    /// A new link is open: what was said about the last one means nothing there, and of ComfyUI's messages all that may not
    /// have arrived are sent again.
    pub(crate) fn start_again(&self, now: Instant) {
        self.change(|contents| {
            contents.urgent.clear();
            (contents.end, contents.preview) = (None, None);
            while let Some(lost) = contents.unconfirmed.pop_back() {
                contents.messages.push_front(Placed { upto: None, ..lost });
            }
            (contents.in_hand, contents.uplink) = (false, Uplink::new(now));
        });
    }

    /// What is to be sent now.
    pub(crate) fn due(&self, now: Instant) -> Due {
        let mut contents = self.contents();
        let due = contents.due(now);
        contents.in_hand = matches!(due, Due::Say(_) | Due::Event(_) | Due::Preview(..));
        due
    }

    /// Whether everything the worker itself said has arrived, and all else that went before it.
    pub(crate) fn has_arrived(&self) -> bool {
        let contents = self.contents();
        contents.urgent.is_empty() && !contents.in_hand && contents.uplink.is_empty()
    }

    /// A message of so many bytes went to the socket.
    pub(crate) fn sent(&self, bytes: usize) {
        let mut contents = self.contents();
        contents.in_hand = false;
        let sent = contents.uplink.sent(bytes);
        if let Some(last) = contents.unconfirmed.back_mut() {
            last.upto.get_or_insert(sent);
        }
    }

    /// A preview of so many bytes went to the socket, begun at `at`.
    pub(crate) fn sent_preview(&self, bytes: usize, at: Instant) {
        let mut contents = self.contents();
        contents.in_hand = false;
        contents.uplink.sent_preview(bytes, at);
    }

    /// Everything up to this question has arrived.
    pub(crate) fn arrived(&self, number: u64, now: Instant) {
        self.change(|contents| {
            contents.uplink.arrived(number, now);
            contents.unconfirmed.retain(|placed| placed.upto.is_none_or(|upto| upto > number));
        });
    }

    /// Returns when something changed since the last call.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use queue_protocol::link::{Renew, Unready};
    use queue_protocol::{JobId, LeaseToken};

    use super::*;

    fn lease() -> HeldLease {
        HeldLease { job: JobId::from_bytes([0; 16]), token: LeaseToken(1) }
    }

    fn push(outbox: &Outbox, kind: &str, text: &str) {
        let frame = RawValue::from_string(format!("\"{text}\"")).unwrap();
        outbox.push(Waiting { lease: lease(), kind: kind.to_owned(), frame });
    }

    fn renew(vram_free: u64) -> FromWorker {
        FromWorker::Renew(Renew { leases: vec![], comfyui_alive: true, vram_free })
    }

    /// Sends everything that is due, each with so many bytes, and tells what it was.
    fn sent(outbox: &Outbox, bytes: usize, now: Instant) -> Vec<String> {
        let mut sent = Vec::new();
        loop {
            sent.push(match outbox.due(now) {
                Due::Say(FromWorker::Renew(renew)) => format!("renew {}", renew.vram_free),
                Due::Say(FromWorker::Released(_)) => "end".to_owned(),
                Due::Say(other) => format!("{other:?}"),
                Due::Event(event) => event.frame.get().trim_matches('"').to_owned(),
                Due::Preview(_, frame) => {
                    outbox.sent_preview(frame.len(), now);
                    sent.push(format!("preview {}", frame.len()));
                    continue;
                }
                Due::Ask(_) => continue,
                Due::Nothing(_) => return sent,
            });
            outbox.sent(bytes);
        }
    }

    #[test]
    fn messages_keep_their_order_and_only_the_newest_progress_waits() {
        let outbox = Outbox::default();
        for (kind, text) in [
            ("execution_start", "a"),
            ("progress_state", "b"),
            ("progress", "c"),
            ("progress_state", "d"),
            ("progress", "e"),
            ("executed", "f"),
            ("progress", "g"),
        ] {
            push(&outbox, kind, text);
        }
        assert_eq!(sent(&outbox, 1, Instant::now()), ["a", "d", "f", "g"]);
    }

    #[test]
    fn a_renewal_goes_first_the_end_behind_the_messages_and_no_preview_after_it() {
        let outbox = Outbox::default();
        outbox.preview(lease(), vec![0; 9]);
        push(&outbox, "executed", "a");
        outbox.say_end(FromWorker::Released(lease()));
        outbox.say(renew(1));
        outbox.say(FromWorker::Unready(Unready::Leaving));
        outbox.say(renew(2));
        assert_eq!(sent(&outbox, 1, Instant::now()), ["Unready(Leaving)", "renew 2", "a", "end"]);
    }

    #[test]
    fn nothing_that_may_be_dropped_follows_a_preview_before_it_has_arrived() {
        let (outbox, start) = (Outbox::default(), Instant::now());
        outbox.preview(lease(), vec![0; 100_000]);
        assert_eq!(sent(&outbox, 1, start), ["preview 100000"]);
        let later = start + Duration::from_secs(1);
        for step in 1..=3 {
            push(&outbox, "progress", &format!("step {step}"));
            outbox.preview(lease(), vec![0; step]);
        }
        assert_eq!(sent(&outbox, 1, later), [""; 0], "the line is busy");
        push(&outbox, "executing", "node");
        outbox.say(renew(1));
        assert_eq!(sent(&outbox, 1, later), ["renew 1", "step 3", "node"], "what matters goes at once");
        outbox.arrived(100_000, start + Duration::from_millis(1));
        push(&outbox, "progress", "step 4");
        assert_eq!(sent(&outbox, 1, later), ["step 4", "preview 3"]);
    }

    #[test]
    fn a_new_link_sends_all_that_the_last_one_may_have_lost_with_the_numbers_it_had() {
        let (outbox, now) = (Outbox::default(), Instant::now());
        push(&outbox, "execution_start", "a");
        assert_eq!(sent(&outbox, 1, now), ["a"]);
        outbox.arrived(1, now);
        for (kind, text) in [("executing", "b"), ("progress", "step"), ("executed", "c")] {
            push(&outbox, kind, text);
        }
        assert_eq!(sent(&outbox, 1, now), ["b", "step", "c"]);
        push(&outbox, "executing", "d");
        outbox.say(renew(1));
        assert!(matches!(outbox.due(now), Due::Say(_)));
        assert!(matches!(outbox.due(now), Due::Event(Event { number: 5, .. })), "it is cut off half way");
        outbox.start_again(now);
        assert!(matches!(outbox.due(now), Due::Event(Event { number: 2, .. })), "b, as before");
        outbox.sent(1);
        assert_eq!(sent(&outbox, 1, now), ["c", "d"]);
        outbox.arrived(1, now);
        outbox.start_again(now);
        assert_eq!(sent(&outbox, 1, now), ["c", "d"], "one of three had arrived");
    }
}
