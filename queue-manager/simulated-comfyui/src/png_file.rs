//! Pictures to and from PNG bytes.

use std::io::Cursor;

use crate::picture::Picture;

/// Encodes with the given text chunks, in their order, before the pixels.
///
/// # Errors
///
/// If the picture has no pixels, or a text is not Latin-1.
pub(crate) fn encode(picture: &Picture, texts: &[(String, String)]) -> Result<Vec<u8>, png::EncodingError> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, picture.width, picture.height);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_color(if picture.alpha.is_some() { png::ColorType::Rgba } else { png::ColorType::Rgb });
    encoder.set_compression(png::Compression::Fast);
    for (keyword, text) in texts {
        encoder.add_text_chunk(keyword.clone(), text.clone())?;
    }
    let mut writer = encoder.write_header()?;
    match &picture.alpha {
        None => writer.write_image_data(&picture.rgb)?,
        Some(alpha) => {
            let pixels = picture.rgb.chunks_exact(3).zip(alpha);
            let rgba: Vec<u8> = pixels.flat_map(|(rgb, &a)| [rgb[0], rgb[1], rgb[2], a]).collect();
            writer.write_image_data(&rgba)?;
        }
    }
    writer.finish()?;
    Ok(bytes)
}

/// Decodes any PNG to eight bits and three colours, with its transparency aside.
///
/// # Errors
///
/// If the bytes are no whole PNG.
pub(crate) fn decode(bytes: &[u8]) -> Result<Picture, png::DecodingError> {
    let mut decoder = png::Decoder::new(Cursor::new(bytes));
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let mut reader = decoder.read_info()?;
    let size = reader.output_buffer_size().ok_or(png::DecodingError::LimitsExceeded)?;
    let mut pixels = vec![0; size];
    let info = reader.next_frame(&mut pixels)?;
    pixels.truncate(info.buffer_size());
    let (mut rgb, mut alpha) = (Vec::new(), Vec::new());
    for pixel in pixels.chunks_exact(info.color_type.samples()) {
        match *pixel {
            [grey] => rgb.extend_from_slice(&[grey; 3]),
            [grey, a] => {
                rgb.extend_from_slice(&[grey; 3]);
                alpha.push(a);
            }
            [red, green, blue] => rgb.extend_from_slice(&[red, green, blue]),
            [red, green, blue, a, ..] => {
                rgb.extend_from_slice(&[red, green, blue]);
                alpha.push(a);
            }
            [] => {}
        }
    }
    Ok(Picture { width: info.width, height: info.height, rgb, alpha: (!alpha.is_empty()).then_some(alpha) })
}

#[cfg(test)]
mod tests {
    use super::{decode, encode};
    use crate::picture::Picture;

    #[test]
    fn a_picture_survives_the_file() {
        let mut picture = Picture::plain(5, 3, [9, 8, 7]);
        assert_eq!(decode(&encode(&picture, &[]).unwrap()).unwrap(), picture);
        picture.alpha = Some(vec![100; 15]);
        assert_eq!(decode(&encode(&picture, &[]).unwrap()).unwrap(), picture);
    }

    #[test]
    fn what_is_no_png_is_refused() {
        assert!(decode(b"this is not an image").is_err());
    }
}
