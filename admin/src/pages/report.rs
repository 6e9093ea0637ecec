//! The workshop so far: charts, what everyone had, what it cost.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use queue_client::api::Api;
use queue_protocol::api::{PersonUsage, Report};

use super::charts::{self, Chart, HEIGHT, WIDTH};
use super::{Failed, Layout, Visitor, export, render};
use crate::rooms::Rooms;
use crate::wording::{cost, gpu_minutes, money, span};
use crate::zones::names::Names;

#[derive(Template)]
#[template(path = "pages/report.html")]
struct ReportPage {
    layout: Layout,
    charts: Vec<Chart>,
    people: Vec<PersonRow>,
    facts: Vec<(&'static str, String)>,
    fairness: String,
    priced: bool,
    width: f64,
    height: f64,
}

struct PersonRow {
    name: String,
    shown: String,
    completed: u64,
    failed: u64,
    cancelled: u64,
    gpu: String,
    wait: String,
    cost: String,
    share: u64,
}

/// How even GPU time is spread among those who had any: 100 when all had the same (Jain's index, in percent).
pub(crate) fn fairness(people: &[PersonUsage]) -> Option<u64> {
    let used: Vec<u128> =
        people.iter().map(|person| u128::from(person.used.gpu_ms / 100)).filter(|used| *used > 0).collect();
    let (sum, squares) = (used.iter().sum::<u128>(), used.iter().map(|used| used * used).sum::<u128>());
    let index = (sum * sum * 100).checked_div(used.len() as u128 * squares)?;
    u64::try_from(index).ok()
}

fn mean_wait(person: &PersonUsage) -> String {
    person.used.waited_ms.checked_div(person.used.started).map(span).unwrap_or_default()
}

pub(crate) async fn page(
    State(api): State<Api>,
    State(rooms): State<Rooms>,
    layout: Layout,
    Visitor(token): Visitor,
) -> Result<Response, Failed> {
    let (report, seen) = tokio::join!(api.get(&token, "/report"), rooms.now(&token));
    let (report, seen): (Report, _) = (layout.or(report)?, layout.or(seen)?);
    let most = report.people.iter().map(|person| person.used.gpu_ms).max().unwrap_or_default().max(1);
    let per_hour = report.price_per_hour;
    let had = |person: &&PersonUsage| person.used.started + person.used.cancelled > 0;
    let names = Names::of(&seen.room, layout.look.hide_names);
    let people = report.people.iter().filter(had).map(|person| PersonRow {
        name: person.name.to_string(),
        shown: names.shown(&person.name),
        completed: person.used.completed,
        failed: person.used.failed,
        cancelled: person.used.cancelled,
        gpu: gpu_minutes(person.used.gpu_ms),
        wait: mean_wait(person),
        cost: money(cost(person.used.gpu_ms, per_hour)),
        share: person.used.gpu_ms * 100 / most,
    });
    let idle = report.ready_ms.saturating_sub(report.busy_ms);
    let mut facts = vec![
        ("GPU time there was", span(report.ready_ms)),
        ("of it used", span(report.busy_ms)),
        ("of it idle", span(idle)),
    ];
    if per_hour > 0 {
        facts.push(("spent so far", money(cost(report.ready_ms, per_hour))));
        facts.push(("of it for idle GPUs", money(cost(idle, per_hour))));
    }
    let fairness = match fairness(&report.people) {
        Some(index) => format!("How even it was: {index} of 100. At 100 everybody had the same GPU time."),
        None => "Nobody has used a GPU yet.".to_owned(),
    };
    Ok(render(&ReportPage {
        charts: charts::of_minutes(&report.minutes),
        people: people.collect(),
        facts,
        fairness,
        priced: per_hour > 0,
        width: WIDTH,
        height: HEIGHT,
        layout,
    }))
}

/// `GET /report.csv`
pub(crate) async fn file(
    State(api): State<Api>,
    layout: Layout,
    Visitor(token): Visitor,
) -> Result<Response, Failed> {
    let report: Report = layout.or(api.get(&token, "/report").await)?;
    let head = ["person", "label", "done", "failed", "cancelled", "gpu_seconds", "mean_wait_seconds"];
    let mut text = export::line(head);
    for person in &report.people {
        let used = &person.used;
        let wait = used.waited_ms.checked_div(used.started).unwrap_or_default() / 1_000;
        let numbers = [used.completed, used.failed, used.cancelled, used.gpu_ms / 1_000, wait];
        let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
        let words = [person.name.as_str(), person.label.as_str()];
        text += &export::line(words.into_iter().chain(numbers.iter().map(String::as_str)));
    }
    Ok(export::file("report.csv", export::CSV, text))
}

#[cfg(test)]
mod tests {
    use queue_protocol::api::Usage;

    use super::*;

    #[test]
    fn shares_are_even_when_all_had_the_same() {
        let of = |ms: &[u64]| {
            let person = |gpu_ms: &u64| PersonUsage {
                name: "ada".parse().unwrap(),
                label: String::new(),
                used: Usage { gpu_ms: *gpu_ms, ..Usage::default() },
            };
            fairness(&ms.iter().map(person).collect::<Vec<_>>())
        };
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[5_000, 5_000, 0]), Some(100));
        assert_eq!(of(&[9_000, 1_000]), Some(60));
    }
}
