//! What every part of Atelier agrees on: ids, states, messages, timings and limits. No I/O.

pub mod api;
pub mod feed;
pub mod frame;
pub mod ids;
pub mod job;
pub mod lane;
pub mod limits;
pub mod link;
pub mod mode;
pub mod secret;
pub mod timings;

pub use ids::{
    AccountName, ClientId, FileHash, InvalidId, JobId, LeaseToken, LinkId, NeedsId, TokenId, WorkerName,
    Workshop,
};
pub use job::{FailureKind, JobState, Reason};
pub use lane::Lane;
pub use mode::Mode;
pub use secret::Secret;
pub use timings::Timings;
