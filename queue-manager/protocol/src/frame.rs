//! Binary frames: ComfyUI's previews, and how one travels on the worker link.

use crate::ids::{JobId, LeaseToken};

/// ComfyUI's event number of a plain preview: `u32 1`, `u32` image type, image.
pub const PREVIEW: u32 = 1;
/// ComfyUI's event number of a preview with metadata: `u32 4`, `u32` length, JSON, image.
pub const PREVIEW_WITH_METADATA: u32 = 4;

const LINK_HEADER: usize = 16 + 8;

/// One of ComfyUI's binary frames under a claim: 16 bytes job, 8 bytes token (big-endian), the frame.
#[must_use]
pub fn to_link(job: JobId, token: LeaseToken, frame: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(LINK_HEADER + frame.len());
    bytes.extend_from_slice(job.as_bytes());
    bytes.extend_from_slice(&token.0.to_be_bytes());
    bytes.extend_from_slice(frame);
    bytes
}

/// The reverse of [`to_link`]; `None` for anything shorter than its header.
#[must_use]
pub fn from_link(bytes: &[u8]) -> Option<(JobId, LeaseToken, &[u8])> {
    let (job, rest) = bytes.split_first_chunk::<16>()?;
    let (token, frame) = rest.split_first_chunk::<8>()?;
    Some((JobId::from_bytes(*job), LeaseToken(u64::from_be_bytes(*token)), frame))
}

/// The event number of a ComfyUI binary frame.
#[must_use]
pub fn event_number(frame: &[u8]) -> Option<u32> {
    frame.first_chunk::<4>().map(|head| u32::from_be_bytes(*head))
}

/// A preview with metadata as a tab that does not know metadata takes it; `None` for any other or broken frame.
#[must_use]
pub fn without_metadata(frame: &[u8]) -> Option<Vec<u8>> {
    if event_number(frame)? != PREVIEW_WITH_METADATA {
        return None;
    }
    let rest = frame.get(4..)?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let metadata = rest.get(..length)?;
    let image = rest.get(length..)?;
    let png = metadata.windows(9).any(|window| window == b"image/png");
    let mut plain = Vec::with_capacity(8 + image.len());
    plain.extend_from_slice(&PREVIEW.to_be_bytes());
    plain.extend_from_slice(&(if png { 2_u32 } else { 1 }).to_be_bytes());
    plain.extend_from_slice(image);
    Some(plain)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_frame_comes_back_from_the_link_as_it_went(token: u64, frame: Vec<u8>) {
            let job = JobId::random();
            let bytes = to_link(job, LeaseToken(token), &frame);
            prop_assert_eq!(from_link(&bytes), Some((job, LeaseToken(token), frame.as_slice())));
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes: Vec<u8>) {
            let _ = from_link(&bytes);
            let _ = without_metadata(&bytes);
        }
    }

    #[test]
    fn metadata_is_dropped_and_the_image_kept() {
        let metadata = br#"{"node_id":"3","image_type":"image/png"}"#;
        let mut frame = PREVIEW_WITH_METADATA.to_be_bytes().to_vec();
        frame.extend_from_slice(&u32::try_from(metadata.len()).unwrap().to_be_bytes());
        frame.extend_from_slice(metadata);
        frame.extend_from_slice(b"picture");
        assert_eq!(without_metadata(&frame).unwrap(), b"\0\0\0\x01\0\0\0\x02picture");
    }
}
