//! What is timed, and the figures that come of it.

/// What one round times. The first three are bare Redis calls, which everything else is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// `PING`.
    Ping,
    /// `SET` of 10 KB.
    Set,
    /// `EVALSHA` of a script with one command.
    Script,
    /// A submit behind other jobs of the same person.
    Submit,
    /// A submit by somebody who has nothing waiting: it changes who is next.
    SubmitFirst,
    /// A claim.
    Claim,
    /// A finish of somebody who has more waiting.
    Finish,
}

impl Call {
    /// All, in the order of the tables.
    pub const ALL: [Self; 7] =
        [Self::Ping, Self::Set, Self::Script, Self::Submit, Self::SubmitFirst, Self::Claim, Self::Finish];

    /// Its name in a table.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ping => "PING",
            Self::Set => "SET 10 KB",
            Self::Script => "EVALSHA, one command",
            Self::Submit => "submit",
            Self::SubmitFirst => "submit, first in line",
            Self::Claim => "claim",
            Self::Finish => "finish",
        }
    }

    /// The Redis command it is.
    pub const fn command(self) -> &'static str {
        match self {
            Self::Ping => "ping",
            Self::Set => "set",
            _ => "evalsha",
        }
    }
}

/// Durations of every call: seen from here in ns, and inside Redis in µs.
#[derive(Debug, Default)]
pub struct Timings {
    outside: [Vec<u64>; 7],
    inside: [Vec<u64>; 7],
}

impl Timings {
    pub fn add_outside(&mut self, call: Call, nanoseconds: u64) {
        self.outside[call as usize].push(nanoseconds);
    }

    pub fn add_inside(&mut self, call: Call, microseconds: u64) {
        self.inside[call as usize].push(microseconds);
    }

    /// µs below which this share of the calls stayed; 0 when there were none.
    pub fn percentile(&self, call: Call, share: f64) -> f64 {
        let mut all = self.outside[call as usize].clone();
        all.sort_unstable();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "an index"
        )]
        let at = ((all.len() as f64 * share) as usize).min(all.len().saturating_sub(1));
        #[expect(clippy::cast_precision_loss, reason = "ns of one call")]
        all.get(at).map_or(0.0, |nanoseconds| *nanoseconds as f64 / 1000.0)
    }

    /// Mean µs inside Redis.
    #[expect(clippy::cast_precision_loss, reason = "a mean")]
    pub fn in_redis(&self, call: Call) -> f64 {
        let all = &self.inside[call as usize];
        if all.is_empty() { 0.0 } else { all.iter().sum::<u64>() as f64 / all.len() as f64 }
    }

    /// How often it was called from here.
    pub fn count(&self, call: Call) -> usize {
        self.outside[call as usize].len()
    }
}
