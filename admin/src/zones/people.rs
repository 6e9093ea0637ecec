//! The people, in the order of their seats: it never changes by itself.

use std::collections::HashMap;

use askama::Template;
use queue_protocol::JobState;
use queue_protocol::api::{PersonInRoom, Role, Room};

use super::lanes::progress;
use super::names::Names;
use super::{Cells, Live, Row};
use crate::wording::{gpu_minutes, ordinal, range};

#[derive(Template)]
#[template(path = "zones/person.html")]
struct Tile {
    account: String,
    name: String,
    seat: Option<u32>,
    instructor: bool,
    cells: Cells,
}

impl Tile {
    fn c(&self, name: &str) -> &str {
        self.cells.get(name)
    }
}

impl Live for Tile {
    fn id(&self) -> String {
        format!("p-{}", self.account)
    }

    fn cells(&mut self) -> &mut Cells {
        &mut self.cells
    }
}

/// State for the page's colours, its icon, its word.
fn state(person: &PersonInRoom) -> (&'static str, &'static str, String) {
    match (person.running.is_empty(), person.waiting, person.position, person.latest) {
        _ if person.disabled => ("disabled", "⊘", "disabled".to_owned()),
        (false, ..) => ("running", "▶", "running".to_owned()),
        (true, 1.., Some(1), _) => ("waiting", "◔", "next".to_owned()),
        (true, 1.., Some(n), _) => ("waiting", "◔", format!("{} in line", ordinal(n))),
        (true, 1.., None, _) => ("waiting", "◔", "waiting".to_owned()),
        (.., Some(JobState::Failed)) => ("failed", "✕", "failed".to_owned()),
        _ if person.here => ("idle", "○", "idle".to_owned()),
        _ => ("away", "–", "away".to_owned()),
    }
}

pub(super) fn rows(room: &Room, names: &Names) -> Vec<Row> {
    let working: HashMap<_, _> = room
        .workers
        .iter()
        .filter_map(|lane| Some((lane.running.as_ref()?.participant.clone(), progress(lane).1?)))
        .collect();
    let shown = room.people.iter().filter(|person| {
        person.role == Role::Participant || person.waiting > 0 || !person.running.is_empty()
    });
    let used: u64 = room.people.iter().map(|person| person.used.gpu_ms).sum();
    let users = room.people.iter().filter(|person| person.used.gpu_ms > 0).count().max(1) as u64;
    let even = (used / users).max(1);
    shown
        .map(|person| {
            let (state, icon, word) = state(person);
            let waits = person.waiting - u64::from(state == "waiting").min(person.waiting);
            let mut more = Vec::new();
            if let Some(percent) = working.get(&person.name).filter(|_| state == "running") {
                more.push(format!("{percent} %"));
            }
            if let Some(starts) = person.starts_in.filter(|_| state == "waiting" && !room.counts.paused) {
                more.push(range(starts));
            }
            if waits > 0 {
                more.push(match state {
                    "waiting" if more.is_empty() => format!("{waits} more"),
                    "waiting" => format!("+{waits}"),
                    _ => format!("{waits} waiting"),
                });
            }
            super::row(Tile {
                account: person.name.to_string(),
                name: names.shown(&person.name),
                seat: person.seat.filter(|_| !names.hidden),
                instructor: person.role == Role::Instructor,
                cells: Cells::of([
                    ("class", format!("tile is-{state}")),
                    ("icon", icon.to_owned()),
                    ("state", word),
                    ("more", more.join(" · ")),
                    // The middle of the bar is an even share.
                    ("share", (person.used.gpu_ms * 50 / even).min(100).to_string()),
                    ("used", gpu_minutes(person.used.gpu_ms)),
                ]),
            })
        })
        .collect()
}
