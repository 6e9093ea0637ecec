//! Pictures in memory and what the image nodes do to them, in whole numbers of 0 to 255.

/// A picture with three bytes a pixel, row by row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Picture {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) rgb: Vec<u8>,
    /// Transparency, one byte a pixel, where the file had any. No node but `LoadImage` and the mask upload uses it.
    pub(crate) alpha: Option<Vec<u8>>,
}

impl Picture {
    /// One colour all over.
    pub(crate) fn plain(width: u32, height: u32, colour: [u8; 3]) -> Self {
        Self::drawn(width, height, |_, _| colour)
    }

    /// Asks for every pixel's colour.
    pub(crate) fn drawn(width: u32, height: u32, colour: impl Fn(u32, u32) -> [u8; 3]) -> Self {
        let mut rgb = Vec::with_capacity(width as usize * height as usize * 3);
        for y in 0..height {
            for x in 0..width {
                rgb.extend_from_slice(&colour(x, y));
            }
        }
        Self { width, height, rgb, alpha: None }
    }

    pub(crate) fn pixel(&self, x: u32, y: u32) -> [u8; 3] {
        let at = (y as usize * self.width as usize + x as usize) * 3;
        match self.rgb.get(at..at + 3) {
            Some(&[red, green, blue]) => [red, green, blue],
            _ => [0; 3],
        }
    }

    pub(crate) fn inverted(&self) -> Self {
        Self { rgb: self.rgb.iter().map(|byte| 255 - byte).collect(), alpha: None, ..*self }
    }

    /// Scales by taking the nearest pixel, whatever method the node was asked for.
    pub(crate) fn scaled(&self, width: u32, height: u32) -> Self {
        let nearest = |at: u32, to: u32, from: u32| {
            let at = u64::from(at) * u64::from(from) / u64::from(to.max(1));
            u32::try_from(at).unwrap_or(0)
        };
        Self::drawn(width, height, |x, y| {
            self.pixel(nearest(x, width, self.width), nearest(y, height, self.height))
        })
    }

    /// The middle part that has the shape `width` : `height`.
    pub(crate) fn centred(&self, width: u32, height: u32) -> Self {
        let (own_w, own_h) = (u64::from(self.width), u64::from(self.height));
        let (w, h) = (u64::from(width.max(1)), u64::from(height.max(1)));
        let (keep_w, keep_h) =
            if own_w * h > own_h * w { (own_h * w / h, own_h) } else { (own_w, own_w * h / w) };
        let keep_w = u32::try_from(keep_w).unwrap_or(self.width).max(1);
        let keep_h = u32::try_from(keep_h).unwrap_or(self.height).max(1);
        let (left, top) = (self.width.saturating_sub(keep_w) / 2, self.height.saturating_sub(keep_h) / 2);
        Self::drawn(keep_w, keep_h, |x, y| self.pixel(left + x, top + y))
    }

    /// `share` of 0 to 256 of the other picture, mixed in by `mode`.
    pub(crate) fn blended(&self, other: &Self, share: u32, mode: &str) -> Self {
        let other = other.scaled(self.width, self.height);
        let share = share.min(256);
        let mixed = self.rgb.iter().zip(&other.rgb).map(|(&one, &two)| {
            let (one, two) = (u32::from(one), u32::from(two));
            let blend = blend(one, two, mode);
            byte((one * (256 - share) + blend * share) / 256)
        });
        Self { rgb: mixed.collect(), alpha: None, ..*self }
    }
}

/// The blend modes of `ImageBlend`.
fn blend(one: u32, two: u32, mode: &str) -> u32 {
    let screen = 255 - (255 - one) * (255 - two) / 255;
    match mode {
        "multiply" => one * two / 255,
        "screen" => screen,
        "overlay" if one <= 127 => 2 * one * two / 255,
        "overlay" => 255 - 2 * (255 - one) * (255 - two) / 255,
        "soft_light" => ((255 - one) * (one * two / 255) + one * screen) / 255,
        "difference" => one.saturating_sub(two),
        _ => two,
    }
}

fn byte(value: u32) -> u8 {
    u8::try_from(value.min(255)).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::Picture;

    #[test]
    fn inverting_twice_gives_the_picture_back() {
        let picture = Picture::drawn(3, 2, |x, y| [x.try_into().unwrap(), y.try_into().unwrap(), 7]);
        assert_eq!(picture.inverted().pixel(2, 1), [253, 254, 248]);
        assert_eq!(picture.inverted().inverted(), picture);
    }

    #[test]
    fn scaling_and_cropping_keep_to_the_size_asked_for() {
        let picture = Picture::plain(8, 4, [1, 2, 3]);
        let scaled = picture.centred(16, 16).scaled(16, 16);
        assert_eq!((scaled.width, scaled.height, scaled.pixel(15, 15)), (16, 16, [1, 2, 3]));
    }

    #[test]
    fn half_a_blend_is_the_middle() {
        let black = Picture::plain(1, 1, [0; 3]);
        let white = Picture::plain(1, 1, [255; 3]);
        assert_eq!(black.blended(&white, 128, "normal").pixel(0, 0), [127; 3]);
    }
}
