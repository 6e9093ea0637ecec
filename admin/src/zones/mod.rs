//! The overview's zones, each a list of rows. A row is rendered twice: whole, and without the few texts in it that change
//! all the time (its cells). So a viewer is sent a row again only when something else about it changed, and a cell's text
//! otherwise: an update of a busy room stays below two kilobytes.

pub(crate) mod controls;
pub(crate) mod lanes;
pub(crate) mod names;
pub(crate) mod people;
pub(crate) mod problems;
pub(crate) mod queue;

use std::collections::HashMap;
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

    /// What is another text than before.
    fn changed(&self, before: &Self) -> Map<String, Value> {
        let other = self.0.iter().filter(|(name, text)| before.get(name) != text);
        other.map(|(name, text)| ((*name).to_owned(), json!(text))).collect()
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
            texts: texts(room),
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
            update.insert("texts".to_owned(), texts.into());
        }
        Some(update.into())
    }
}

impl Zone {
    fn since(&self, before: Option<&Self>) -> Option<Value> {
        let known: HashMap<&str, &Row> =
            before.into_iter().flat_map(|zone| &zone.rows).map(|row| (row.id.as_str(), row)).collect();
        let (mut rows, mut cells) = (Map::new(), Map::new());
        for row in &self.rows {
            match known.get(row.id.as_str()) {
                Some(old) if old.bare == row.bare => {
                    let changed = row.cells.changed(&old.cells);
                    if !changed.is_empty() {
                        cells.insert(row.id.clone(), changed.into());
                    }
                }
                _ => drop(rows.insert(row.id.clone(), json!(row.html))),
            }
        }
        let order = |zone: &Self| zone.rows.iter().map(|row| row.id.clone()).collect::<Vec<_>>();
        let mut change = Map::new();
        if before.is_none_or(|before| order(before) != order(self)) {
            change.insert("order".to_owned(), json!(order(self)));
        }
        if !rows.is_empty() {
            change.insert("rows".to_owned(), rows.into());
        }
        if !cells.is_empty() {
            change.insert("cells".to_owned(), cells.into());
        }
        (!change.is_empty()).then(|| change.into())
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
            alerts.push(format!("{name} makes no progress for {}.", wording::span(ms / 60_000 * 60_000)));
        }
        if !lane.worker.active && !lane.worker.draining {
            alerts.push(format!("{name} is not connected."));
        } else if lane.worker.active && !lane.worker.comfyui_alive {
            alerts.push(format!("The ComfyUI of {name} does not answer."));
        }
    }
    let idle = room.idle_since.map(|since| room.now.saturating_sub(since)).filter(|ms| *ms >= IDLE_MS);
    if let Some(ms) = idle {
        alerts.push(format!("Every GPU idles for {}.", wording::span(ms / 60_000 * 60_000)));
    }
    let parked = room.problems.iter().filter(|cause| cause.exception == "Parked");
    alerts.extend(parked.map(|cause| {
        format!("{} took down a GPU three times.", wording::many(cause.jobs.len() as u64, "job", "jobs"))
    }));
    alerts
}

fn texts(room: &Room) -> Cells {
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
        ("waiting", wording::many(room.counts.pending_jobs, "waits", "wait")),
        ("more", if more > 0 { format!("and {more} more") } else { String::new() }),
        ("failures", wording::many(failed as u64, "failed job", "failed jobs")),
        ("alerts", alerts(room).join(" ")),
        ("failed", if failed > 0 { failed.to_string() } else { String::new() }),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wording::tests::empty_room;

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
    fn what_changes_the_controls_sends_their_row() {
        let (mut room, before) = (empty_room(), Frame::of(&empty_room(), false));
        room.counts.paused = true;
        let update = Frame::of(&room, false).since(Some(&before)).unwrap();
        assert!(update["zones"]["controls"]["rows"]["controls"].as_str().unwrap().contains("Resume"));
        assert!(update["zones"]["controls"].get("order").is_none());
    }
}
