//! How much may be on its way to the queue-manager. Whatever was handed to a socket can no longer be overtaken, and a
//! system buffers minutes of a slow line; so what may be dropped waits here until a ping says that what was sent before has
//! arrived. Only then is a renewal never further behind than one preview.

use std::time::Duration;

use queue_protocol::timings;
use tokio::time::Instant;

/// Bytes on their way above which nothing is added that may be dropped.
const WINDOW: u64 = 16 * 1024;
/// A preview that took this long on its way costs ten times as long a pause: previews get a tenth of a slow line.
const SHARE: u32 = 10;

/// The state of one link's sending side.
#[derive(Debug)]
pub(crate) struct Uplink {
    sent: u64,
    arrived: u64,
    asked: Option<Asked>,
    /// The shortest time that any answer took: distance, not bandwidth.
    distance: Option<Duration>,
    preview: Option<Asked>,
    next_preview: Instant,
}

#[derive(Debug, Clone, Copy)]
struct Asked {
    upto: u64,
    at: Instant,
}

impl Uplink {
    pub(crate) fn new(now: Instant) -> Self {
        Self { sent: 0, arrived: 0, asked: None, distance: None, preview: None, next_preview: now }
    }

    /// Notes bytes that were handed to the socket; answers how many that makes, which is also the number of the ping whose
    /// answer says that they have arrived.
    pub(crate) fn sent(&mut self, bytes: usize) -> u64 {
        self.sent += bytes as u64;
        self.sent
    }

    /// Notes a preview that was handed to the socket, begun at `at`.
    pub(crate) fn sent_preview(&mut self, bytes: usize, at: Instant) {
        self.sent(bytes);
        self.preview = Some(Asked { upto: self.sent, at });
        self.next_preview = at + timings::PREVIEW_EVERY;
    }

    /// Whether something may be sent that could as well be dropped.
    pub(crate) fn has_room(&self) -> bool {
        self.sent - self.arrived < WINDOW
    }

    /// Whether everything sent has arrived.
    pub(crate) fn is_empty(&self) -> bool {
        self.sent == self.arrived
    }

    /// When the next preview may go; `None` while that depends on what is on its way.
    pub(crate) fn preview_due(&self) -> Option<Instant> {
        (self.has_room() && self.preview.is_none()).then_some(self.next_preview)
    }

    /// The number of the ping that is to be sent now, if one is.
    pub(crate) fn ask(&mut self, now: Instant) -> Option<u64> {
        if self.asked.is_some() || self.is_empty() {
            return None;
        }
        self.asked = Some(Asked { upto: self.sent, at: now });
        Some(self.sent)
    }

    /// Everything up to this ping has arrived.
    pub(crate) fn arrived(&mut self, number: u64, now: Instant) {
        let Some(asked) = self.asked.take_if(|asked| asked.upto == number) else {
            return;
        };
        self.arrived = number;
        let took = now - asked.at;
        let distance = self.distance.map_or(took, |distance| distance.min(took));
        self.distance = Some(distance);
        if let Some(preview) = self.preview.take_if(|preview| preview.upto <= number) {
            let line = (now - preview.at).saturating_sub(distance);
            self.next_preview = self.next_preview.max(preview.at + line * SHARE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn previews_on_a_good_line_go_twice_a_second_whatever_the_distance() {
        let start = Instant::now();
        let mut uplink = Uplink::new(start);
        uplink.sent(100);
        let number = uplink.ask(start).unwrap();
        uplink.arrived(number, start + 200 * MS);
        uplink.sent_preview(80_000, start + 1_000 * MS);
        assert!(!uplink.has_room() && uplink.preview_due().is_none());
        let number = uplink.ask(start + 1_000 * MS).unwrap();
        uplink.arrived(number, start + 1_220 * MS);
        assert_eq!(uplink.preview_due(), Some(start + 1_500 * MS));
    }

    #[test]
    fn previews_get_a_tenth_of_a_slow_line() {
        let start = Instant::now();
        let mut uplink = Uplink::new(start);
        uplink.sent(100);
        let number = uplink.ask(start).unwrap();
        uplink.arrived(number, start);
        uplink.sent_preview(80_000, start);
        let number = uplink.ask(start).unwrap();
        uplink.arrived(number, start + 2_000 * MS);
        assert_eq!(uplink.preview_due(), Some(start + 20_000 * MS));
    }

    #[test]
    fn one_answer_is_waited_for_at_a_time_and_a_strange_one_means_nothing() {
        let start = Instant::now();
        let mut uplink = Uplink::new(start);
        assert_eq!(uplink.ask(start), None, "nothing was sent");
        uplink.sent(20_000);
        assert_eq!(uplink.ask(start), Some(20_000));
        uplink.sent(10);
        assert_eq!(uplink.ask(start), None);
        uplink.arrived(7, start);
        assert!(!uplink.has_room());
        uplink.arrived(20_000, start);
        assert!(uplink.has_room());
        assert_eq!(uplink.ask(start), Some(20_010));
    }
}
