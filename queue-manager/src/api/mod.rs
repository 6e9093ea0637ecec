//! Our own API under `/api/v1`: JSON in and out, problem+json when something is wrong.

pub(crate) mod account;
mod accounts;
mod audit;
mod browser_files;
mod caps;
pub(crate) mod causes;
mod checklist;
mod classroom;
pub mod feed;
mod input;
pub mod jobs;
mod messages;
pub mod openapi;
mod pictures;
mod queue;
mod report;
mod room;
mod steer;
pub mod submit;
pub mod table;
mod tokens;
pub mod view;
mod workers;
