//! The workflow that a PNG carries.

use serde_json::Value;

/// The JSON in a text chunk, such as `workflow` or `prompt`.
pub fn embedded(png: &[u8], keyword: &str) -> Value {
    let reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().expect("a PNG");
    let chunk = reader.info().uncompressed_latin1_text.iter().find(|chunk| chunk.keyword == keyword);
    serde_json::from_str(&chunk.expect("the text chunk").text).unwrap()
}

/// Width and height.
pub fn size(png: &[u8]) -> (u32, u32) {
    let reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().expect("a PNG");
    (reader.info().width, reader.info().height)
}
