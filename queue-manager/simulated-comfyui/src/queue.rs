//! The prompts that wait, the one that runs, and those that are done.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::sync::{Arc, Mutex};

use serde_json::{Map, Number, Value, json};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::history::{Entry, History, Outcome};
use crate::locks::hold;
use crate::sockets::{Seat, Sockets};

/// One accepted prompt.
#[derive(Debug, Clone)]
pub(crate) struct Prompt {
    pub(crate) number: Number,
    pub(crate) id: String,
    pub(crate) graph: Map<String, Value>,
    pub(crate) extra_data: Map<String, Value>,
    /// The keys of paid nodes that came with it: `name=key`. They show up nowhere but in what a node raises.
    pub(crate) keys: Vec<String>,
    /// The output nodes that passed validation.
    pub(crate) outputs: Vec<String>,
}

impl Prompt {
    pub(crate) fn client(&self) -> Option<&str> {
        self.extra_data.get("client_id").and_then(Value::as_str)
    }

    /// The five-element item of `/queue` and `/history`.
    pub(crate) fn to_json(&self) -> Value {
        json!([self.number, self.id, self.graph, self.extra_data, self.outputs])
    }

    fn rank(&self) -> f64 {
        self.number.as_f64().unwrap_or(0.0)
    }
}

/// Ordered by number, then by id, as the tuples in the real server's heap are.
#[derive(Debug)]
struct Waiting(Prompt);

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Waiting {}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.rank().total_cmp(&other.0.rank()).then_with(|| self.0.id.cmp(&other.0.id))
    }
}

#[derive(Debug)]
struct Running {
    prompt: Prompt,
    interrupt: CancellationToken,
    node: Option<String>,
}

#[derive(Debug, Default)]
struct State {
    counter: i64,
    waiting: BinaryHeap<Reverse<Waiting>>,
    running: Option<Running>,
    history: History,
}

impl State {
    fn remaining(&self) -> usize {
        self.waiting.len() + usize::from(self.running.is_some())
    }

    fn status(&self) -> Value {
        json!({"exec_info": {"queue_remaining": self.remaining()}})
    }
}

/// The prompts that wait, the one that runs, and those that are done. Every change is told to all sockets while the
/// queue is still locked, so that frames keep the order of the changes.
#[derive(Debug)]
pub(crate) struct Queue {
    state: Mutex<State>,
    sockets: Arc<Sockets>,
    arrival: Notify,
}

impl Queue {
    pub(crate) fn new(sockets: Arc<Sockets>) -> Self {
        Self { state: Mutex::default(), sockets, arrival: Notify::new() }
    }

    /// The next number of the counter; refused prompts use one up as well.
    pub(crate) fn draw_number(&self) -> i64 {
        let mut state = hold(&self.state);
        let number = state.counter;
        state.counter += 1;
        number
    }

    pub(crate) fn put(&self, prompt: Prompt) {
        let mut state = hold(&self.state);
        state.waiting.push(Reverse(Waiting(prompt)));
        self.tell(&state);
        drop(state);
        self.arrival.notify_one();
    }

    /// Waits for a prompt and starts it; `None` once `stop` is cancelled.
    pub(crate) async fn take(&self, stop: &CancellationToken) -> Option<(Prompt, CancellationToken)> {
        loop {
            if let Some(taken) = self.try_take() {
                return Some(taken);
            }
            tokio::select! {
                () = self.arrival.notified() => {}
                () = stop.cancelled() => return None,
            }
        }
    }

    fn try_take(&self) -> Option<(Prompt, CancellationToken)> {
        let mut state = hold(&self.state);
        let Reverse(Waiting(prompt)) = state.waiting.pop()?;
        let interrupt = CancellationToken::new();
        state.running = Some(Running { prompt: prompt.clone(), interrupt: interrupt.clone(), node: None });
        self.tell(&state);
        Some((prompt, interrupt))
    }

    /// Remembers which node runs, for a client that comes back.
    pub(crate) fn at_node(&self, node: &str) {
        if let Some(running) = &mut hold(&self.state).running {
            running.node = Some(node.to_owned());
        }
    }

    /// Moves the running prompt into the history.
    pub(crate) fn finish(&self, outcome: Outcome) {
        let mut state = hold(&self.state);
        if let Some(running) = state.running.take() {
            state.history.add(Entry { prompt: running.prompt, outcome });
        }
        self.tell(&state);
    }

    /// Interrupts what runs; with an id only if it is the one. Answers whether it was.
    pub(crate) fn interrupt(&self, id: Option<&str>) -> bool {
        let state = hold(&self.state);
        let running = state.running.as_ref().filter(|running| id.is_none_or(|id| running.prompt.id == id));
        if let Some(running) = running {
            running.interrupt.cancel();
        }
        running.is_some()
    }

    /// Deletes waiting prompts; answers whether any was there. Unknown ids are ignored.
    pub(crate) fn delete(&self, ids: &[String]) -> bool {
        let mut state = hold(&self.state);
        let mut any = false;
        for id in ids {
            let before = state.waiting.len();
            state.waiting.retain(|Reverse(Waiting(prompt))| prompt.id != *id);
            if state.waiting.len() < before {
                any = true;
                self.tell(&state);
            }
        }
        any
    }

    pub(crate) fn clear(&self) {
        let mut state = hold(&self.state);
        state.waiting.clear();
        self.tell(&state);
    }

    pub(crate) fn remaining(&self) -> usize {
        hold(&self.state).remaining()
    }

    /// `/queue`: the waiting ones in the heap's own order, which is not the order of execution.
    pub(crate) fn to_json(&self) -> Value {
        let state = hold(&self.state);
        let running: Vec<Value> = state.running.iter().map(|running| running.prompt.to_json()).collect();
        let pending: Vec<Value> =
            state.waiting.iter().map(|Reverse(Waiting(prompt))| prompt.to_json()).collect();
        json!({"queue_running": running, "queue_pending": pending})
    }

    /// Looks at the running, the waiting and the finished prompts at one moment.
    pub(crate) fn look<T>(&self, view: impl FnOnce(Option<&Prompt>, Vec<&Prompt>, &History) -> T) -> T {
        let state = hold(&self.state);
        let waiting = state.waiting.iter().map(|Reverse(Waiting(prompt))| prompt).collect();
        view(state.running.as_ref().map(|running| &running.prompt), waiting, &state.history)
    }

    pub(crate) fn with_history<T>(&self, act: impl FnOnce(&mut History) -> T) -> T {
        act(&mut hold(&self.state).history)
    }

    /// Takes a socket in: a status frame first, and the running node if the running prompt is this client's.
    pub(crate) fn join(&self, client: String) -> Seat {
        let state = hold(&self.state);
        let mut first = vec![("status", json!({"status": state.status(), "sid": client}))];
        let running = state.running.as_ref().filter(|running| running.prompt.client() == Some(&client));
        if let Some(node) = running.and_then(|running| running.node.as_ref()) {
            first.push(("executing", json!({"node": node})));
        }
        self.sockets.join(client, first)
    }

    fn tell(&self, state: &State) {
        self.sockets.send(None, "status", &json!({"status": state.status()}));
    }
}
