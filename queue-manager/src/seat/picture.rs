//! Pictures made from pictures: previews, single channels, a mask laid over its original. Off the async threads, only up
//! to a size, and by whoever has a turn for it: from before the file is read until its form is handed out.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageFormat, ImageReader, Limits};

/// Bytes of a file that is decoded.
pub(crate) const FILE: u64 = 64 * 1024 * 1024;
/// Bytes of a decoded picture: 8192 × 8192 with transparency.
const DECODED: u64 = 256 * 1024 * 1024;
/// Pixels of a side; WebP has no more.
const SIDE: u32 = 16_383;

/// Another form of a picture, as ComfyUI's `view` offers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// `preview=webp;90`.
    Webp { quality: u8, opaque: bool },
    /// `preview=jpeg;90`.
    Jpeg { quality: u8 },
    /// `channel=rgb`: without its transparency.
    Colours,
    /// `channel=a`: nothing but its transparency.
    Transparency,
}

impl Form {
    /// What a query asks for; `None` for the file as it is.
    pub(crate) fn asked(preview: Option<&str>, channel: &str) -> Option<Self> {
        let Some(preview) = preview else {
            return match channel {
                "rgb" => Some(Self::Colours),
                "a" => Some(Self::Transparency),
                _ => None,
            };
        };
        let quality = preview.rsplit(';').next().and_then(|text| text.parse::<u32>().ok()).unwrap_or(90);
        let quality = u8::try_from(quality.clamp(1, 100)).unwrap_or(100);
        match preview.split(';').next() {
            Some("jpeg") if !channel.contains('a') => Some(Self::Jpeg { quality }),
            _ => Some(Self::Webp { quality, opaque: channel == "rgb" }),
        }
    }

    pub(crate) const fn content_type(self) -> &'static str {
        match self {
            Self::Webp { .. } => "image/webp",
            Self::Jpeg { .. } => "image/jpeg",
            Self::Colours | Self::Transparency => "image/png",
        }
    }

    fn encode(self, picture: &DynamicImage) -> Option<Vec<u8>> {
        match self {
            Self::Jpeg { quality } => {
                let mut bytes = Vec::new();
                let encoder = JpegEncoder::new_with_quality(&mut bytes, quality);
                picture.to_rgb8().write_with_encoder(encoder).ok()?;
                Some(bytes)
            }
            Self::Webp { quality, opaque } => webp(picture, quality, opaque),
            Self::Colours => png(&picture.to_rgb8().into()),
            Self::Transparency => {
                let mut pixels = picture.to_rgba8();
                pixels.pixels_mut().for_each(|pixel| pixel.0[..3].fill(0));
                png(&pixels.into())
            }
        }
    }
}

fn webp(picture: &DynamicImage, quality: u8, opaque: bool) -> Option<Vec<u8>> {
    let (width, height) = (picture.width(), picture.height());
    let bytes = if opaque || !picture.color().has_alpha() {
        let pixels = picture.to_rgb8();
        webp::Encoder::from_rgb(&pixels, width, height).encode_simple(false, f32::from(quality)).ok()?
    } else {
        let pixels = picture.to_rgba8();
        webp::Encoder::from_rgba(&pixels, width, height).encode_simple(false, f32::from(quality)).ok()?
    };
    Some(bytes.to_vec())
}

fn png(picture: &DynamicImage) -> Option<Vec<u8>> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, ImageFormat::Png).ok()?;
    Some(bytes.into_inner())
}

fn decode(bytes: &[u8]) -> Option<DynamicImage> {
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().ok()?;
    let mut limits = Limits::default();
    (limits.max_image_width, limits.max_image_height) = (Some(SIDE), Some(SIDE));
    limits.max_alloc = Some(DECODED);
    reader.limits(limits);
    reader.decode().ok()
}

async fn aside<F: FnOnce() -> Option<Vec<u8>> + Send + 'static>(work: F) -> Option<Vec<u8>> {
    tokio::task::spawn_blocking(work).await.ok()?
}

/// A picture in another form; `None` for what is no picture that can be read, or too large a one.
pub(crate) async fn render(bytes: Vec<u8>, form: Form) -> Option<Vec<u8>> {
    aside(move || form.encode(&decode(&bytes)?)).await
}

/// The original with the transparency of the mask, and with the texts (the workflow) that a PNG carried. `None` when
/// either is no picture or their sizes differ.
pub(super) async fn masked(original: Vec<u8>, mask: Vec<u8>) -> Option<Vec<u8>> {
    aside(move || {
        let mask = decode(&mask)?.to_rgba8();
        let mut picture = decode(&original)?.to_rgba8();
        if picture.dimensions() != mask.dimensions() {
            return None;
        }
        for (pixel, over) in picture.pixels_mut().zip(mask.pixels()) {
            pixel.0[3] = over.0[3];
        }
        Some(with_texts(&png(&picture.into())?, &texts(&original)))
    })
    .await
}

/// A PNG's signature and its first chunk, `IHDR`.
const HEAD: usize = 8 + 25;

/// The text chunks of a PNG, as they are; nothing of another file.
fn texts(png: &[u8]) -> Vec<u8> {
    let mut found = Vec::new();
    let mut at = if png.starts_with(b"\x89PNG\r\n\x1a\n") { 8 } else { png.len() };
    while let Some(length) =
        png.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes)
    {
        let end = at + 12 + length as usize;
        let Some(chunk) = png.get(at..end) else { break };
        if matches!(&chunk[4..8], b"tEXt" | b"zTXt" | b"iTXt") {
            found.extend_from_slice(chunk);
        }
        at = end;
    }
    found
}

fn with_texts(png: &[u8], texts: &[u8]) -> Vec<u8> {
    let (head, rest) = png.split_at(HEAD.min(png.len()));
    [head, texts, rest].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_read_as_comfyui_reads_it() {
        let asked = Form::asked;
        assert_eq!(asked(None, ""), None);
        assert_eq!(asked(None, "rgba"), None);
        assert_eq!(asked(None, "rgb"), Some(Form::Colours));
        assert_eq!(asked(Some("webp;50"), ""), Some(Form::Webp { quality: 50, opaque: false }));
        assert_eq!(asked(Some("jpeg"), ""), Some(Form::Jpeg { quality: 90 }));
        assert_eq!(asked(Some("jpeg;70"), "rgba"), Some(Form::Webp { quality: 70, opaque: false }));
        assert_eq!(asked(Some("tiff;999"), "rgb"), Some(Form::Webp { quality: 100, opaque: true }));
    }

    #[test]
    fn what_is_no_picture_has_no_other_form() {
        assert!(decode(b"this is not an image").is_none());
        assert!(decode(b"").is_none());
    }

    #[tokio::test]
    async fn a_mask_keeps_the_colours_and_the_workflow() {
        let mut original = image::RgbImage::from_pixel(3, 2, image::Rgb([9, 8, 7]));
        original.put_pixel(0, 0, image::Rgb([1, 2, 3]));
        let text = b"\0\0\0\x0cIGNOtEXt".to_vec();
        assert!(texts(&text).is_empty(), "no PNG");
        let chunk = b"\0\0\0\x03tEXta\0b\x8f\xa3\x0d\x5e";
        let original = with_texts(&png(&original.into()).unwrap(), chunk);
        let mask = png(&image::RgbaImage::from_pixel(3, 2, image::Rgba([0, 0, 0, 60])).into()).unwrap();
        let made = masked(original.clone(), mask).await.unwrap();
        assert_eq!(texts(&made), chunk);
        let pixels = decode(&made).unwrap().to_rgba8();
        assert_eq!(pixels.get_pixel(0, 0).0, [1, 2, 3, 60]);
        let small = png(&image::RgbaImage::new(1, 1).into()).unwrap();
        assert_eq!(masked(original, small).await, None);
    }
}
