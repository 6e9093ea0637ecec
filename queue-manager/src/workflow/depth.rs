//! How deep a JSON text is nested and how many values it has, each in one pass and constant memory, before any parser sees it.

/// Whether brackets are nested deeper than `limit`. Says nothing about whether the text is JSON.
#[must_use]
pub fn exceeds(json: &[u8], limit: usize) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth += 1;
                if depth > limit {
                    return true;
                }
            }
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

/// Whether a JSON text has more than `limit` values, keys among them. Of a text that is no JSON it says nothing.
#[must_use]
pub fn has_more_values(json: &[u8], limit: usize) -> bool {
    let (mut values, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b',' | b':' | b'{' | b'[' if !in_string => {
                values += 1;
                if values > limit {
                    return true;
                }
            }
            _ => {}
        }
    }
    false
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
