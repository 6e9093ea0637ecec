//! PNG files: one to upload, and the workflow that a result carries.

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

/// A picture of one grey.
pub fn solid(width: u32, height: u32) -> Vec<u8> {
    with_text(width, height, "nothing to read")
}

/// A small picture that carries words.
pub fn solid_with_text(words: &str) -> Vec<u8> {
    with_text(16, 16, words)
}

fn with_text(width: u32, height: u32, words: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.add_text_chunk("Comment".to_owned(), words.to_owned()).unwrap();
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&vec![200; (width * height * 3) as usize]).unwrap();
    drop(writer);
    bytes
}
