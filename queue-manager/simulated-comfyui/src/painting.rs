//! The picture that a sampler makes: colours and discs drawn from a hash, so that the same inputs give the same picture.

use sha2::{Digest, Sha256};

use crate::picture::Picture;

const DISCS: usize = 5;

/// What decides the picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Motif([u8; 32]);

impl Motif {
    /// A motif from everything that goes into a sampler.
    pub(crate) fn from_words(words: &[String]) -> Self {
        let mut hash = Sha256::new();
        for word in words {
            hash.update(word.len().to_le_bytes());
            hash.update(word);
        }
        Self(hash.finalize().into())
    }

    /// Paints `base` over, where `share` of 0 to 256 is how much of the new picture shows.
    pub(crate) fn paint(&self, base: &Picture, share: u32) -> Picture {
        let (width, height) = (base.width, base.height);
        let size = i64::from(width.min(height)).max(1);
        let scale = |byte: u8, length: u32| i64::from(byte) * i64::from(length) / 256;
        let discs: Vec<(i64, i64, i64, [u8; 3])> = (0..DISCS)
            .map(|disc| {
                let bytes = &self.0[6 + disc * 5..];
                let radius = size / 10 + size * i64::from(bytes[2]) / 1024;
                let colour = [bytes[3], bytes[4], bytes[2] ^ bytes[3]];
                (scale(bytes[0], width), scale(bytes[1], height), radius * radius, colour)
            })
            .collect();
        let picture = Picture::drawn(width, height, |x, y| {
            let (x, y) = (i64::from(x), i64::from(y));
            let disc =
                discs.iter().find(|(cx, cy, square, _)| (x - cx) * (x - cx) + (y - cy) * (y - cy) < *square);
            match disc {
                Some((.., colour)) => *colour,
                None => self.backdrop(y, i64::from(height)),
            }
        });
        base.blended(&picture, share, "normal")
    }

    /// A gradient from the first colour to the second.
    fn backdrop(&self, y: i64, height: i64) -> [u8; 3] {
        std::array::from_fn(|channel| {
            let (top, bottom) = (i64::from(self.0[channel]), i64::from(self.0[channel + 3]));
            u8::try_from(top + (bottom - top) * y / height.max(1)).unwrap_or(0)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Motif;
    use crate::picture::Picture;

    #[test]
    fn the_same_words_give_the_same_picture_and_others_another() {
        let grey = Picture::plain(16, 16, [127; 3]);
        let paint = |word: &str| Motif::from_words(&[word.to_owned()]).paint(&grey, 256);
        assert_eq!(paint("cat"), paint("cat"));
        assert_ne!(paint("cat"), paint("dog"));
        assert_eq!(Motif::from_words(&[]).paint(&grey, 0), grey);
    }
}
