//! Keys of paid nodes in what ComfyUI says: an error shows what a node was given, and that may be one of them.

use std::collections::BTreeMap;

use queue_protocol::Secret;

use crate::comfyui::history::Entry;

/// What stands in their place.
const HIDDEN: &str = "***";

/// The keys that came with a job.
pub(super) struct Keys<'a>(pub(super) &'a BTreeMap<String, Secret>);

impl Keys<'_> {
    /// A JSON text without any of them.
    pub(super) fn hidden(&self, mut json: String) -> String {
        for key in self.0.values().map(Secret::expose).filter(|key| !key.is_empty()) {
            // As it is written in JSON, without its quotation marks.
            let written = serde_json::to_string(key).unwrap_or_default();
            for spelling in [written.trim_matches('"'), key] {
                if json.contains(spelling) {
                    json = json.replace(spelling, HIDDEN);
                }
            }
        }
        json
    }

    /// What ComfyUI remembers of the prompt, without any of them.
    pub(super) fn hide_in(&self, entry: &mut Entry) {
        if self.0.is_empty() {
            return;
        }
        let hidden = serde_json::to_string(entry).map(|json| self.hidden(json));
        match hidden.and_then(|json| serde_json::from_str(&json)) {
            Ok(hidden) => *entry = hidden,
            // A key that is part of the JSON itself: then nothing of what ComfyUI said is kept.
            Err(_) => (entry.status.messages, entry.meta) = (Vec::new(), None),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_key_shows_in_no_message_and_no_result() {
        let keys = BTreeMap::from([
            ("auth".to_owned(), Secret::from("can\"ary".to_owned())),
            ("none".to_owned(), Secret::from(String::new())),
        ]);
        let keys = Keys(&keys);
        let said = json!({"type": "execution_error", "data": {"current_inputs": {"auth": ["can\"ary"]}}});
        let hidden = keys.hidden(said.to_string());
        assert!(!hidden.contains("ary") && hidden.contains(HIDDEN), "{hidden}");
        serde_json::from_str::<serde_json::Value>(&hidden).unwrap();
        let mut entry: Entry = serde_json::from_value(json!({
            "outputs": {"1": {"text": ["can\"ary"]}},
            "status": {"status_str": "error", "messages": [["execution_error", {"exception_message": "can\"ary!"}]]},
        }))
        .unwrap();
        keys.hide_in(&mut entry);
        assert_eq!(entry.status.messages[0].1["exception_message"], "***!");
        assert!(!serde_json::to_string(&entry).unwrap().contains("ary"));
    }
}
