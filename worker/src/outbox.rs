//! What a job wants to say, while the link may be slow or gone. Messages keep their order; of progress and previews only
//! the newest waits; nothing that matters is dropped.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use queue_protocol::link::HeldLease;
use serde_json::value::RawValue;
use tokio::sync::Notify;

/// One message of ComfyUI that waits for the link.
#[derive(Debug)]
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

#[derive(Default)]
struct Contents {
    messages: VecDeque<Waiting>,
    preview: Option<(HeldLease, Vec<u8>)>,
}

/// The outbox of one worker.
#[derive(Default)]
pub struct Outbox {
    contents: Mutex<Contents>,
    filled: Notify,
}

impl Outbox {
    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a message. A progress message replaces one of its type that no other message has followed.
    pub fn push(&self, message: Waiting) {
        let mut contents = self.contents();
        if message.passes() {
            let older =
                contents.messages.iter().rposition(|waiting| !waiting.passes()).map_or(0, |at| at + 1);
            let same =
                (older..contents.messages.len()).find(|at| contents.messages[*at].kind == message.kind);
            if let Some(at) = same {
                contents.messages.remove(at);
            }
        }
        contents.messages.push_back(message);
        drop(contents);
        self.filled.notify_one();
    }

    /// Sets the preview that is sent next.
    pub fn preview(&self, lease: HeldLease, frame: Vec<u8>) {
        self.contents().preview = Some((lease, frame));
        self.filled.notify_one();
    }

    /// The oldest message.
    pub fn take(&self) -> Option<Waiting> {
        self.contents().messages.pop_front()
    }

    /// Puts a message back that could not be sent.
    pub fn put_back(&self, message: Waiting) {
        self.contents().messages.push_front(message);
    }

    /// The newest preview.
    pub fn take_preview(&self) -> Option<(HeldLease, Vec<u8>)> {
        self.contents().preview.take()
    }

    /// Throws away what a lost claim wanted to say.
    pub fn clear(&self) {
        *self.contents() = Contents::default();
    }

    /// Returns when something was added since the last call.
    pub async fn filled(&self) {
        self.filled.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use queue_protocol::{JobId, LeaseToken};

    use super::*;

    fn push(outbox: &Outbox, kind: &str, text: &str) {
        let lease = HeldLease { job: JobId::from_bytes([0; 16]), token: LeaseToken(1) };
        let frame = RawValue::from_string(format!("\"{text}\"")).unwrap();
        outbox.push(Waiting { lease, kind: kind.to_owned(), frame });
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
        let sent: String = std::iter::from_fn(|| outbox.take())
            .map(|w| w.frame.get().trim_matches('"').to_owned())
            .collect();
        assert_eq!(sent, "adefg");
    }
}
