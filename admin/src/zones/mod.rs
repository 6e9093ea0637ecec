//! The overview's zones, each a list of rows. A row is rendered twice: whole, and without the few texts in it that change
//! all the time (its cells). So a viewer is sent a row again only when something else about it changed, and a cell's text
//! otherwise: an update of a busy room stays below two kilobytes.

pub(crate) mod controls;
pub(crate) mod lanes;
pub(crate) mod names;
pub(crate) mod people;
pub(crate) mod problems;
pub(crate) mod queue;

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

use askama::Template;
use queue_protocol::api::{Role, Room};
use serde_json::{Map, Value, json};

use crate::wording;
use names::Names;

/// Texts that change all the time, by name.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Cells(Vec<(&'static str, String)>);

impl Cells {
    pub(crate) fn of<const N: usize>(cells: [(&'static str, String); N]) -> Self {
        Self(cells.into_iter().collect())
    }

    /// A cell's text; empty when it has none.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| *known == name).map_or("", |(_, text)| text)
    }

    /// What is another text than before, by name.
    fn changed<'a>(&'a self, before: &Self) -> BTreeMap<&'static str, &'a str> {
        let other = self.0.iter().filter(|(name, text)| before.get(name) != text);
        other.map(|(name, text)| (*name, text.as_str())).collect()
    }
}

/// A row before it is rendered.
pub(crate) trait Live: Template {
    fn id(&self) -> String;
    fn cells(&mut self) -> &mut Cells;
}

/// A rendered row.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    id: String,
    pub(crate) html: String,
    bare: u64,
    cells: Cells,
}

pub(crate) fn row(mut row: impl Live) -> Row {
    let render = |row: &dyn askama::DynTemplate| {
        row.dyn_render().unwrap_or_else(|error| {
            tracing::error!(%error, "a row could not be made");
            String::new()
        })
    };
    let html = render(&row);
    let cells = std::mem::take(row.cells());
    let mut hasher = DefaultHasher::new();
    render(&row).hash(&mut hasher);
    Row { id: row.id(), html, bare: hasher.finish(), cells }
}

/// One zone: its rows in the order in which they are shown.
#[derive(Debug, Clone)]
pub(crate) struct Zone {
    pub(crate) name: &'static str,
    pub(crate) rows: Vec<Row>,
}

/// Everything that is live on the overview, rendered.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) zones: Vec<Zone>,
    /// Texts outside of the zones: the headline, and how many there are of what.
    pub(crate) texts: Cells,
}

impl Frame {
    pub(crate) fn of(room: &Room, hide_names: bool) -> Self {
        let names = Names::of(room, hide_names);
        Self {
            zones: vec![
                Zone { name: "controls", rows: vec![controls::row(room, &names)] },
                Zone { name: "lanes", rows: lanes::rows(room, &names) },
                Zone { name: "people", rows: people::rows(room, &names) },
                Zone { name: "queue", rows: queue::rows(room, &names) },
                Zone { name: "problems", rows: problems::rows(room, &names) },
            ],
            texts: texts(room, &names),
        }
    }

    /// A zone's rows, one after the other.
    pub(crate) fn html(&self, zone: &str) -> String {
        let rows = self.zones.iter().filter(|one| one.name == zone).flat_map(|zone| &zone.rows);
        rows.map(|row| row.html.as_str()).collect()
    }

    /// What a viewer of `before` must be told to see this; everything for one who has seen nothing. `None` when there
    /// is nothing to tell.
    pub(crate) fn since(&self, before: Option<&Self>) -> Option<Value> {
        let mut zones = Map::new();
        for zone in &self.zones {
            let known = before.and_then(|frame| frame.zones.iter().find(|one| one.name == zone.name));
            if let Some(change) = zone.since(known) {
                zones.insert(zone.name.to_owned(), change);
            }
        }
        let texts = match before {
            Some(before) => self.texts.changed(&before.texts),
            None => self.texts.changed(&Cells::default()),
        };
        if zones.is_empty() && texts.is_empty() {
            return None;
        }
        let mut update = Map::new();
        if !zones.is_empty() {
            update.insert("zones".to_owned(), zones.into());
        }
        if !texts.is_empty() {
            update.insert("texts".to_owned(), json!(texts));
        }
        Some(update.into())
    }
}

impl Zone {
    fn since(&self, before: Option<&Self>) -> Option<Value> {
        let known: HashMap<&str, &Row> =
            before.into_iter().flat_map(|zone| &zone.rows).map(|row| (row.id.as_str(), row)).collect();
        let mut rows = Map::new();
        // Many rows get the same text at once, e.g. when everybody's wait changes: each is sent once.
        let mut cells: BTreeMap<&str, BTreeMap<&str, Vec<&str>>> = BTreeMap::new();
        for row in &self.rows {
            match known.get(row.id.as_str()) {
                Some(old) if old.bare == row.bare => {
                    for (name, text) in row.cells.changed(&old.cells) {
                        cells.entry(name).or_default().entry(text).or_default().push(&row.id);
                    }
                }
                _ => drop(rows.insert(row.id.clone(), json!(row.html))),
            }
        }
        let mut change = self.moved(before);
        if !rows.is_empty() {
            change.insert("rows".to_owned(), rows.into());
        }
        if !cells.is_empty() {
            change.insert("cells".to_owned(), json!(cells));
        }
        (!change.is_empty()).then(|| change.into())
    }

    /// Which rows are where now: nothing where they are where they were, those that went and those that came at the end
    /// where that says it all, and else the whole order.
    fn moved(&self, before: Option<&Self>) -> Map<String, Value> {
        let ids = |zone: &Self| zone.rows.iter().map(|row| row.id.clone()).collect::<Vec<_>>();
        let (now, then) = (ids(self), before.map(ids));
        let mut moved = Map::new();
        let Some(then) = then else {
            moved.insert("order".to_owned(), json!(now));
            return moved;
        };
        let (mut stay, gone): (Vec<_>, Vec<_>) = then.into_iter().partition(|id| now.contains(id));
        let came: Vec<_> = now.iter().filter(|id| !stay.contains(id)).cloned().collect();
        stay.extend_from_slice(&came);
        if stay != now {
            moved.insert("order".to_owned(), json!(now));
            return moved;
        }
        for (name, ids) in [("gone", gone), ("came", came)] {
            if !ids.is_empty() {
                moved.insert(name.to_owned(), json!(ids));
            }
        }
        moved
    }
}

/// GPUs that idle for so long cost money for nothing.
const IDLE_MS: u64 = 20 * 60_000;

/// What somebody should look at now, a sentence each. Lengths of time are whole minutes, so that a sentence stays the
/// same for a while.
fn alerts(room: &Room) -> Vec<String> {
    let mut alerts = Vec::new();
    for lane in &room.workers {
        let name = &lane.worker.name;
        if let Some(ms) = lanes::stuck_for(lane, room) {
            alerts.push(format!("{name} has made no progress for {}.", wording::span(ms / 60_000 * 60_000)));
        }
        if lane.worker.active && !lane.worker.comfyui_alive {
            alerts.push(format!("The ComfyUI of {name} does not answer."));
        }
    }
    let idle = room.idle_since.map(|since| room.now.saturating_sub(since)).filter(|ms| *ms >= IDLE_MS);
    if let Some(ms) = idle {
        alerts.push(format!("Every GPU idles for {}.", wording::span(ms / 60_000 * 60_000)));
    }
    alerts.extend(room.alerts.iter().map(|alert| alert.text.clone()));
    alerts
}

/// Who waits longest, for how many whole minutes; empty below one.
fn longest(room: &Room, names: &Names) -> String {
    let Some(job) = &room.longest else { return String::new() };
    match room.now.saturating_sub(job.submitted_at) / 60_000 {
        0 => String::new(),
        minutes => format!("{}, {}", names.shown(&job.participant), wording::span(minutes * 60_000)),
    }
}

pub(crate) fn texts(room: &Room, names: &Names) -> Cells {
    let shown = (room.waiting.len() + room.aside.len()) as u64;
    let more = room.counts.pending_jobs.saturating_sub(shown);
    let failed: usize =
        room.problems.iter().filter(|cause| cause.kind == "failed").map(|cause| cause.jobs.len()).sum();
    let participants = || room.people.iter().filter(|person| person.role == Role::Participant);
    let here = participants().filter(|person| person.here).count();
    Cells::of([
        ("headline", wording::headline(room)),
        ("gpus", format!("{} of {}", room.counts.active_workers, room.counts.total_workers)),
        ("here", format!("{here} of {} here", participants().count())),
        ("longest", longest(room, names)),
        ("waiting", wording::many(room.counts.pending_jobs, "waits", "wait")),
        ("pending", room.counts.pending_jobs.to_string()),
        ("more", if more > 0 { format!("and {more} more") } else { String::new() }),
        (
            "failures",
            if failed > 0 {
                wording::many(failed as u64, "failed job", "failed jobs")
            } else {
                String::new()
            },
        ),
        // A line each: the page's script tells which of them are new.
        ("alerts", alerts(room).join("\n")),
        ("failed", if failed > 0 { failed.to_string() } else { String::new() }),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wording::tests::{empty_room, job};

    #[test]
    fn whoever_has_seen_everything_is_told_nothing() {
        let frame = Frame::of(&empty_room(), false);
        assert_eq!(frame.since(Some(&frame)), None);
    }

    #[test]
    fn a_changed_number_is_a_changed_text_and_no_changed_row() {
        let (mut room, before) = (empty_room(), Frame::of(&empty_room(), false));
        room.counts.completed_jobs = 4;
        room.counts.pending_jobs = 1;
        let update = Frame::of(&room, false).since(Some(&before)).unwrap();
        assert_eq!(update["texts"]["headline"], "1 job waiting, and no GPU is connected.");
        assert!(update.get("zones").is_none(), "{update}");
    }

    #[test]
    fn what_somebody_should_look_at_is_said() {
        let mut room = empty_room();
        assert_eq!(alerts(&room), Vec::<String>::new());
        room.idle_since = Some(room.now - 1_000_000);
        assert!(alerts(&room).is_empty(), "a pause of a quarter of an hour is a break");
        (room.now, room.idle_since) = (2_000_000, Some(2_000_000 - 21 * 60_000));
        assert_eq!(alerts(&room), ["Every GPU idles for 21 min."]);
    }

    #[test]
    fn whoever_waits_longest_is_named_with_whole_minutes() {
        let mut room = empty_room();
        let told = |room: &Room| texts(room, &Names::of(room, false)).get("longest").to_owned();
        assert_eq!(told(&room), "");
        room.longest = Some(job("ben", room.now - 59_000));
        assert_eq!(told(&room), "", "less than a minute is no wait");
        room.longest = Some(job("ada", room.now - 190_000));
        assert_eq!(told(&room), "ada, 3 min");
    }

    #[test]
    fn jobs_whose_ids_begin_alike_are_two_rows() {
        let mut room = empty_room();
        room.waiting = vec![job("ada", 1), job("ben", 2)];
        for (job, end) in room.waiting.iter_mut().zip(1..) {
            job.id = format!("0192f3a4-0000-7000-8000-00000000000{end}").parse().unwrap();
        }
        let frame = Frame::of(&room, false);
        let queue = frame.zones.iter().find(|zone| zone.name == "queue").unwrap();
        assert_ne!(queue.rows[0].id, queue.rows[1].id);
        assert!(queue.rows.iter().all(|row| row.html.contains(&format!("id=\"{}\"", row.id))));
    }

    #[test]
    fn what_changes_the_controls_sends_their_row() {
        let (mut room, before) = (empty_room(), Frame::of(&empty_room(), false));
        room.counts.paused = true;
        let update = Frame::of(&room, false).since(Some(&before)).unwrap();
        assert!(update["zones"]["controls"]["rows"]["controls"].as_str().unwrap().contains("Resume"));
        assert!(update["zones"]["controls"].get("order").is_none());
    }

    #[test]
    fn rows_that_come_and_go_are_named_and_a_text_that_many_get_is_sent_once() {
        let zone = |rows: &[(&str, &str)]| Zone {
            name: "queue",
            rows: rows
                .iter()
                .map(|(id, text)| Row {
                    id: (*id).to_owned(),
                    html: String::new(),
                    bare: 0,
                    cells: Cells::of([("starts", (*text).to_owned())]),
                })
                .collect(),
        };
        let before = zone(&[("a", "1"), ("b", "2"), ("c", "2")]);
        let after = zone(&[("b", "1"), ("c", "1"), ("d", "2")]);
        let change = after.since(Some(&before)).unwrap();
        let cells = json!({"starts": {"1": ["b", "c"]}});
        assert_eq!(change, json!({"gone": ["a"], "came": ["d"], "rows": {"d": ""}, "cells": cells}));
        let turned = zone(&[("b", "2"), ("a", "1"), ("c", "2")]);
        assert_eq!(turned.since(Some(&before)).unwrap(), json!({"order": ["b", "a", "c"]}));
    }
}
