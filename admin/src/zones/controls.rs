//! The buttons for the whole room, as they are right now.

use askama::Template;
use queue_protocol::Mode;
use queue_protocol::api::Room;

use super::names::Names;
use super::{Cells, Live, Row};
use crate::wording;

#[derive(Template)]
#[template(path = "zones/controls.html")]
struct Controls {
    paused: bool,
    one_each: bool,
    demo: Option<Demonstration>,
    modes: Vec<ModeButton>,
    mode: &'static str,
    simulated: bool,
    cells: Cells,
}

struct Demonstration {
    who: String,
    jobs: u32,
    until: u64,
}

struct ModeButton {
    word: &'static str,
    label: &'static str,
    title: &'static str,
    on: bool,
}

impl Live for Controls {
    fn id(&self) -> String {
        "controls".to_owned()
    }

    fn cells(&mut self) -> &mut Cells {
        &mut self.cells
    }
}

pub(super) fn row(room: &Room, names: &Names) -> Row {
    let counts = &room.counts;
    super::row(Controls {
        paused: counts.paused,
        one_each: counts.one_each,
        demo: counts.demo.as_ref().map(|demo| Demonstration {
            who: names.shown(&demo.participant),
            jobs: demo.jobs,
            until: demo.until,
        }),
        modes: Mode::ALL
            .iter()
            .map(|mode| ModeButton {
                word: mode.word(),
                label: wording::mode_button(*mode),
                title: wording::mode(*mode),
                on: *mode == counts.mode,
            })
            .collect(),
        mode: wording::mode(counts.mode),
        simulated: room.simulated,
        cells: Cells::default(),
    })
}
