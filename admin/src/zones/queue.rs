//! The queue: jobs in the order in which they will really start, each with why it stands there and when it starts; below
//! them those that wait aside.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;

use askama::Template;
use queue_protocol::Lane as JobLane;
use queue_protocol::Reason;
use queue_protocol::api::{Room, RoomJob};

use super::lanes::short;
use super::names::Names;
use super::{Cells, Live, Row};
use crate::wording::{range, why};

#[derive(Template)]
#[template(path = "zones/job.html")]
struct Waiting {
    id: String,
    short: String,
    owner: String,
    aside: bool,
    first: bool,
    submitted_at: u64,
    cancelling: Option<u64>,
    held: bool,
    cells: Cells,
}

impl Waiting {
    fn c(&self, name: &str) -> &str {
        self.cells.get(name)
    }
}

impl Live for Waiting {
    fn id(&self) -> String {
        // Shorter than the job's id, of which every update names many; its first digits may be another job's as well, as
        // whoever submits may choose an id.
        static DIGEST: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        format!("j-{:012x}", DIGEST.hash_one(&self.id) >> 16)
    }

    fn cells(&mut self) -> &mut Cells {
        &mut self.cells
    }
}

pub(super) fn rows(room: &Room, names: &Names) -> Vec<Row> {
    // The list numbers its rows itself: a claim is no change of every row below it.
    room.waiting.iter().chain(&room.aside).map(|job| super::row(waiting(job, room, names))).collect()
}

fn waiting(job: &RoomJob, room: &Room, names: &Names) -> Waiting {
    let id = job.id.to_string();
    Waiting {
        short: short(&id),
        id,
        owner: names.shown(&job.participant),
        aside: job.position.is_none(),
        first: job.lane == JobLane::Instructor,
        submitted_at: job.submitted_at,
        cancelling: job.cancel_at,
        held: job.reason == Some(Reason::Held),
        cells: Cells::of([
            (
                "starts",
                if room.counts.paused { String::new() } else { job.starts_in.map(range).unwrap_or_default() },
            ),
            ("why", why(job, room)),
        ]),
    }
}
