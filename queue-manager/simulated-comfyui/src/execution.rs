//! Running prompts, one at a time, for as long as the server lives.

mod cache;
mod failure;
mod job;
mod nodes;
mod order;
mod progress;
mod run;
mod sampler;
mod saving;
mod telling;
mod value;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::json;
use tracing::{info, info_span};

use crate::server::Simulator;
use cache::Cache;
use run::{Run, Stopped};

/// Takes prompts from the queue until the server stops or is told to die.
pub(crate) async fn run_prompts(simulator: Arc<Simulator>) {
    let mut cache = Cache::default();
    while let Some((prompt, interrupt)) = simulator.queue.take(&simulator.stop).await {
        if simulator.free_memory.swap(false, Ordering::Relaxed) {
            cache = Cache::default();
        }
        let span = info_span!("run", prompt.id = %prompt.id);
        let client = prompt.client().map(str::to_owned);
        let id = prompt.id.clone();
        let outcome = Run::new(&simulator, &mut cache, prompt, interrupt).finish(span).await;
        match outcome {
            Ok(outcome) => simulator.queue.finish(outcome),
            Err(Stopped::Died) => {
                info!("told to die");
                simulator.die();
                return;
            }
            Err(Stopped::Shutdown) => return,
        }
        if client.is_some() {
            simulator.sockets.send(client.as_deref(), "executing", &json!({"node": null, "prompt_id": id}));
        }
    }
}
