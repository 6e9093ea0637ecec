//! Tables as files: CSV that a spreadsheet takes for text and never for a formula, and JSON.

use axum::http::header;
use axum::response::{IntoResponse, Response};

/// One line of CSV. What a spreadsheet would run as a formula is led by an apostrophe, so that it stays text.
pub(crate) fn line<'a>(fields: impl IntoIterator<Item = &'a str>) -> String {
    let fields: Vec<_> = fields.into_iter().map(field).collect();
    fields.join(",") + "\r\n"
}

fn field(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let safe = if formula { format!("'{text}") } else { text.to_owned() };
    if safe.contains([',', '"', '\n', '\r', ';', '\'']) {
        format!("\"{}\"", safe.replace('"', "\"\""))
    } else {
        safe
    }
}

/// A file to keep.
pub(crate) fn file(name: &str, kind: &'static str, text: String) -> Response {
    let disposition = format!("attachment; filename=\"{name}\"");
    ([(header::CONTENT_TYPE, kind.to_owned()), (header::CONTENT_DISPOSITION, disposition)], text)
        .into_response()
}

pub(crate) const CSV: &str = "text/csv; charset=utf-8";
pub(crate) const JSON: &str = "application/json";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_a_formula_and_no_field_ends_early() {
        let made = line(["=cmd|' /C calc'!A0", "+1", "-1", "@x", "plain", "a,b", "say \"hi\"", "two\nlines"]);
        assert_eq!(
            made,
            "\"'=cmd|' /C calc'!A0\",\"'+1\",\"'-1\",\"'@x\",plain,\"a,b\",\"say \"\"hi\"\"\",\"two\nlines\"\r\n"
        );
    }
}
