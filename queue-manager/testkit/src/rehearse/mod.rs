//! A rehearsal: people sign in, submit and listen as tabs and scripts do, workers lend their hands, and at the end stands
//! a verdict. Whatever is not proven to be well is not ready: a refusal, an answer nobody expects, a job nobody heard of
//! again.

mod accounts;
mod checks;
mod ear;
mod figures;
mod options;
mod participant;
mod performance;
mod place;
mod redis_traffic;
mod report;
mod turns;
mod workers;

pub use options::Options;
pub use report::{Report, Trouble};

use crate::rehearse::performance::Performance;
use crate::rehearse::place::Place;

/// Rehearses, and says how it was. Never fails: what goes wrong is in the report.
pub async fn run(options: &Options) -> Report {
    let mut report = Report::default();
    if let Err(trouble) = attempt(options, &mut report).await {
        report.trouble(trouble);
    }
    report
}

async fn attempt(options: &Options, report: &mut Report) -> Result<(), Trouble> {
    let place = Place::find(options).await?;
    let begun = Performance::begin(options, &place, report).await;
    let mut performance = match begun {
        Ok(performance) => performance,
        Err(trouble) => {
            place.tidy(report).await;
            return Err(trouble);
        }
    };
    performance.play(report).await;
    performance.end().await;
    place.tidy(report).await;
    Ok(())
}
