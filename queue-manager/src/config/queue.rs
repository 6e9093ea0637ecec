//! Settings of the queue itself. They live in the store, where scripts read them; the environment gives their first
//! values, and `config set` changes them while the queue runs.

use anyhow::bail;
use clap::builder::{PossibleValuesParser, Resettable, TypedValueParser};
use clap::{Args, Command, FromArgMatches, value_parser};
use queue_protocol::{Mode, limits, timings};

const MINUTE_MS: u64 = 60_000;
const DAY_MS: u64 = 24 * 60 * MINUTE_MS;

/// Settings of the queue. What is set is written into the store at every start, but for the mode.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Queue")]
pub struct QueueSettings {
    /// The order of turns in a new workshop; `fifo` when not set. In a workshop that exists, what was chosen since stays.
    #[arg(long = "queue-mode", env = "ATELIER_QUEUE_MODE", value_name = "MODE", value_parser = mode_parser(), global = true)]
    pub mode: Option<Mode>,

    /// Running jobs of one participant at a time; 1 in a new workshop.
    #[arg(long, env = "ATELIER_RUNNING_PER_PARTICIPANT", value_name = "JOBS", value_parser = value_parser!(u64).range(1..=1_000), global = true)]
    pub running_per_participant: Option<u64>,

    /// Waiting jobs of one participant; 100 in a new workshop.
    #[arg(long, env = "ATELIER_WAITING_PER_PARTICIPANT", value_name = "JOBS", value_parser = value_parser!(u64).range(1..=u64::from(limits::WAITING)), global = true)]
    pub waiting_per_participant: Option<u64>,

    /// Bytes of one participant's waiting workflows, as submitted; 64 MiB in a new workshop.
    #[arg(long, env = "ATELIER_BYTES_PER_PARTICIPANT", value_name = "BYTES", value_parser = value_parser!(u64).range(limits::BODY as u64..=1 << 40), global = true)]
    pub bytes_per_participant: Option<u64>,

    /// How often a job that failed while it ran is tried, in all; 1 in a new workshop, which is once and never again.
    #[arg(long, env = "ATELIER_ATTEMPTS_RUN", value_name = "TIMES", value_parser = value_parser!(u64).range(1..=10), global = true)]
    pub attempts_run: Option<u64>,

    /// How often a job that ran out of a GPU's memory is tried, in all; 1 in a new workshop.
    #[arg(long, env = "ATELIER_ATTEMPTS_OUT_OF_MEMORY", value_name = "TIMES", value_parser = value_parser!(u64).range(1..=10), global = true)]
    pub attempts_out_of_memory: Option<u64>,

    /// In mode `priority`, minutes after which a waiting job moves up one lane; 15 in a new workshop, 0 is never.
    #[arg(long, env = "ATELIER_AGEING_MINUTES", value_name = "MINUTES", value_parser = value_parser!(u64).range(0..=1_440), global = true)]
    pub ageing_minutes: Option<u64>,

    /// Days for which jobs that ended are kept; 30 in a new workshop. Their files stay.
    #[arg(long, env = "ATELIER_KEEP_ENDED_DAYS", value_name = "DAYS", value_parser = value_parser!(u64).range(1..=3_650), global = true)]
    pub keep_ended_days: Option<u64>,
}

fn mode_parser() -> impl TypedValueParser<Value = Mode> {
    PossibleValuesParser::new(Mode::ALL.map(Mode::word)).try_map(|word| word.parse::<Mode>())
}

/// A setting as it is typed and shown, its name in the store, how many of the store's units one of its own is, and what
/// the queue goes by where the store has no value.
struct Stored {
    typed: &'static str,
    name: &'static str,
    unit: u64,
    usual: u64,
}

const fn stored(typed: &'static str, name: &'static str, unit: u64, usual: u64) -> Stored {
    Stored { typed, name, unit, usual }
}

const MODE: &str = "mode";
const RUNNING: &str = "running_per_participant";
const WAITING: &str = "waiting_per_participant";
const BYTES: &str = "bytes_per_participant";
const NUMBERS: [Stored; 7] = [
    stored(RUNNING, RUNNING, 1, limits::RUNNING_PER_PARTICIPANT as u64),
    stored(WAITING, WAITING, 1, limits::WAITING_PER_PARTICIPANT as u64),
    stored(BYTES, BYTES, 1, limits::BYTES_PER_PARTICIPANT),
    stored("attempts_run", "attempts_run", 1, 1),
    stored("attempts_out_of_memory", "attempts_out_of_memory", 1, 1),
    stored("ageing_minutes", "ageing_ms", MINUTE_MS, timings::AGEING.as_secs() * 1_000),
    stored("keep_ended_days", "keep_ended_ms", DAY_MS, timings::KEEP_ENDED.as_secs() * 1_000),
];

/// A setting with its value, both as the store has them.
pub type Pair = (&'static str, String);

impl QueueSettings {
    /// What a new workshop begins with; whatever was set since stays.
    #[must_use]
    pub fn first(&self) -> Vec<Pair> {
        vec![(MODE, self.mode.unwrap_or(Mode::Fifo).word().to_owned())]
    }

    /// What is set here, so it holds whatever was set before. The mode is not: the instructor may have changed it.
    #[must_use]
    pub fn always(&self) -> Vec<Pair> {
        let set = [
            self.running_per_participant,
            self.waiting_per_participant,
            self.bytes_per_participant,
            self.attempts_run,
            self.attempts_out_of_memory,
            self.ageing_minutes,
            self.keep_ended_days,
        ];
        NUMBERS
            .iter()
            .zip(set)
            .filter_map(|(n, value)| Some((n.name, (value? * n.unit).to_string())))
            .collect()
    }

    /// What `config set NAME VALUE` writes: checked as the flag and the variable of the same setting are.
    ///
    /// # Errors
    /// When there is no such setting or it cannot have this value.
    pub fn parse_one(typed: &str, value: &str) -> anyhow::Result<Pair> {
        let names: Vec<_> = names().collect();
        if !names.contains(&typed) {
            bail!("there is no setting {typed:?} of the queue; there are {}", names.join(", "));
        }
        // Without the environment: only this one is asked for.
        let command = Self::augment_args(Command::new("config set").no_binary_name(true))
            .mut_args(|argument| argument.env(Resettable::Reset));
        let flag = if typed == MODE { "queue-mode".to_owned() } else { typed.replace('_', "-") };
        let matches = command.try_get_matches_from([format!("--{flag}={value}")]).map_err(|error| {
            let said = error.to_string();
            let first = said.lines().take_while(|line| !line.is_empty()).map(str::trim).collect::<Vec<_>>();
            anyhow::anyhow!("{}", first.join(" ").trim_start_matches("error: ").to_owned())
        })?;
        let settings = Self::from_arg_matches(&matches)?;
        let mode = settings.mode.map(|mode| (MODE, mode.word().to_owned()));
        match settings.always().pop().or(mode) {
            Some(pair) => Ok(pair),
            None => bail!("{typed} needs a value"),
        }
    }
}

/// The settings, as they are typed.
pub fn names() -> impl Iterator<Item = &'static str> {
    std::iter::once(MODE).chain(NUMBERS.iter().map(|n| n.typed))
}

/// The name in the store, and the value that holds where the store has none, in the store's units.
#[must_use]
pub fn stored_name_and_usual(typed: &str) -> Option<Pair> {
    if typed == MODE {
        return Some((MODE, Mode::Fifo.word().to_owned()));
    }
    NUMBERS.iter().find(|n| n.typed == typed).map(|n| (n.name, n.usual.to_string()))
}

/// A stored value in the units in which it is typed: `900000` of `ageing_minutes` is `15`.
#[must_use]
pub fn shown(typed: &str, value: &str) -> String {
    let unit = NUMBERS.iter().find(|n| n.typed == typed).map_or(1, |n| n.unit);
    match value.parse::<u64>() {
        Ok(number) if number % unit == 0 => (number / unit).to_string(),
        #[expect(clippy::cast_precision_loss, reason = "for the eye, and far below 2⁵³")]
        Ok(number) => format!("{:.2}", number as f64 / unit as f64),
        Err(_) => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_workshop_begins_with_a_mode_and_the_rest_as_documented() {
        let first = QueueSettings { mode: Some(Mode::RoundRobin), ..QueueSettings::default() }.first();
        assert_eq!(first, [("mode", "round_robin".to_owned())]);
        assert!(QueueSettings::default().always().is_empty(), "what nobody set stays as it is in the store");
        let usual = names().map(|typed| shown(typed, &stored_name_and_usual(typed).unwrap().1));
        assert_eq!(usual.collect::<Vec<_>>(), ["fifo", "1", "100", "67108864", "1", "1", "15", "30"]);
    }

    #[test]
    fn what_is_set_holds_at_every_start_but_for_the_mode() {
        let set = QueueSettings {
            mode: Some(Mode::Fair),
            bytes_per_participant: Some(20_000_000),
            ageing_minutes: Some(0),
            keep_ended_days: Some(2),
            ..QueueSettings::default()
        };
        let expected =
            [("bytes_per_participant", "20000000"), ("ageing_ms", "0"), ("keep_ended_ms", "172800000")];
        assert_eq!(set.always(), expected.map(|(name, value)| (name, value.to_owned())));
    }

    #[test]
    fn one_setting_is_checked_as_its_flag_is_and_refused_with_what_it_may_be() {
        assert_eq!(QueueSettings::parse_one("mode", "fair").unwrap(), ("mode", "fair".to_owned()));
        let minutes = QueueSettings::parse_one("ageing_minutes", "10").unwrap();
        assert_eq!(minutes, ("ageing_ms", "600000".to_owned()));
        for (typed, value, said) in [
            ("mode", "lifo", "fifo, round_robin, fair, priority"),
            ("ageing_minutes", "-1", "-1"),
            ("running_per_participant", "0", "1..=1000"),
            ("keep_ended_days", "soon", "soon"),
            ("ageing_ms", "10", "ageing_minutes"),
            ("redis_url", "redis://x", "there is no setting"),
        ] {
            let refused = QueueSettings::parse_one(typed, value).unwrap_err().to_string();
            assert!(refused.contains(said) && !refused.contains('\n'), "{refused}");
        }
    }

    #[test]
    fn every_setting_is_shown_in_the_units_in_which_it_is_typed() {
        for typed in names() {
            let (name, usual) = stored_name_and_usual(typed).unwrap();
            assert_eq!(QueueSettings::parse_one(typed, &shown(typed, &usual)).unwrap(), (name, usual));
        }
        assert_eq!(shown("ageing_minutes", "90000"), "1.50");
    }
}
