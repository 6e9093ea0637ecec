//! How far a worker is, read from ComfyUI's own messages: the class of the node that works, and its steps. Names of
//! classes and numbers only, for those who watch the room; noted once a second at most.

use std::collections::HashMap;
use std::time::Duration;

use queue_protocol::api::Step;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::time::Instant;

const EVERY: Duration = Duration::from_secs(1);
/// A class that somebody's node pack names at length is cut.
const LONGEST: usize = 60;

/// What is known of a job's nodes, and when something was last noted.
#[derive(Debug, Default)]
pub(super) struct Progress {
    classes: HashMap<String, String>,
    noted: Option<Instant>,
}

#[derive(Deserialize)]
struct Body {
    prompt: HashMap<String, Node>,
}

#[derive(Deserialize)]
struct Node {
    class_type: String,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(borrow)]
    data: &'a RawValue,
}

#[derive(Deserialize)]
struct Working {
    node: Option<String>,
    #[serde(default)]
    value: f64,
    #[serde(default)]
    max: f64,
}

impl Progress {
    /// Of a job with this body; where it is not at hand, nodes go by their ids.
    pub(super) fn of(body: Option<&[u8]>) -> Self {
        let body = body.and_then(|bytes| serde_json::from_slice::<Body>(bytes).ok());
        let nodes = body.into_iter().flat_map(|body| body.prompt);
        Self { classes: nodes.map(|(id, node)| (id, node.class_type)).collect(), noted: None }
    }

    /// What a message says, if it is about progress and the last one was long enough ago.
    pub(super) fn read(&mut self, frame: &str) -> Option<Step> {
        let message: Message<'_> = serde_json::from_str(frame).ok()?;
        if !matches!(message.kind, "progress" | "executing")
            || self.noted.is_some_and(|at| at.elapsed() < EVERY)
        {
            return None;
        }
        let working: Working = serde_json::from_str(message.data.get()).ok()?;
        let id = working.node?;
        let class = self.classes.get(&id).unwrap_or(&id);
        self.noted = Some(Instant::now());
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "steps of a sampler")]
        let whole = |number: f64| number.clamp(0.0, 1e9) as u64;
        Some(Step {
            node: class.chars().take(LONGEST).collect(),
            value: whole(working.value),
            max: whole(working.max),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_step_is_named_by_its_class_and_said_once_a_second() {
        let body =
            br#"{"prompt":{"3":{"class_type":"KSampler","inputs":{"text":"a secret"}}},"client_id":"x"}"#;
        let mut progress = Progress::of(Some(body));
        let said = r#"{"type":"progress","data":{"value":12,"max":50,"prompt_id":"x","node":"3"}}"#;
        let step = Step { node: "KSampler".to_owned(), value: 12, max: 50 };
        assert_eq!(progress.read(said), Some(step.clone()));
        assert_eq!(progress.read(said), None);
        tokio::time::advance(EVERY).await;
        assert_eq!(progress.read(r#"{"type":"executed","data":{"node":"3"}}"#), None);
        assert_eq!(progress.read(r#"{"type":"executing","data":{"node":null}}"#), None, "the end is no step");
        assert_eq!(progress.read(said), Some(step));
    }
}
