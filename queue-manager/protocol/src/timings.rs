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
/// How often the queue-manager pings a worker's link.
pub const LINK_PING_EVERY: Duration = Duration::from_secs(5);
/// A link on which nothing was heard for this long is gone. A worker that sends a large message over a slow line may be
/// unheard for as long as its lease.
pub const LINK_SILENCE: Duration = Duration::from_secs(15);
/// A cancel that had no effect for this long makes the worker unhealthy.
pub const CANCEL_PATIENCE: Duration = LEASE;
/// The response timeout of the shared Redis connection.
pub const REDIS_RESPONSE: Duration = Duration::from_secs(2);
/// How long a session found valid is believed without asking again.
pub const SESSION_CACHE: Duration = Duration::from_secs(1);
/// How often an open socket's session or token is looked at again, should the word of its end have been lost.
pub const SOCKET_CHECK_EVERY: Duration = Duration::from_secs(30);
/// How often a websocket is pinged, well below any proxy's idle limit.
pub const PING_EVERY: Duration = Duration::from_secs(20);
/// Pings that a tab may leave unanswered; when the next one is due it is taken for gone, 40 to 60 s after it was.
pub const PINGS_UNANSWERED: u32 = 2;
/// A tab that does not take a message for this long is gone as well.
pub const TAB_STUCK: Duration = Duration::from_secs(60);
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
const _: () = assert!(2 * RENEW_EVERY.as_millis() < LINK_SILENCE.as_millis(), "silence is no lost renewal");
const _: () = assert!(2 * LINK_PING_EVERY.as_millis() < LINK_SILENCE.as_millis(), "silence is no lost ping");
const _: () =
    assert!(LINK_SILENCE.as_millis() < LEASE.as_millis(), "a lost link is noticed before the lease ends");
const _: () = assert!(REDIS_RESPONSE.as_millis() < RENEW_EVERY.as_millis(), "a renewal fits between two");

/// What a queue-manager tells a worker on `welcome`: durations, never deadlines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timings {
    /// Lease length in ms.
    pub lease_ms: u64,
    /// Renewal interval in ms.
    pub renew_every_ms: u64,
    /// How long a cancel may be without effect, in ms.
    pub cancel_patience_ms: u64,
}

impl Timings {
    /// The standing values.
    #[must_use]
    pub const fn standard() -> Self {
        Self::from_lease(LEASE)
    }

    /// A sixth of the lease between renewals and a lease of patience, whatever the lease is: tests shorten it.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "a lease is minutes, not the age of the universe")]
    pub const fn from_lease(lease: Duration) -> Self {
        let lease_ms = lease.as_millis() as u64;
        Self { lease_ms, renew_every_ms: lease_ms / 6, cancel_patience_ms: lease_ms }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_timings_are_the_documented_ones() {
        let standard = Timings::standard();
        assert_eq!((standard.lease_ms, standard.renew_every_ms), (30_000, 5_000));
        assert_eq!(u128::from(standard.renew_every_ms), RENEW_EVERY.as_millis());
        assert_eq!(u128::from(standard.cancel_patience_ms), CANCEL_PATIENCE.as_millis());
    }
}
