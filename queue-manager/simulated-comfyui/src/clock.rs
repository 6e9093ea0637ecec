//! The wall clock, in the milliseconds that `ComfyUI` writes into its frames.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970; 0 if the machine's clock is before that.
#[expect(
    clippy::disallowed_methods,
    reason = "ComfyUI stamps its frames with its own machine's clock, and so does its stand-in"
)]
pub(crate) fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| u64::try_from(since.as_millis()).ok())
        .unwrap_or(0)
}
