//! What the pages say: the queue's numbers and words in sentences. Every text that depends on a state is here.

mod headline;

use queue_protocol::api::{Cause, PersonInRoom, Room, RoomJob, StartsIn};
use queue_protocol::{JobState, Lane, Mode, Reason};

pub(crate) use headline::headline;

/// How the queue orders turns.
pub(crate) const fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Fifo => "first come, first served",
        Mode::RoundRobin => "turn by turn",
        Mode::Fair => "by GPU time used",
        Mode::Priority => "by lane, turn by turn inside each",
    }
}

/// The same on a button.
pub(crate) const fn mode_button(mode: Mode) -> &'static str {
    match mode {
        Mode::Fifo => "By arrival",
        Mode::RoundRobin => "Turns",
        Mode::Fair => "GPU time",
        Mode::Priority => "Lanes",
    }
}

/// How many of something, with its word.
pub(crate) fn many(n: u64, one: &str, more: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {more}") }
}

fn jobs(n: u64) -> String {
    many(n, "job", "jobs")
}

/// A length of time: `45 s`, `3 min`, `1 h 20 min`.
pub(crate) fn span(ms: u64) -> String {
    let seconds = ms / 1_000;
    match (seconds / 3_600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, s) if m < 3 && s >= 10 => format!("{m} min {s} s"),
        (0, m, _) => format!("{m} min"),
        (h, 0, _) => format!("{h} h"),
        (h, m, _) => format!("{h} h {m} min"),
    }
}

/// What happened, without what the page says about it itself.
pub(crate) fn first_sentence(text: &str) -> &str {
    text.find(". ").map_or(text, |end| &text[..=end])
}

/// A running clock: `1:05`, `1:02:09`. The page's script counts on in the same form.
pub(crate) fn clock(ms: u64) -> String {
    let seconds = ms / 1_000;
    match seconds / 3_600 {
        0 => format!("{}:{:02}", seconds / 60, seconds % 60),
        hours => format!("{hours}:{:02}:{:02}", seconds / 60 % 60, seconds % 60),
    }
}

/// Minutes of GPU time, with a tenth below ten.
pub(crate) fn gpu_minutes(ms: u64) -> String {
    match ms / 6_000 {
        0 => "0 min".to_owned(),
        tenths @ 0..100 => format!("{}.{} min", tenths / 10, tenths % 10),
        tenths => format!("{} min", tenths / 10),
    }
}

/// From when to when something starts, as coarse as it is uncertain.
pub(crate) fn range(starts: StartsIn) -> String {
    let (soonest, latest) = (starts.soonest_ms / 1_000, starts.latest_ms / 1_000);
    let tens = |s: u64| s.div_ceil(10) * 10;
    // A wait of many minutes is known to two of them at best.
    let (soonest, latest) =
        if latest > 600 { (soonest / 120 * 120, latest.div_ceil(120) * 120) } else { (soonest, latest) };
    match (soonest, latest) {
        (_, 0..=10) => "any moment".to_owned(),
        (0..=9, late @ ..90) => format!("within {} s", tens(late)),
        (soon, late @ ..90) => format!("{}–{} s", soon / 10 * 10, tens(late)),
        (soon, late) => {
            let (from, to) = (soon / 60, late.div_ceil(60));
            match from {
                0 => format!("within {to} min"),
                _ if from == to => format!("about {to} min"),
                _ => format!("{from}–{to} min"),
            }
        }
    }
}

/// `1st`, `2nd`, `11th`.
pub(crate) fn ordinal(n: u64) -> String {
    let ending = match (n % 100, n % 10) {
        (11..=13, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    };
    format!("{n}{ending}")
}

/// A price in hundredths.
pub(crate) fn money(hundredths: u64) -> String {
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

/// What GPU time costs, in hundredths.
pub(crate) const fn cost(ms: u64, per_hour: u64) -> u64 {
    ms * per_hour / 3_600_000
}

/// A range behind the word "in".
pub(crate) fn in_range(starts: StartsIn) -> String {
    let range = range(starts);
    match range.as_str() {
        "any moment" => "a moment".to_owned(),
        range if range.starts_with(|c: char| c.is_ascii_digit()) => format!("about {range}"),
        range => range.replacen("within ", "at most ", 1),
    }
}

/// Why a job stands where it stands.
pub(crate) fn why(job: &RoomJob, room: &Room) -> String {
    if let Some(reason) = job.reason {
        return reason_words(reason).to_owned();
    }
    if job.lane == Lane::Instructor {
        return "goes before the others".to_owned();
    }
    if room.counts.paused {
        return "paused, place kept".to_owned();
    }
    let turn = job.turn.unwrap_or(1);
    let runs = |person: &PersonInRoom| person.name == job.participant && !person.running.is_empty();
    let owner_runs = room.people.iter().any(runs);
    match (room.counts.mode, turn) {
        (_, 1) if owner_runs => "after their running job".to_owned(),
        (Mode::Fifo, _) => "by arrival".to_owned(),
        (Mode::RoundRobin, 1) => "their next turn".to_owned(),
        (Mode::RoundRobin, n) => format!("their {} turn", ordinal(n)),
        (Mode::Fair, 1) => "by GPU time used".to_owned(),
        (Mode::Fair, n) => format!("their {} job", ordinal(n)),
        (Mode::Priority, 1) => format!("{} lane", job.lane.word()),
        (Mode::Priority, n) => format!("{} lane, {} turn", job.lane.word(), ordinal(n)),
    }
}

/// A reason in words.
pub(crate) const fn reason_words(reason: Reason) -> &'static str {
    match reason {
        Reason::Stopping => "stopping at the next step",
        Reason::WorkerLost => "its GPU was lost; runs again",
        Reason::Released => "given back by its GPU",
        Reason::Parked => "took down its GPU three times",
        Reason::OnHold => "on hold: no GPU here can run it",
        Reason::BackingOff => "waits for its next try",
        Reason::Held => "put aside",
        Reason::Cancelling => "about to be cancelled",
    }
}

/// A state in words.
pub(crate) const fn state_words(state: JobState) -> &'static str {
    match state {
        JobState::Pending => "waiting",
        JobState::Running => "running",
        JobState::Completed => "done",
        JobState::Failed => "failed",
        JobState::Cancelled => "cancelled",
    }
}

/// A failure's plain cause, and what to do about it.
pub(crate) fn plain_cause(exception: &str, message: &str) -> (&'static str, &'static str) {
    let lower = message.to_lowercase();
    if exception.contains("OutOfMemory") || lower.contains("out of memory") {
        let advice = "Smaller pictures, fewer frames or a smaller batch; or another GPU.";
        return ("The GPU ran out of memory", advice);
    }
    match exception {
        "OnHold" => (
            "No connected GPU can run it",
            "Put the file on a worker or choose another model. The jobs keep waiting.",
        ),
        "Parked" => ("Took down its GPU three times", "Look at the workflow before anyone runs it again."),
        "prompt_outputs_failed_validation" | "Validation" => {
            ("ComfyUI refused the workflow", "Open the job to see which input is wrong.")
        }
        _ if lower.contains("connection") || exception.contains("Lost") => {
            ("The GPU's ComfyUI went away", "Look at the worker; then retry.")
        }
        _ if lower.contains("no such file") || lower.contains("not found") => {
            ("A file is missing", "Put it on the worker, or change the workflow; then retry.")
        }
        _ => ("A node failed", "Read its first line; a retry helps only if something has changed."),
    }
}

/// The first line of a cause, for the one who reads it.
pub(crate) fn cause_line(cause: &Cause) -> String {
    match (cause.node.is_empty(), cause.message.is_empty()) {
        (true, _) => cause.message.clone(),
        (false, true) => format!("{}: {}", cause.node, cause.exception),
        (false, false) => format!("{}: {}", cause.node, cause.message),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn empty_room() -> Room {
        let counts = r#"{"mode":"round_robin","paused":false,"pending_jobs":0,"running_jobs":0,"completed_jobs":0,
            "failed_jobs":0,"total_workers":0,"active_workers":0,"queue_depth":0}"#;
        Room {
            epoch: "e".to_owned(),
            n: 1,
            now: 1_000_000,
            counts: serde_json::from_str(counts).unwrap(),
            simulated: false,
            idle_since: None,
            price_per_hour: 0,
            people: Vec::new(),
            workers: Vec::new(),
            waiting: Vec::new(),
            longest: None,
            new_job_starts_in: None,
            aside: Vec::new(),
            problems: Vec::new(),
            alerts: Vec::new(),
        }
    }

    pub(crate) fn job(who: &str, at: u64) -> RoomJob {
        let text = format!(
            r#"{{"id":"{}","participant":"{who}","state":"pending","lane":"normal","attempts":0,"submitted_at":{at}}}"#,
            queue_protocol::JobId::random()
        );
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn why_a_job_stands_there_is_true_of_every_job_it_is_said_of() {
        let mut room = empty_room();
        room.counts.mode = Mode::Fair;
        let mut one = RoomJob { turn: Some(1), ..job("ada", 1) };
        assert_eq!(why(&one, &room), "by GPU time used", "it may be anybody's first job");
        one.lane = Lane::Instructor;
        assert_eq!(why(&one, &room), "goes before the others", "nobody needs to demonstrate for that");
    }

    #[test]
    fn a_range_is_as_coarse_as_it_is_uncertain() {
        let said = |from: u64, to: u64| range(StartsIn { soonest_ms: from * 1_000, latest_ms: to * 1_000 });
        assert_eq!(said(0, 4), "any moment");
        assert_eq!(said(2, 31), "within 40 s");
        assert_eq!(said(21, 55), "20–60 s");
        assert_eq!(said(30, 150), "within 3 min");
        assert_eq!(said(380, 500), "6–9 min");
        assert_eq!(
            [1, 2, 3, 4, 11, 12, 21, 102].map(ordinal).join(" "),
            "1st 2nd 3rd 4th 11th 12th 21st 102nd"
        );
        assert_eq!(
            [45, 130, 200, 4_800].map(|s| span(s * 1_000)).join(", "),
            "45 s, 2 min 10 s, 3 min, 1 h 20 min"
        );
    }

    #[test]
    fn of_what_is_said_the_first_sentence_is_taken() {
        assert_eq!(first_sentence("It is away. Try again."), "It is away.");
        assert_eq!(first_sentence("It is away."), "It is away.");
    }

    #[test]
    fn what_went_wrong_is_said_plainly() {
        assert_eq!(plain_cause("torch.OutOfMemoryError", "x").0, "The GPU ran out of memory");
        assert_eq!(plain_cause("RuntimeError", "CUDA out of memory. Tried").0, "The GPU ran out of memory");
        assert_eq!(plain_cause("ValueError", "no").0, "A node failed");
    }
}
