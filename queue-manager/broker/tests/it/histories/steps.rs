//! What may happen in a history, and how often.

use proptest::prelude::*;
use queue_protocol::{FailureKind, Lane, Mode};

pub const PEOPLE: usize = 4;
/// What the three workers can run.
pub const KINDS: [&[u8]; 3] = [&[1, 2], &[1], &[2, 3]];

#[derive(Debug, Clone)]
pub enum Step {
    Submit { who: usize, lane: Lane, class: u8, front: bool },
    Retry { nth: usize },
    Claim { worker: usize },
    Finish { worker: usize },
    Fail { worker: usize, kind: FailureKind },
    Release { worker: usize },
    Cancel { nth: usize, delayed: bool },
    Keep { nth: usize },
    Hold { nth: usize, aside: bool },
    Prioritise { nth: usize, lane: Lane },
    Move { nth: usize, place: usize },
    SetMode(Mode),
    Pause(bool),
    Cap { who: Option<usize>, cap: usize },
    Drain { worker: usize, on: bool },
    Wait,
    LetLeasesEnd { vanishes: Option<usize> },
}

pub fn steps() -> impl Strategy<Value = Vec<Step>> {
    let lane = || prop_oneof![6 => Just(Lane::Normal), 1 => prop::sample::select(Lane::ALL.to_vec())];
    let worker = || 0..KINDS.len();
    let nth = || 0..12_usize;
    let kinds =
        [FailureKind::Run, FailureKind::Validation, FailureKind::ComfyuiLost, FailureKind::Interrupted];
    let step = prop_oneof![
        12 => (0..PEOPLE, lane(), 1..=3_u8, prop::bool::weighted(0.1))
            .prop_map(|(who, lane, class, front)| Step::Submit { who, lane, class, front }),
        1 => nth().prop_map(|nth| Step::Retry { nth }),
        12 => worker().prop_map(|worker| Step::Claim { worker }),
        8 => worker().prop_map(|worker| Step::Finish { worker }),
        2 => (worker(), prop::sample::select(kinds.to_vec())).prop_map(|(worker, kind)| Step::Fail { worker, kind }),
        1 => worker().prop_map(|worker| Step::Release { worker }),
        2 => (nth(), any::<bool>()).prop_map(|(nth, delayed)| Step::Cancel { nth, delayed }),
        1 => nth().prop_map(|nth| Step::Keep { nth }),
        2 => (nth(), any::<bool>()).prop_map(|(nth, aside)| Step::Hold { nth, aside }),
        2 => (nth(), prop::sample::select(Lane::ALL.to_vec())).prop_map(|(nth, lane)| Step::Prioritise { nth, lane }),
        1 => (nth(), 0..5_usize).prop_map(|(nth, place)| Step::Move { nth, place }),
        1 => prop::sample::select(Mode::ALL.to_vec()).prop_map(Step::SetMode),
        1 => any::<bool>().prop_map(Step::Pause),
        1 => (prop::option::of(0..PEOPLE), 1..3_usize).prop_map(|(who, cap)| Step::Cap { who, cap }),
        1 => (worker(), any::<bool>()).prop_map(|(worker, on)| Step::Drain { worker, on }),
        1 => Just(Step::Wait),
        1 => prop::option::of(worker()).prop_map(|vanishes| Step::LetLeasesEnd { vanishes }),
    ];
    proptest::collection::vec(step, 1..45)
}
