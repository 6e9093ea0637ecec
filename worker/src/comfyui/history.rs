//! What ComfyUI remembers of a prompt that ended: the truth about how it ended.

use std::collections::BTreeMap;

use queue_protocol::link::JobError;
use queue_protocol::{FailureKind, JobId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Comfyui, ComfyuiError};

/// One history entry.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Entry {
    /// Node id → its output.
    #[serde(default)]
    pub outputs: BTreeMap<String, Value>,
    /// How it ended.
    pub status: Status,
    /// Display data per node.
    #[serde(default)]
    pub meta: Option<Value>,
}

/// How a prompt ended.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Status {
    /// `success` or `error`.
    pub status_str: String,
    /// `[event, data]`, oldest first.
    #[serde(default)]
    pub messages: Vec<(String, Value)>,
}

/// How a prompt ended, in our words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Well.
    Success,
    /// Badly.
    Failure(FailureKind, JobError),
}

impl Comfyui {
    /// The entry of one prompt; `None` while it runs, and after a restart of ComfyUI.
    ///
    /// # Errors
    /// When ComfyUI does not answer.
    pub async fn history(&self, id: JobId) -> Result<Option<Entry>, ComfyuiError> {
        let mut entries: BTreeMap<String, Entry> = self.get(&format!("/history/{id}")).await?.json().await?;
        Ok(entries.remove(&id.to_string()))
    }
}

impl Entry {
    /// How it ended.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        if self.status.status_str == "success" {
            return Verdict::Success;
        }
        let find =
            |kind: &str| self.status.messages.iter().find(|(event, _)| event == kind).map(|(_, data)| data);
        match (find("execution_error"), find("execution_interrupted")) {
            (Some(data), _) => {
                let error: JobError = serde_json::from_value(data.clone()).unwrap_or_default();
                let out_of_memory = error.exception_type.contains("OutOfMemory");
                let kind = if out_of_memory { FailureKind::OutOfMemory } else { FailureKind::Run };
                Verdict::Failure(kind, error)
            }
            _ => Verdict::Failure(FailureKind::Interrupted, JobError::default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(messages: &str) -> Entry {
        let text = format!(r#"{{"outputs":{{}},"status":{{"status_str":"error","messages":{messages}}}}}"#);
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn an_error_tells_its_kind() {
        let oom = entry(
            r#"[["execution_start",{}],["execution_error",{"node_id":"3","node_type":"KSampler",
                "exception_type":"torch.OutOfMemoryError","exception_message":"Allocation on device","traceback":[]}]]"#,
        );
        let Verdict::Failure(kind, error) = oom.verdict() else { panic!("a failure") };
        assert_eq!((kind, error.node_id.as_str()), (FailureKind::OutOfMemory, "3"));
        let stopped = entry(r#"[["execution_start",{}],["execution_interrupted",{"node_id":"3"}]]"#);
        assert!(matches!(stopped.verdict(), Verdict::Failure(FailureKind::Interrupted, _)));
    }
}
