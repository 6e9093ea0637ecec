//! How it behaves right now, and the ways in which it can be told to misbehave.

use std::time::Duration;

use clap::ValueEnum;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

/// One way of misbehaving.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum Misbehaviour {
    /// The node raises a `RuntimeError`.
    Fail,
    /// The node raises `torch.OutOfMemoryError`.
    OutOfMemory,
    /// The node never returns; an interrupt ends it unless interrupts are ignored.
    Hang,
    /// The websocket of the job's client is cut off without a close frame; the job goes on.
    DropSocket,
    /// The server stops at once and every socket closes; the program exits with status 1.
    Die,
}

/// How it behaves right now. `GET /simulation` shows it as `{"step_ms", "node_ms", "next", "ignore_interrupt", "silent"}`;
/// `POST /simulation` changes the fields that its body names, and `badge`, and answers with the result. Not a route of `ComfyUI`.
#[derive(Debug, Clone)]
pub struct Control {
    /// How long one step of a sampler takes.
    pub step: Duration,
    /// How long every other node takes, on top of its real work.
    pub node: Duration,
    /// Strikes once: the next node that starts, or the next sampler step, whichever comes first. Nodes answered from
    /// the cache do not count, as they do not run.
    pub next: Option<Misbehaviour>,
    /// Whether interrupts are accepted and then ignored. Turning it off lets one that is waiting take effect.
    pub ignore_interrupt: bool,
    /// Requests whose path begins like this are taken and not answered until that ends; `None` answers all. `/simulation` is
    /// always answered.
    pub silent: Option<String>,
    /// The script that its custom node has for browsers; `None` for the one it comes with.
    pub badge: Option<String>,
}

impl Control {
    /// Whether a request for this path is not answered.
    pub(crate) fn is_silent_on(&self, path: &str) -> bool {
        path != "/simulation" && self.silent.as_ref().is_some_and(|silent| path.starts_with(silent.as_str()))
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({
            "step_ms": self.step.as_millis(),
            "node_ms": self.node.as_millis(),
            "next": self.next,
            "ignore_interrupt": self.ignore_interrupt,
            "silent": self.silent,
        })
    }

    pub(crate) fn apply(&mut self, change: &Change) {
        if let Some(step) = change.step_ms {
            self.step = Duration::from_millis(step);
        }
        if let Some(node) = change.node_ms {
            self.node = Duration::from_millis(node);
        }
        if let Next::Becomes(next) = change.next {
            self.next = next;
        }
        if let Some(ignore) = change.ignore_interrupt {
            self.ignore_interrupt = ignore;
        }
        if let Some(silent) = &change.silent {
            self.silent = Some(silent.clone()).filter(|path| !path.is_empty());
        }
        if let Some(badge) = &change.badge {
            self.badge = Some(badge.clone());
        }
    }
}

/// The body of `POST /simulation`; what it does not name stays.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Change {
    step_ms: Option<u64>,
    node_ms: Option<u64>,
    #[serde(deserialize_with = "named")]
    next: Next,
    ignore_interrupt: Option<bool>,
    /// The empty path ends it.
    silent: Option<String>,
    badge: Option<String>,
}

/// `next: null` takes a misbehaviour back, a missing `next` leaves it.
#[derive(Debug, Default)]
enum Next {
    #[default]
    Stays,
    Becomes(Option<Misbehaviour>),
}

fn named<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Next, D::Error> {
    Option::deserialize(deserializer).map(Next::Becomes)
}

/// What the undeclared input `simulate` of one node asks for.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct NodeOrder {
    #[serde(rename = "do")]
    pub(crate) what: Option<Misbehaviour>,
    pub(crate) node_ms: Option<u64>,
    pub(crate) step_ms: Option<u64>,
}

impl NodeOrder {
    /// Reads the input; anything that is not understood asks for nothing, as an undeclared input does in `ComfyUI`.
    pub(crate) fn read(input: Option<&Value>) -> Self {
        match input {
            Some(Value::String(_)) => Self {
                what: input.and_then(|word| serde_json::from_value(word.clone()).ok()),
                ..Self::default()
            },
            Some(other) => serde_json::from_value(other.clone()).unwrap_or_default(),
            None => Self::default(),
        }
    }
}
