//! Finished prompts, as `/history` shows them.

use serde_json::{Map, Value, json};

use crate::queue::Prompt;

/// How many finished prompts are remembered.
const KEPT: usize = 10_000;

/// How a prompt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Every output was made.
    Success,
    /// A node raised, or an interrupt came; the last message says which.
    Error,
}

/// What a run leaves behind.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) ending: Ending,
    pub(crate) outputs: Map<String, Value>,
    pub(crate) messages: Vec<(&'static str, Value)>,
}

/// One finished prompt.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) prompt: Prompt,
    pub(crate) outcome: Outcome,
}

impl Entry {
    pub(crate) fn status_json(&self) -> Value {
        let success = self.outcome.ending == Ending::Success;
        let messages: Vec<Value> =
            self.outcome.messages.iter().map(|(event, data)| json!([event, data])).collect();
        json!({
            "status_str": if success { "success" } else { "error" },
            "completed": success,
            "messages": messages,
        })
    }

    /// The data of the message of one kind, if the run sent it.
    pub(crate) fn message(&self, kind: &str) -> Option<&Value> {
        self.outcome.messages.iter().find(|(event, _)| *event == kind).map(|(_, data)| data)
    }

    fn to_json(&self) -> Value {
        let meta: Map<String, Value> = self
            .outcome
            .outputs
            .keys()
            .map(|id| {
                let about =
                    json!({"node_id": id, "display_node": id, "parent_node": null, "real_node_id": id});
                (id.clone(), about)
            })
            .collect();
        json!({
            "prompt": self.prompt.to_json(),
            "outputs": self.outcome.outputs,
            "status": self.status_json(),
            "meta": meta,
        })
    }
}

/// The finished prompts, oldest first. A prompt id that runs again replaces its entry in place.
#[derive(Debug, Default)]
pub(crate) struct History {
    entries: Vec<Entry>,
}

impl History {
    pub(crate) fn add(&mut self, entry: Entry) {
        if self.entries.len() >= KEPT {
            self.entries.remove(0);
        }
        match self.entries.iter_mut().find(|old| old.prompt.id == entry.prompt.id) {
            Some(old) => *old = entry,
            None => self.entries.push(entry),
        }
    }

    pub(crate) fn find(&self, id: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.prompt.id == id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    pub(crate) fn forget(&mut self, ids: &[String]) {
        self.entries.retain(|entry| !ids.contains(&entry.prompt.id));
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }

    /// `{id: entry}` for one id, or for a page; `max_items` without an offset means the newest ones.
    pub(crate) fn to_json(&self, id: Option<&str>, max_items: Option<usize>, offset: Option<usize>) -> Value {
        let all = self.entries.len();
        let start = match (offset, max_items) {
            (Some(offset), _) => offset,
            (None, Some(most)) => all.saturating_sub(most),
            (None, None) => 0,
        };
        let page: Map<String, Value> = self
            .entries
            .iter()
            .filter(|entry| id.is_none_or(|id| entry.prompt.id == id))
            .skip(if id.is_some() { 0 } else { start })
            .take(max_items.unwrap_or(usize::MAX))
            .map(|entry| (entry.prompt.id.clone(), entry.to_json()))
            .collect();
        Value::Object(page)
    }
}
