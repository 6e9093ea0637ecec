//! How deep a JSON text is nested and how many values it has, each in one pass and constant memory, before any parser sees it.

use queue_protocol::limits;

use super::refusal::Refusal;
use crate::problem::Trouble;

/// The bytes of a JSON text that stand in no string.
fn outside_strings(json: &[u8]) -> impl Iterator<Item = u8> {
    let (mut in_string, mut escaped) = (false, false);
    json.iter().copied().filter(move |byte| {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ => return !in_string,
        }
        false
    })
}

/// Whether brackets are nested deeper than `limit`. Says nothing about whether the text is JSON.
#[must_use]
pub fn exceeds(json: &[u8], limit: usize) -> bool {
    let mut depth = 0_usize;
    for byte in outside_strings(json) {
        match byte {
            b'{' | b'[' if depth == limit => return true,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

/// Refuses what is nested deeper than anything of ours.
///
/// # Errors
/// [`Refusal::TooDeep`].
pub(crate) fn check(json: &[u8]) -> Result<(), Trouble> {
    if exceeds(json, limits::DEPTH) { Err(Trouble::Workflow(Refusal::TooDeep)) } else { Ok(()) }
}

/// Whether a JSON text has more than `limit` values, keys among them. Of a text that is no JSON it says nothing.
#[must_use]
pub fn has_more_values(json: &[u8], limit: usize) -> bool {
    outside_strings(json).filter(|byte| matches!(byte, b',' | b':' | b'{' | b'[')).nth(limit).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_and_what_is_in_a_text_is_not() {
        let json = br#"{"a,,[[\"{{": [1, 2, {}]}"#;
        assert!(!has_more_values(json, 6) && has_more_values(json, 5));
        assert!(has_more_values(&b"[0,".repeat(1_000), 1_999));
    }

    #[test]
    fn only_brackets_outside_strings_count() {
        assert!(!exceeds(br#"{"a": "[[[[\"[["}"#, 2));
        assert!(exceeds(b"[[[1]]]", 2));
        assert!(!exceeds(b"[[1],[2],[[3]]]", 3));
    }

    #[test]
    fn five_million_brackets_are_refused_at_once() {
        assert!(exceeds(&vec![b'['; 5_000_000], 64));
    }
}
