//! What a job's owner is told about it, wherever they look: a few words, and one line that says why.

use queue_protocol::api::{Job, QueueStatus, StartsIn};
use queue_protocol::{JobState, Lane, Mode, Reason};

/// A job in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Words {
    /// Where it is: `3rd in line · about 6–9 min`.
    pub(crate) text: String,
    /// Why, or what to do; may be empty.
    pub(crate) detail: String,
}

/// What to say about a job of this queue.
pub(crate) fn about(job: &Job, queue: &QueueStatus) -> Words {
    let (text, detail) = match job.state {
        JobState::Pending => pending(job, queue),
        JobState::Running if job.reason == Some(Reason::Stopping) => {
            ("Stopping…".to_owned(), "Takes effect at the next step.".to_owned())
        }
        JobState::Running => ("Running".to_owned(), running(job)),
        JobState::Completed => (done(job), String::new()),
        JobState::Failed => ("Failed".to_owned(), failed(job)),
        JobState::Cancelled => ("Cancelled".to_owned(), String::new()),
    };
    Words { text, detail }
}

fn pending(job: &Job, queue: &QueueStatus) -> (String, String) {
    let say = |text: &str, detail: &str| (text.to_owned(), detail.to_owned());
    match job.reason {
        Some(Reason::Cancelling) => {
            return say("Will be cancelled", "For a few seconds you can take that back.");
        }
        Some(Reason::Held) => return say("Put aside", "It waits until somebody releases it."),
        Some(Reason::OnHold) => return ("On hold".to_owned(), on_hold(job)),
        Some(Reason::BackingOff) => {
            return say("Will be tried again", "It failed; the next try begins by itself.");
        }
        _ => {}
    }
    let place = job.position.map_or_else(|| "Waiting".to_owned(), in_line);
    if queue.paused && job.lane != Lane::Instructor {
        return ("Paused by your instructor".to_owned(), format!("Your place is kept: {}.", lower(&place)));
    }
    if queue.active_workers == 0 {
        return (place, "No GPU is connected. Your job is safe and starts by itself when one is.".to_owned());
    }
    let back = match job.reason {
        Some(Reason::WorkerLost) => "The GPU was lost; your job runs again from the start. ",
        Some(Reason::Released) => "The GPU stopped; your job runs again from the start. ",
        _ => "",
    };
    let back = match (&queue.demo, queue.one_each) {
        (Some(_), _) => format!("A demonstration goes first. {back}"),
        (None, true) => format!("One job each for now. {back}"),
        (None, false) => back.to_owned(),
    };
    let when = job.starts_in.map(|range| format!(" · {}", starts(range)));
    let unknown = if when.is_none() { " No estimate yet." } else { "" };
    (format!("{place}{}", when.unwrap_or_default()), format!("{back}{}{unknown}", why(job, queue.mode)))
}

fn on_hold(job: &Job) -> String {
    let what = match job.missing.as_slice() {
        [] => "what this job needs".to_owned(),
        [one] => one.clone(),
        [one, rest @ ..] => format!("{one} and {} more", rest.len()),
    };
    format!(
        "No GPU here has {what}. Pick another, or wait: it starts by itself when one has. Your instructor sees this."
    )
}

/// Why it stands where it stands. Always true: it says who is ahead, not who ought to be.
fn why(job: &Job, mode: Mode) -> String {
    let (jobs, people) =
        (job.position.map_or(0, |position| position.saturating_sub(1)), job.people_ahead.unwrap_or(0));
    if jobs == 0 {
        return "It starts as soon as a GPU is free.".to_owned();
    }
    let ahead = match (people, jobs) {
        (0, 1) => "Your own job before it goes first.".to_owned(),
        (0, own) => format!("{own} of your own jobs go first."),
        // Own jobs may be among them.
        (_, 1) => format!("1 job goes first; {} ahead of you.", count_people(people)),
        _ => format!("{jobs} jobs go first; {} ahead of you.", count_people(people)),
    };
    let rule = match mode {
        Mode::Fifo => "First come, first served.",
        Mode::RoundRobin => "Taking turns: one job each before anyone gets a second.",
        Mode::Fair => "Fair by GPU time: whoever has used least goes next.",
        Mode::Priority => "Instructor jobs go first, then turns.",
    };
    format!("{rule} {ahead}")
}

fn count_people(number: u64) -> String {
    if number == 1 { "1 other person is".to_owned() } else { format!("{number} other people are") }
}

fn in_line(position: u64) -> String {
    let ending = match (position % 10, position % 100) {
        _ if position == 1 => return "Next in line".to_owned(),
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{position}{ending} in line")
}

fn lower(place: &str) -> String {
    place.replacen("Next", "next", 1).replacen("Waiting", "waiting", 1)
}

fn starts(range: StartsIn) -> String {
    let (soonest, latest) = (range.soonest_ms.div_ceil(60_000), range.latest_ms.div_ceil(60_000));
    match (soonest, latest) {
        (_, 0..=1) => "starts within a minute".to_owned(),
        _ if soonest < latest => format!("about {}–{latest} min", soonest.max(1)),
        _ => format!("about {latest} min"),
    }
}

/// `1:40`, `12:05`, `1:02:03`.
pub(crate) fn clock(ms: u64) -> String {
    let (hours, minutes, seconds) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1_000 % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

/// How long ago, in words: times of the store have no other use for a person.
pub(crate) fn ago(now_ms: u64, then_ms: u64) -> String {
    let seconds = now_ms.saturating_sub(then_ms) / 1_000;
    match seconds {
        0..120 => format!("{seconds} s ago"),
        120..7_200 => format!("{} min ago", seconds / 60),
        7_200..172_800 => format!("{} h ago", seconds / 3_600),
        _ => format!("{} days ago", seconds / 86_400),
    }
}

fn running(job: &Job) -> String {
    let place = job.worker.as_ref().map(|worker| format!("On {worker}.")).unwrap_or_default();
    match job.usual_ms {
        Some(usual) => format!("{place} Such jobs usually take {}.", clock(usual)),
        None => place,
    }
}

fn done(job: &Job) -> String {
    match (job.started_at, job.ended_at) {
        (Some(started), Some(ended)) => format!("Done in {}", clock(ended.saturating_sub(started))),
        _ => "Done".to_owned(),
    }
}

fn failed(job: &Job) -> String {
    let said =
        job.error.as_ref().map(|error| error.exception_message.lines().next().unwrap_or_default().trim());
    let kind = job.error.as_ref().map(|error| error.exception_type.as_str()).unwrap_or_default();
    if job.reason == Some(Reason::Parked) {
        return "It took down its GPU three times and is not tried again. Your instructor sees this."
            .to_owned();
    }
    if kind.contains("OutOfMemory") {
        return "The GPU ran out of memory. Try a smaller picture, fewer frames or a smaller batch."
            .to_owned();
    }
    said.filter(|said| !said.is_empty()).unwrap_or("ComfyUI gave no reason.").to_owned()
}

#[cfg(test)]
pub(crate) mod tests;
