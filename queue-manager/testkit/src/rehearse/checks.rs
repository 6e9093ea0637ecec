//! What must hold after a rehearsal. Each check says what it found, and nothing is taken for granted that was not seen.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use queue_protocol::api::Job;
use queue_protocol::{JobState, Mode};
use reqwest::StatusCode;

use super::participant::Accepted;
use super::performance::Performance;
use super::report::{Report, Trouble};
use super::turns::first_broken;

/// Looks at everything, and says what is well when all of it is.
pub(crate) async fn all(performance: &Performance<'_>, report: &mut Report) {
    refusals(performance, report);
    ends(performance, report).await;
    let mut well = vec!["none was lost or ran twice".to_owned()];
    well.extend(turns(performance, report));
    well.extend(privacy(performance, report).await);
    let (ran, people) = (accepted(performance).count(), performance.people.len());
    let wanted = 2 * people * usize::from(performance.options.jobs);
    if ran < wanted {
        // Refusals are troubles of their own; this one is for a rehearsal that stopped short without any.
        report.trouble(Trouble::new(
            format!("only {ran} of {wanted} jobs were accepted"),
            "the others were refused or not tried",
        ));
        return;
    }
    let (number, kind) = match &performance.workers {
        Some(_) => (u64::from(performance.place.workers), "rehearsal worker"),
        None => (performance.status.active_workers, "connected worker"),
    };
    let workers = format!("{number} {kind}{}", if number == 1 { "" } else { "s" });
    report.well(format!("{people} people ran {ran} jobs on {workers}, {}", well.join(", ")));
}

fn accepted<'p>(performance: &'p Performance<'_>) -> impl Iterator<Item = (usize, &'p Accepted)> {
    performance.asked.iter().filter_map(|asked| Some((asked.who, asked.outcome.as_ref().ok()?)))
}

/// One trouble for each kind of refusal.
fn refusals(performance: &Performance<'_>, report: &mut Report) {
    let mut kinds = BTreeMap::<String, usize>::new();
    for refusal in performance.asked.iter().filter_map(|asked| asked.outcome.as_ref().err()) {
        // Seats differ by their owner's name only.
        let mut kind = refusal.clone();
        for person in &performance.people {
            kind = kind.replace(&format!("/{}/", person.name), "/…/");
        }
        *kinds.entry(kind).or_default() += 1;
    }
    let all = performance.asked.len();
    for (kind, times) in kinds {
        let what = format!("{times} of {all} submits {} refused", if times == 1 { "was" } else { "were" });
        report.trouble(Trouble::new(what, kind));
    }
}

/// How one job ended, as its owner's feed, the API and the workers say.
struct Ended {
    heard: usize,
    stored: Result<Job, String>,
    settled: Option<usize>,
}

async fn ends(performance: &Performance<'_>, report: &mut Report) {
    let jobs = join_all(accepted(performance).map(async |(who, accepted)| {
        let person = &performance.people[who];
        let stored = match person.look_at(accepted.job).await {
            Ok(Ok(job)) => Ok(job),
            Ok(Err(status)) => {
                Err(format!("the server answered {status} to GET /api/v1/jobs/{}", accepted.job))
            }
            Err(error) => Err(format!("GET /api/v1/jobs/{} had no answer: {error}", accepted.job)),
        };
        let settled = performance.workers.as_ref();
        let settled =
            settled.map(|workers| workers.tally().settled.get(&accepted.job).copied().unwrap_or_default());
        let heard = person.ear.book();
        // A feed that missed something cannot be held against the job.
        let heard = if heard.gaps > 0 { 1 } else { heard.ends(accepted.job).len() };
        Ended { heard, stored, settled }
    }))
    .await;
    let all = jobs.len();
    let mut several = |found: Vec<String>, what: &str| {
        if let Some(first) = found.first() {
            report.trouble(Trouble::new(format!("{} of {all} jobs {what}", found.len()), first));
        }
    };
    let (mut lost, mut open, mut failed, mut twice, mut unheard) = (vec![], vec![], vec![], vec![], vec![]);
    let mut again = 0;
    for job in jobs {
        match &job.stored {
            Err(why) => lost.push(why.clone()),
            Ok(stored) if !stored.state.is_end() => {
                let reason = stored.reason.map_or("", queue_protocol::Reason::word);
                open.push(format!("{} is {} {reason}", stored.id, stored.state).trim().to_owned());
            }
            Ok(stored) if stored.state != JobState::Completed => {
                let message =
                    stored.error.as_ref().map_or("", |error| error.exception_message.trim_end_matches('.'));
                failed.push(format!("{} is {}: {message}", stored.id, stored.state));
            }
            Ok(stored) if job.heard > 1 || job.settled.is_some_and(|times| times > 1) => {
                twice.push(format!(
                    "{} ended {} times",
                    stored.id,
                    job.heard.max(job.settled.unwrap_or_default())
                ));
            }
            Ok(stored) if job.heard == 0 => unheard.push(format!("{} ended in silence", stored.id)),
            Ok(stored) => again += usize::from(stored.attempts > 1),
        }
    }
    several(lost, "were lost");
    several(open, "did not end in time");
    several(failed, "did not end well");
    several(twice, "ran twice to the end");
    several(unheard, "ended without a word in their owner's feed");
    if again > 0 {
        report.remark(format!("{again} jobs were lent more than once and ended once"));
    }
    if let Some(why) =
        performance.workers.as_ref().and_then(|workers| workers.tally().broken.first().cloned())
    {
        report.trouble(Trouble::new("a worker lost its link", why));
    }
}

/// `None` where it does not apply or could not be seen.
fn turns(performance: &Performance<'_>, report: &mut Report) -> Option<String> {
    if performance.status.mode != Mode::RoundRobin {
        report.remark(format!("turns were not checked: the mode is {}", performance.status.mode.word()));
        return None;
    }
    let Some(room) = &performance.room else {
        report.remark("turns were not checked: no instructor's sign-in is known");
        return None;
    };
    let book = room.book();
    if book.gaps > 0 {
        report.remark("turns were not checked: the instructor's feed missed something");
        return None;
    }
    let ours = |name| performance.people.iter().any(|person| person.name == name);
    let changes = book.changes.iter().map(|heard| &heard.change);
    match first_broken(changes.filter(|change| ours(change.participant.clone()))) {
        None => Some("turns were kept".to_owned()),
        Some((early, late)) => {
            let why = format!("{early} had two turns while {late} waited for one");
            report.trouble(Trouble::new("turns were not kept", why));
            None
        }
    }
}

/// Everybody's feed holds their own jobs only, and a neighbour's job and seat do not exist for them.
async fn privacy(performance: &Performance<'_>, report: &mut Report) -> Option<String> {
    let mut seen = Vec::new();
    for person in &performance.people {
        if let Some(other) = person.ear.book().foreign.first() {
            seen.push(format!("the feed of {} tells of jobs of {other}", person.name));
        }
    }
    let people = &performance.people;
    if people.len() == 1 {
        report.remark("nobody could see anybody else's jobs: there was nobody else");
    } else {
        for (who, person) in people.iter().enumerate() {
            let at = (who + 1) % people.len();
            let neighbour = &people[at].name;
            let Some((_, theirs)) = accepted(performance).find(|(owner, _)| *owner == at) else { continue };
            let answers = [
                (
                    format!("a job of {neighbour}"),
                    person.look_at(theirs.job).await.map(|job| job.err().unwrap_or(StatusCode::OK)),
                ),
                (format!("the seat of {neighbour}"), person.intrude(neighbour, &serde_json::json!({})).await),
            ];
            for (what, answer) in answers {
                match answer {
                    Ok(StatusCode::NOT_FOUND) => {}
                    Ok(status) => seen
                        .push(format!("{} asked for {what} and the server answered {status}", person.name)),
                    Err(error) => {
                        seen.push(format!("{} asked for {what} and had no answer: {error}", person.name));
                    }
                }
            }
        }
    }
    match seen.first() {
        None => Some("nobody saw anybody else's".to_owned()),
        Some(first) => {
            report.trouble(Trouble::new(
                format!("{} times somebody was not kept from somebody else's things", seen.len()),
                first,
            ));
            None
        }
    }
}
