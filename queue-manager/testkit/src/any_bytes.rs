//! What must hold whatever bytes come from outside, one function for each reader. The property tests run each for a
//! moment, the fuzz targets (`scripts/fuzz.sh`) for as long as they are let.

use std::sync::{Arc, LazyLock};

use queue_manager::capabilities::ObjectInfo;
use queue_manager::files::StorePath;
use queue_manager::path_rule;
use queue_manager::workflow::{depth, passes};
use queue_protocol::frame;
use queue_protocol::link::{FromWorker, ToWorker};

static INFO: LazyLock<Option<Arc<ObjectInfo>>> = LazyLock::new(|| {
    let json = include_bytes!("any_bytes.json");
    ObjectInfo::read(json).ok().map(Arc::new)
});

/// Takes any bytes, and panics where something does not hold.
pub type Reader = fn(&[u8]);

/// Readers by the names of their fuzz targets.
pub const READERS: [(&str, Reader); 5] = [
    ("validator", validator),
    ("depth", depth_scanner),
    ("frames", frames),
    ("paths", paths),
    ("link_messages", link_messages),
];

/// A submitted body is accepted or refused.
///
/// # Panics
/// When the description that is compiled in cannot be read, or a reader panics.
#[expect(clippy::expect_used, reason = "a fuzz target fails by panicking")]
pub fn validator(bytes: &[u8]) {
    // Either is fine: what matters is that there is an answer.
    let _ = passes(bytes, INFO.as_ref().expect("any_bytes.json describes nodes"));
}

/// The scanner says of JSON what a parser says.
///
/// # Panics
/// When they disagree.
pub fn depth_scanner(bytes: &[u8]) {
    let exceeds = depth::exceeds(bytes, 100);
    if let Ok(value) = serde_json::from_slice::<serde_json::Value>(bytes) {
        assert_eq!(exceeds, levels(&value) > 100);
    }
}

fn levels(value: &serde_json::Value) -> usize {
    let within: Box<dyn Iterator<Item = &serde_json::Value>> = match value {
        serde_json::Value::Array(items) => Box::new(items.iter()),
        serde_json::Value::Object(fields) => Box::new(fields.values()),
        _ => return 0,
    };
    1 + within.map(levels).max().unwrap_or_default()
}

/// A frame of a worker is a preview of a job, or nothing.
///
/// # Panics
/// When one that was read cannot be written again as it was.
pub fn frames(bytes: &[u8]) {
    if let Some((job, token, inner)) = frame::from_link(bytes) {
        assert_eq!(frame::to_link(job, token, inner), bytes);
    }
    if let Some(plain) = frame::without_metadata(bytes) {
        assert!(plain.len() <= bytes.len() && frame::event_number(&plain).is_some());
    }
}

/// A path that is allowed has one reading, and what becomes a file's path stays beneath its folder.
///
/// # Panics
/// When it does not.
pub fn paths(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if path_rule::is_allowed(text) && !text.to_ascii_lowercase().contains("/userdata/") {
        let decoded = percent_encoding::percent_decode_str(text).collect::<Vec<u8>>();
        let decoded = String::from_utf8_lossy(&decoded);
        assert!(!decoded.split(['/', '\\']).any(|segment| segment == ".." || segment == "."), "{text:?}");
        assert_eq!(decoded.matches('/').count(), text.matches('/').count(), "{text:?}");
        assert!(!decoded.contains('\0'), "{text:?}");
    }
    if let Some((participant, _)) = path_rule::participant_of(text) {
        assert!(text.starts_with(&format!("/{participant}")));
    }
    if let Ok(path) = StorePath::new(&["userdata", "user001", text]) {
        let path = std::path::Path::new(path.as_str());
        assert!(path.starts_with("userdata/user001"), "{text:?}");
        let plain = |part| matches!(part, std::path::Component::Normal(_));
        assert!(path.is_relative() && path.components().all(plain), "{text:?}");
    }
}

/// A message of the worker link is understood or refused, and what was understood can be said again.
///
/// # Panics
/// When it cannot.
pub fn link_messages(bytes: &[u8]) {
    if let Ok(message) = serde_json::from_slice::<FromWorker>(bytes) {
        let again =
            serde_json::to_vec(&message).map(|bytes| serde_json::from_slice::<FromWorker>(&bytes).is_ok());
        assert!(again.unwrap_or_default());
    }
    if let Ok(message) = serde_json::from_slice::<ToWorker>(bytes) {
        let again =
            serde_json::to_vec(&message).map(|bytes| serde_json::from_slice::<ToWorker>(&bytes).is_ok());
        assert!(again.unwrap_or_default());
    }
}
