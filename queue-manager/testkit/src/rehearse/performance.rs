//! The rehearsal as it goes: people come in, one runs a job while the others watch, then everybody at once.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use queue_client::api::Api;
use queue_protocol::api::QueueStatus;
use serde_json::Value;

use super::accounts::Desk;
use super::checks;
use super::ear::Ear;
use super::figures::percentiles;
use super::options::Options;
use super::participant::{Accepted, Door, Participant};
use super::place::Place;
use super::redis_traffic::{Onlooker, commands};
use super::report::{Report, Trouble};
use super::workers::{self, Workers};
use crate::graphs;
use crate::process::resident_kib;

/// Refusals after which one job at a time is not tried further.
const ENOUGH: usize = 3;

/// What came of one submit: whose (by place among the people), and the job or what was answered instead.
pub(crate) struct Asked {
    pub(crate) who: usize,
    pub(crate) outcome: Result<Accepted, String>,
}

/// Everybody who acts.
pub(crate) struct Performance<'a> {
    pub(crate) place: &'a Place,
    pub(crate) options: &'a Options,
    pub(crate) people: Vec<Participant>,
    /// The instructor's, who hears of everyone.
    pub(crate) room: Option<Ear>,
    pub(crate) workers: Option<Workers>,
    pub(crate) status: QueueStatus,
    pub(crate) asked: Vec<Asked>,
}

impl<'a> Performance<'a> {
    /// Signs everybody in, opens their feeds, and connects workers.
    pub(crate) async fn begin(
        options: &'a Options,
        place: &'a Place,
        report: &mut Report,
    ) -> Result<Self, Trouble> {
        let unanswered = |error| Trouble::new(format!("{} is no Atelier that works", place.url), error);
        let api = Api::new(&place.url).map_err(unanswered)?;
        api.status().await.map_err(unanswered)?;
        // One after another would measure patience, all at once is what a room does.
        let all = join_all(place.cast.people.iter().map(|who| Participant::sign_in(&place.url, who))).await;
        let (mut people, mut took) = (Vec::new(), Vec::new());
        for signed in all {
            let (person, time) = signed?;
            people.push(person);
            took.push(time);
        }
        report.figure("sign-in, all at once", percentiles(took));
        let (mut room, mut workers) = (None, None);
        if let Some(instructor) = &place.cast.instructor {
            let desk = Desk::open(&place.url, instructor).await?;
            room = Some(Ear::open(&api, desk.token(), None).await?);
            if place.workers > 0 {
                workers = Some(Workers::start(desk, &place.link, place.workers).await?);
            }
        } else if place.workers > 0 {
            let why = "their tokens come from the instructor, and no instructor's sign-in is known";
            return Err(Trouble::new("no workers could be connected", why));
        }
        let status = api.status().await.map_err(unanswered)?;
        let performance = Self { place, options, people, room, workers, status, asked: Vec::new() };
        match performance.hindrance() {
            None => Ok(performance),
            Some(trouble) => {
                performance.end().await;
                Err(trouble)
            }
        }
    }

    /// What makes every wait one for nothing.
    fn hindrance(&self) -> Option<Trouble> {
        if self.status.paused {
            return Some(Trouble::new("no job would run", "the queue is paused"));
        }
        (self.status.active_workers == 0).then(|| Trouble::new("no job would run", "no worker is connected"))
    }

    fn graph(&self, n: usize) -> Value {
        if self.workers.is_some() { workers::graph(n) } else { graphs::white_picture() }
    }

    pub(crate) async fn play(&mut self, report: &mut Report) {
        self.one_by_one(report).await;
        if self.asked.iter().any(|asked| asked.outcome.is_ok()) {
            self.all_at_once(report).await;
            self.counted(report).await;
        }
        checks::all(self, report).await;
    }

    /// One job at a time, while the workers are idle: how long until it runs.
    async fn one_by_one(&mut self, report: &mut Report) {
        let (mut submits, mut pickups, mut refusals) = (Vec::new(), Vec::new(), 0);
        for n in 0..self.people.len() * usize::from(self.options.jobs) {
            let who = n % self.people.len();
            let person = &self.people[who];
            let outcome = person.submit(Door::of(n / self.people.len()), &self.graph(n)).await;
            if let Ok(accepted) = &outcome {
                let ended = person.ear.end_of(accepted.job, self.options.patience()).await;
                submits.push(accepted.answered - accepted.sent);
                if let Some(running) = person.ear.book().running(accepted.job) {
                    pickups.push(running.saturating_duration_since(accepted.answered));
                }
                refusals += usize::from(ended.is_none());
            } else {
                refusals += 1;
            }
            self.asked.push(Asked { who, outcome });
            if refusals >= ENOUGH {
                break;
            }
        }
        report.figure("submit, one at a time", percentiles(submits));
        report.figure("pickup, one at a time", percentiles(pickups));
    }

    /// Everybody's jobs, as fast as each can submit.
    async fn all_at_once(&mut self, report: &mut Report) {
        let before = self.commands().await;
        let started = Instant::now();
        let jobs = usize::from(self.options.jobs);
        let first = self.asked.len();
        let everybody = self.people.iter().enumerate().map(async |(who, person)| {
            let mut asked = Vec::new();
            for n in 0..jobs {
                let graph = self.graph(first + who * jobs + n);
                asked.push(Asked { who, outcome: person.submit(Door::of(n), &graph).await });
            }
            asked
        });
        let asked: Vec<_> = join_all(everybody).await.into_iter().flatten().collect();
        self.wait_for(&asked).await;
        let accepted: Vec<_> = asked.iter().filter_map(|asked| asked.outcome.as_ref().ok()).collect();
        report.figure(
            "submit, everybody at once",
            percentiles(accepted.iter().map(|accepted| accepted.answered - accepted.sent).collect()),
        );
        let took = self.last_end(&asked).map_or(Duration::ZERO, |end| end.saturating_duration_since(started));
        if took > Duration::ZERO {
            #[expect(clippy::cast_precision_loss, reason = "a rate")]
            let rate = accepted.len() as f64 / took.as_secs_f64();
            report.figure(
                "everybody's jobs",
                format!("{} in {:.1} s, {rate:.1} a second", accepted.len(), took.as_secs_f64()),
            );
        }
        if let (Some(before), Some(after), false) = (before, self.commands().await, accepted.is_empty()) {
            #[expect(clippy::cast_precision_loss, reason = "a rate")]
            let each = (after - before) as f64 / accepted.len() as f64;
            report.figure(
                "Redis commands per job",
                format!("{each:.0}, those inside scripts and in between included"),
            );
        }
        if let Some((now, most)) = self.place.process.and_then(resident_kib) {
            let words = format!("{} MB resident, {} MB at its most", now / 1024, most / 1024);
            report.figure("queue-manager's memory", words);
        }
        self.asked.extend(asked);
    }

    /// The same once more with somebody counting what is sent to Redis, one job each; not timed.
    async fn counted(&mut self, report: &mut Report) {
        let Some(socket) = &self.place.redis else { return };
        let Some(onlooker) = Onlooker::start(socket).await else { return };
        let first = self.asked.len();
        let everybody = self.people.iter().enumerate().map(async |(who, person)| Asked {
            who,
            outcome: person.submit(Door::of(who), &self.graph(first + who)).await,
        });
        let asked = join_all(everybody).await;
        self.wait_for(&asked).await;
        let accepted = asked.iter().filter(|asked| asked.outcome.is_ok()).count();
        self.asked.extend(asked);
        let Some(sent) = onlooker.end().await.filter(|_| accepted > 0) else { return };
        #[expect(clippy::cast_precision_loss, reason = "a rate")]
        let each = |times: u32| f64::from(times) / accepted as f64;
        let mut names: Vec<_> = sent.iter().filter(|(name, _)| *name != "monitor").collect();
        names.sort_by_key(|(_, times)| std::cmp::Reverse(**times));
        let most: Vec<_> =
            names.iter().take(6).map(|(name, times)| format!("{name} {:.1}", each(**times))).collect();
        let all = each(names.iter().map(|(_, times)| **times).sum());
        report.figure("sent to Redis per job", format!("{all:.1}: {}", most.join(", ")));
    }

    async fn commands(&self) -> Option<u64> {
        commands(self.place.redis.as_ref()?).await
    }

    async fn wait_for(&self, asked: &[Asked]) {
        let accepted = asked.iter().filter_map(|asked| Some((asked.who, asked.outcome.as_ref().ok()?)));
        join_all(
            accepted
                .map(|(who, accepted)| self.people[who].ear.end_of(accepted.job, self.options.patience())),
        )
        .await;
    }

    fn last_end(&self, asked: &[Asked]) -> Option<Instant> {
        let accepted = asked.iter().filter_map(|asked| Some((asked.who, asked.outcome.as_ref().ok()?)));
        let ends = accepted.filter_map(|(who, accepted)| {
            self.people[who].ear.book().ends(accepted.job).last().map(|heard| heard.at)
        });
        ends.max()
    }

    /// Everybody leaves.
    pub(crate) async fn end(self) {
        if let Some(workers) = self.workers {
            workers.end().await;
        }
        join_all(self.people.iter().map(Participant::sign_out)).await;
    }
}
