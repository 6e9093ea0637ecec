//! Every duration two parts must agree on, and the checks between them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How long a claim lends a job before it must be renewed.
pub const LEASE: Duration = Duration::from_secs(30);
/// How often a worker renews.
pub const RENEW_EVERY: Duration = Duration::from_secs(5);
/// How often each queue-manager looks for leases that ended.
pub const REAP_EVERY: Duration = Duration::from_secs(1);
/// A gap between two reaps longer than this was an outage: leases move forward by the gap, once.
pub const OUTAGE_GAP: Duration = Duration::from_secs(10);
/// How often a worker asks ComfyUI's `/queue` and `/history`, which are the truth.
pub const COMFYUI_POLL_EVERY: Duration = Duration::from_secs(2);
/// How often an idle worker's link looks for work itself, should a wake-up have been lost.
pub const IDLE_SWEEP_EVERY: Duration = Duration::from_secs(5);
/// A cancel that had no effect for this long makes the worker unhealthy.
pub const CANCEL_PATIENCE: Duration = Duration::from_secs(30);
/// The response timeout of the shared Redis connection.
pub const REDIS_RESPONSE: Duration = Duration::from_secs(2);
/// How long a session found valid is believed without asking again.
pub const SESSION_CACHE: Duration = Duration::from_secs(1);
/// How often a websocket is pinged, well below any proxy's idle limit.
pub const PING_EVERY: Duration = Duration::from_secs(20);
/// Shortest time between two previews of one job on the worker link.
pub const PREVIEW_EVERY: Duration = Duration::from_millis(500);
/// How long a job waits in a lane before it moves up one, in priority mode.
pub const AGEING: Duration = Duration::from_secs(15 * 60);
/// How long the record of an ended job is kept.
pub const KEEP_ENDED: Duration = Duration::from_secs(30 * 24 * 3600);
/// Deliveries that took down their worker before the job is parked.
pub const CRASHES_BEFORE_PARKED: u32 = 3;

const _: () = assert!(3 * RENEW_EVERY.as_millis() <= LEASE.as_millis(), "a lease outlives two lost renewals");
const _: () = assert!(REAP_EVERY.as_millis() * 3 < OUTAGE_GAP.as_millis(), "a slow reap is no outage");
const _: () = assert!(REDIS_RESPONSE.as_millis() < RENEW_EVERY.as_millis(), "a renewal fits between two");

/// What a queue-manager tells a worker on `welcome`: durations, never deadlines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timings {
    /// Lease length in ms.
    pub lease_ms: u64,
    /// Renewal interval in ms.
    pub renew_every_ms: u64,
}

impl Timings {
    /// The standing values.
    #[must_use]
    pub const fn standard() -> Self {
        Self::from_lease(LEASE)
    }

    /// A sixth of the lease between renewals, whatever the lease is: tests shorten it.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "a lease is minutes, not the age of the universe")]
    pub const fn from_lease(lease: Duration) -> Self {
        let lease_ms = lease.as_millis() as u64;
        Self { lease_ms, renew_every_ms: lease_ms / 6 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_timings_are_the_documented_ones() {
        assert_eq!(Timings::standard(), Timings { lease_ms: 30_000, renew_every_ms: 5_000 });
        assert_eq!(u128::from(Timings::standard().renew_every_ms), RENEW_EVERY.as_millis());
    }
}
