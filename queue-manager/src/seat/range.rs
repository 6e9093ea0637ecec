//! What a request wants of a file: all of it, a part, or to know that it has not changed.

use axum::http::{HeaderMap, HeaderValue, header};

/// Which bytes to send.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// All.
    Whole,
    /// These.
    Bytes {
        /// The first.
        first: u64,
        /// How many.
        length: u64,
    },
    /// None: the range lies outside the file.
    None,
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// Whether the client has this version already.
pub(super) fn matches(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    let known = text(headers, header::IF_NONE_MATCH).unwrap_or_default();
    known.split(',').map(str::trim).any(|one| one == "*" || one.trim_start_matches("W/").as_bytes() == tag)
}

/// The part that a request asks for. Several parts at once are answered with the whole, which every client must take.
pub(super) fn asked(headers: &HeaderMap, tag: &HeaderValue, modified: &str, size: u64) -> Part {
    let Some(range) = text(headers, header::RANGE) else { return Part::Whole };
    let stale =
        text(headers, header::IF_RANGE).is_some_and(|seen| seen.as_bytes() != tag && seen != modified);
    if stale || !range.starts_with("bytes=") || range.contains(',') {
        return Part::Whole;
    }
    let ranges = http_range_header::parse_range_header(range).and_then(|parsed| parsed.validate(size));
    match ranges.ok().and_then(|ranges| ranges.into_iter().next()) {
        Some(range) => Part::Bytes { first: *range.start(), length: range.end() - range.start() + 1 },
        None => Part::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_first_and_last_byte() {
        let tag = HeaderValue::from_static("\"a\"");
        let part = |range: &str, only_if: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert(header::RANGE, range.parse().unwrap());
            headers.extend(only_if.map(|seen| (header::IF_RANGE, seen.parse().unwrap())));
            asked(&headers, &tag, "Thu, 01 Jan 1970 00:00:00 GMT", 100)
        };
        assert_eq!(part("bytes=0-9", None), Part::Bytes { first: 0, length: 10 });
        assert_eq!(part("bytes=90-", None), Part::Bytes { first: 90, length: 10 });
        assert_eq!(part("bytes=-5", None), Part::Bytes { first: 95, length: 5 });
        assert_eq!(part("bytes=50-1000", None), Part::Bytes { first: 50, length: 50 });
        assert_eq!(part("bytes=100-", None), Part::None);
        assert_eq!(part("bytes=9-1", None), Part::None);
        assert_eq!(part("bytes=0-1,5-6", None), Part::Whole);
        assert_eq!(part("lines=0-1", None), Part::Whole);
        assert_eq!(part("bytes=0-9", Some("\"b\"")), Part::Whole);
        assert_eq!(part("bytes=0-9", Some("\"a\"")), Part::Bytes { first: 0, length: 10 });
        assert_eq!(asked(&HeaderMap::new(), &tag, "", 100), Part::Whole);
    }

    #[test]
    fn a_version_is_known_by_its_tag() {
        let tag = HeaderValue::from_static("\"a\"");
        let knows = |seen: &str| {
            matches(&HeaderMap::from_iter([(header::IF_NONE_MATCH, seen.parse().unwrap())]), &tag)
        };
        assert!(knows("\"a\"") && knows("\"b\", W/\"a\"") && knows("*"));
        assert!(!knows("\"b\"") && !matches(&HeaderMap::new(), &tag));
    }
}
