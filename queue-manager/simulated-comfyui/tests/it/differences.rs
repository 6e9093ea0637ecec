//! Every difference between the simulation and the real server that is meant, with its reason.

use crate::recording::Exchange;

/// What a difference concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// The request is left out of the replay.
    NotAsked,
    /// The list holds other entries; the path is compared with a question mark behind it.
    OtherEntries,
    /// A field of any answer or frame, whatever is in it.
    Field,
    /// A stream of the capture is only the beginning of the simulation's.
    Longer,
}

/// One meant difference: the capture it shows in (empty for all), what it concerns, and the start of a path, a query,
/// a field's name or a socket's name.
pub(crate) struct Difference {
    pub(crate) capture: &'static str,
    pub(crate) scope: Scope,
    pub(crate) what: &'static str,
    pub(crate) reason: &'static str,
}

const fn difference(
    capture: &'static str,
    scope: Scope,
    what: &'static str,
    reason: &'static str,
) -> Difference {
    Difference { capture, scope, what, reason }
}

/// All of them.
pub(crate) const MEANT: &[Difference] = &[
    difference(
        "02",
        Scope::NotAsked,
        "&preview=",
        "it encodes neither WebP nor JPEG; the file is served as it is",
    ),
    difference(
        "02",
        Scope::NotAsked,
        "&channel=",
        "channels are not taken apart; the file is served as it is",
    ),
    difference("", Scope::OtherEntries, "/api/jobs?", "the capture's server had run other scenarios before"),
    difference("", Scope::OtherEntries, "/history?", "the capture's server had run other scenarios before"),
    difference(
        "",
        Scope::OtherEntries,
        "/queue?",
        "which jobs still wait when the question comes depends on luck",
    ),
    difference("", Scope::Field, "traceback", "there is no Python stack; one line names the node"),
    difference(
        "",
        Scope::Field,
        "current_inputs",
        "tensors are named, not printed; hidden inputs are left out",
    ),
    difference("", Scope::Field, "current_outputs", "a set: the order is Python's hashing"),
    difference("", Scope::Field, "exception_message", "it contains paths of the machine"),
    difference("", Scope::Field, "system", "it says that it is simulated"),
    difference("", Scope::Field, "devices", "it says that it is simulated"),
    difference("", Scope::Field, "image_type", "previews are PNG, not JPEG, and say so"),
    difference(
        "12",
        Scope::Longer,
        "third_same_id_while_second_open",
        "a socket does not go deaf when an older one with its client id closes",
    ),
];

fn applies(capture: &str, scope: Scope) -> impl Iterator<Item = &'static Difference> {
    MEANT
        .iter()
        .filter(move |difference| difference.scope == scope)
        .filter(move |difference| difference.capture.is_empty() || capture.starts_with(difference.capture))
}

/// Whether the field may differ.
pub(crate) fn field_may_differ(name: &str) -> bool {
    applies("", Scope::Field).any(|difference| difference.what == name)
}

/// Whether a request is left out.
pub(crate) fn is_not_asked(exchange: &Exchange) -> bool {
    MEANT
        .iter()
        .any(|difference| difference.scope == Scope::NotAsked && exchange.path().contains(difference.what))
}

/// Whether an answer lists other entries than the capture.
pub(crate) fn may_have_other_entries(exchange: &Exchange) -> bool {
    applies("", Scope::OtherEntries)
        .any(|difference| format!("{}?", exchange.path()).starts_with(difference.what))
}

/// Whether a socket of the simulation may hear more than its counterpart.
pub(crate) fn may_be_longer(capture: &str, socket: &str) -> bool {
    applies(capture, Scope::Longer).any(|difference| difference.what == socket)
}

#[test]
fn every_meant_difference_has_a_reason() {
    assert!(MEANT.iter().all(|difference| !difference.reason.is_empty()));
}
