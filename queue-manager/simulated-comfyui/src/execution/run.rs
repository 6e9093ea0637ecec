//! One run of one prompt: node after node, waits, interrupts and misbehaviour. What is told of it is in `telling.rs`.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, Span, info};

use super::cache::{self, Cache, Key, link};
use super::failure::Failure;
use super::job::Job;
use super::nodes::{self, Inputs};
use super::order::Order;
use super::progress::Progress;
use super::value::{Datum, Made};
use crate::control::{Misbehaviour, NodeOrder};
use crate::history::{Ending, Outcome};
use crate::queue::Prompt;
use crate::server::Simulator;

/// Why the server itself ends in the middle of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stopped {
    /// It was told to die.
    Died,
    /// It is shutting down.
    Shutdown,
}

/// Why a node does not finish.
#[derive(Debug)]
pub(super) enum Halt {
    Raised(Failure),
    Interrupted,
    Stopped(Stopped),
}

/// One run of one prompt.
pub(super) struct Run<'a> {
    pub(super) simulator: &'a Simulator,
    pub(super) prompt: Prompt,
    pub(super) job: Arc<Job>,
    pub(super) progress: Progress,
    cache: &'a mut Cache,
    interrupt: CancellationToken,
    keys: HashMap<String, Key>,
    pub(super) executed: Vec<String>,
    pub(super) outputs: Map<String, Value>,
    pub(super) messages: Vec<(&'static str, Value)>,
}

impl<'a> Run<'a> {
    pub(super) fn new(
        simulator: &'a Simulator,
        cache: &'a mut Cache,
        prompt: Prompt,
        interrupt: CancellationToken,
    ) -> Self {
        Self {
            job: Arc::new(Job::of(&prompt, &simulator.folder)),
            progress: Progress::new(&prompt.id),
            keys: cache::keys(&prompt.graph, &simulator.folder),
            simulator,
            prompt,
            cache,
            interrupt,
            executed: Vec::new(),
            outputs: Map::new(),
            messages: Vec::new(),
        }
    }

    /// Runs to the end; an error means that the server ends and nothing is recorded.
    pub(super) async fn finish(mut self, span: Span) -> Result<Outcome, Stopped> {
        let ending = self.execute().instrument(span).await?;
        Ok(Outcome { ending, outputs: self.outputs, messages: self.messages })
    }

    async fn execute(&mut self) -> Result<Ending, Stopped> {
        let id = self.prompt.id.clone();
        self.message("execution_start", json!({"prompt_id": id}));
        self.cache.keep_only(&self.keys);
        let cached: Vec<String> =
            self.prompt.graph.keys().filter(|node| self.earlier(node).is_some()).cloned().collect();
        self.message("execution_cached", json!({"nodes": cached, "prompt_id": id}));
        let cached: HashSet<String> = cached.into_iter().collect();
        let mut order = Order::plan(&self.prompt.graph, &self.prompt.outputs, &cached, |node| {
            self.simulator.catalogue.is_output(self.class(node))
        });
        while let Some(node) = order.next() {
            match self.visit(&node).await {
                Ok(()) => {}
                Err(Halt::Stopped(stopped)) => return Err(stopped),
                Err(Halt::Interrupted) => {
                    self.tell_interrupted(&node);
                    return Ok(Ending::Error);
                }
                Err(Halt::Raised(failure)) => {
                    self.tell_failed(&node, &failure);
                    return Ok(Ending::Error);
                }
            }
        }
        self.message("execution_success", json!({"prompt_id": id}));
        Ok(Ending::Success)
    }

    async fn visit(&mut self, node: &str) -> Result<(), Halt> {
        if let Some(made) = self.earlier(node) {
            self.show(node, &made, true);
        } else {
            self.simulator.queue.at_node(node);
            let state = self.progress.start(node);
            self.send("progress_state", &state);
            let executing = json!({"node": node, "display_node": node, "prompt_id": self.prompt.id});
            self.send_to_client("executing", &executing);
            let made = Arc::new(self.run_node(node).await?);
            self.executed.push(node.to_owned());
            self.show(node, &made, false);
            if let Some(key) = self.keys.get(node) {
                self.cache.put(*key, made);
            }
        }
        let state = self.progress.finish(node);
        self.send("progress_state", &state);
        Ok(())
    }

    async fn run_node(&mut self, node: &str) -> Result<Made, Halt> {
        let order = NodeOrder::read(self.prompt.graph[node]["inputs"].get("simulate"));
        let inputs = self.inputs(node);
        let class = self.class(node).to_owned();
        let wait = order.node_ms.map_or_else(|| self.simulator.control().node, Duration::from_millis);
        self.pause(wait).await?;
        self.strike(order.what.or_else(|| self.simulator.take_next())).await?;
        if class == "KSampler" {
            return self.sample(node, &inputs, order.step_ms).await;
        }
        let job = Arc::clone(&self.job);
        let temp_prefix = if class == "PreviewImage" { self.cache.temp_prefix(node) } else { String::new() };
        let work = tokio::task::spawn_blocking(move || nodes::run(&class, &inputs, &job, &temp_prefix));
        settle(work.await)
    }

    /// Follows the links of a node's declared inputs.
    pub(super) fn inputs(&self, node: &str) -> Inputs {
        let given = &self.prompt.graph[node]["inputs"];
        let mut inputs = Inputs::default();
        for spec in self.simulator.catalogue.inputs(self.class(node)) {
            let Some(value) = given.get(spec.name) else {
                continue;
            };
            let datum = match link(value) {
                Some((from, slot)) => self.earlier(from).and_then(|made| made.slots.get(slot).cloned()),
                None => Some(Datum::Literal(value.clone())),
            };
            if let Some(datum) = datum {
                inputs.0.insert(spec.name.to_owned(), datum);
            }
        }
        inputs
    }

    /// Waits, unless an interrupt or the server's end comes first.
    pub(super) async fn pause(&self, duration: Duration) -> Result<(), Halt> {
        let pause = async {
            if duration.is_zero() {
                tokio::task::yield_now().await;
            } else {
                tokio::time::sleep(duration).await;
            }
        };
        tokio::select! {
            biased;
            () = self.simulator.stop.cancelled() => Err(Halt::Stopped(Stopped::Shutdown)),
            () = self.interrupted() => Err(Halt::Interrupted),
            () = pause => Ok(()),
        }
    }

    /// Misbehaves as told.
    pub(super) async fn strike(&self, what: Option<Misbehaviour>) -> Result<(), Halt> {
        let Some(what) = what else { return Ok(()) };
        info!(misbehaviour = ?what, "told to misbehave");
        match what {
            Misbehaviour::Fail => Err(Halt::Raised(Failure::told_to(&self.prompt.keys))),
            Misbehaviour::OutOfMemory => Err(Halt::Raised(Failure::out_of_memory())),
            Misbehaviour::Hang => self.pause(Duration::MAX).await,
            Misbehaviour::DropSocket => {
                if let Some(client) = self.prompt.client() {
                    self.simulator.sockets.cut(client);
                }
                Ok(())
            }
            Misbehaviour::Die => Err(Halt::Stopped(Stopped::Died)),
        }
    }

    /// Comes back once there is an interrupt that is not ignored.
    async fn interrupted(&self) {
        self.interrupt.cancelled().await;
        let mut control = self.simulator.watch_control();
        // The sender lives as long as the simulator, so waiting cannot fail.
        let _ = control.wait_for(|control| !control.ignore_interrupt).await;
    }

    fn earlier(&self, node: &str) -> Option<Arc<Made>> {
        self.cache.get(self.keys.get(node)?)
    }

    pub(super) fn class(&self, node: &str) -> &str {
        self.prompt.graph.get(node).and_then(|node| node["class_type"].as_str()).unwrap_or_default()
    }
}

/// A node that panics is a bug of this program; it is reported as the node's failure, as a crash would be.
pub(super) fn settle(work: Result<Result<Made, Failure>, tokio::task::JoinError>) -> Result<Made, Halt> {
    match work {
        Ok(made) => made.map_err(Halt::Raised),
        Err(crash) => Err(Halt::Raised(Failure::runtime(crash.to_string()))),
    }
}
