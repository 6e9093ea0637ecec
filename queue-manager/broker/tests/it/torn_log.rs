//! A log that lost its end, as after a power cut: the store starts, everything adds up, and nothing that was handed out
//! before is handed out again with another meaning.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::DirEntry;
use std::path::Path;
use std::time::Duration;

use futures_util::StreamExt;
use queue_broker::signals::Signal;
use queue_broker::transitions::claim::{Claimed, Lent};
use queue_broker::{Broker, Store};
use queue_protocol::{AccountName, FailureKind, JobId, LeaseToken, WorkerName, Workshop};
use rand::Rng;
use tokio::sync::mpsc;

use crate::listening::listening;
use crate::redis_server::{
    APPENDING, PATIENCE, answers, connection, engine, fresh_name, on_a_socket, open_patiently, rewrite_log,
    socket, written,
};
use crate::workshop::{AT_ONCE, LEASE, Submit, claim, gpu, held, nothing, person, submit};

/// What the world outside has seen: numbers of feeds, and claims with their folders.
#[derive(Default)]
struct Seen {
    numbers: HashSet<(String, String, u64)>,
    claims: HashSet<(JobId, LeaseToken)>,
    last: Option<LeaseToken>,
}

impl Seen {
    /// Everything that was announced until now: a last announcement tells that the others came.
    async fn hear_the_rest(&mut self, broker: &Broker, heard: &mut mpsc::Receiver<Signal>) {
        broker.record_message(None, "the end".to_owned()).await.unwrap();
        loop {
            match heard.recv().await.unwrap() {
                Signal::Message(said) if said.text == "the end" => return,
                signal => self.numbers.extend(numbers(&signal)),
            }
        }
    }

    fn claimed(&mut self, lent: &Lent) {
        self.claims.insert((lent.job, lent.token));
        self.last = self.last.max(Some(lent.token));
    }
}

/// Epoch, feed and number of what was announced.
fn numbers(signal: &Signal) -> Vec<(String, String, u64)> {
    let room = "@room".to_owned();
    match signal {
        Signal::Change { change, room: n, .. } => vec![
            (change.epoch.clone(), change.participant.to_string(), change.n),
            (change.epoch.clone(), room, *n),
        ],
        Signal::Queue(change) => vec![(change.epoch.clone(), room, change.n)],
        _ => Vec::new(),
    }
}

fn random(below: usize) -> usize {
    rand::rng().random_range(0..below)
}

/// A busy minute: jobs come, run, fail, go back, are cancelled, held and retried.
async fn work(broker: &Broker, people: &[AccountName], workers: &[WorkerName], seen: &mut Seen) {
    let mut jobs = Vec::new();
    for _ in 0..150 {
        let who = &people[random(people.len())];
        let worker = &workers[random(workers.len())];
        match random(6) {
            0 | 1 => {
                let front = random(4) == 0;
                let job = Submit { front, ..Submit::of(who) };
                job.to(broker).await;
                jobs.push(job.id);
            }
            2 | 3 => {
                let Claimed::Lent(lent) = claim(broker, worker).await else { continue };
                seen.claimed(&lent);
                let held = held(&lent);
                match random(5) {
                    0 => drop(broker.fail(worker, held, FailureKind::ComfyuiLost, &nothing()).await.unwrap()),
                    1 => drop(broker.release(worker, held).await.unwrap()),
                    2 => drop(broker.renew(worker, held, LEASE).await.unwrap()),
                    _ => drop(broker.finish(worker, held, &nothing()).await.unwrap()),
                }
            }
            4 if !jobs.is_empty() => {
                let job = jobs[random(jobs.len())];
                match random(4) {
                    0 => drop(broker.cancel(job, None, AT_ONCE).await.unwrap()),
                    1 => drop(broker.retry(job, None, JobId::random()).await.unwrap()),
                    _ => drop(broker.hold(job, None, random(2) == 0).await.unwrap()),
                }
            }
            _ => {
                let mode = ["fifo", "round_robin", "fair", "priority"][random(4)];
                broker.configure(None, &[("mode", mode)]).await.unwrap();
            }
        }
    }
}

/// The log as it is on the disk at some moment.
struct Log {
    files: Vec<(OsString, Vec<u8>)>,
    /// The one that was appended to.
    growing: usize,
}

impl Log {
    fn copy(server: &Path) -> Self {
        let folder = std::fs::read_dir(server.join("appendonlydir")).unwrap();
        let file = |entry: DirEntry| (entry.file_name(), std::fs::read(entry.path()).unwrap());
        let mut files: Vec<_> = folder.map(|entry| file(entry.unwrap())).collect();
        files.sort();
        let growing =
            files.iter().rposition(|(name, _)| name.to_string_lossy().ends_with(".incr.aof")).unwrap();
        assert!(files[growing].1.len() > 10_000, "a log worth cutting");
        Self { files, growing }
    }

    /// The same with an end missing.
    fn write_torn(&self, server: &Path) {
        let folder = server.join("appendonlydir");
        std::fs::create_dir_all(&folder).unwrap();
        for (at, (name, bytes)) in self.files.iter().enumerate() {
            let kept = if at == self.growing { random(bytes.len()) } else { bytes.len() };
            std::fs::write(folder.join(name), &bytes[..kept]).unwrap();
        }
    }
}

#[tokio::test]
async fn after_a_torn_log_everything_adds_up_and_nothing_is_given_out_twice() {
    let folder = tempfile::tempdir().unwrap();
    let _server = on_a_socket(folder.path(), &APPENDING);
    let workshop = fresh_name();
    let broker = open_patiently(&Store::Socket(socket(folder.path())), &workshop).await;
    let mut heard = listening(&broker).await;
    let (people, workers) = (["ada", "ben", "cam"].map(person), ["gpu-1", "gpu-2", "gpu-3"].map(gpu));
    let (mut seen, mut logs) = (Seen::default(), Vec::new());
    for _ in 0..2 {
        work(&broker, &people, &workers, &mut seen).await;
        written(&mut connection(folder.path()));
        logs.push(Log::copy(folder.path()));
        // The next log stands on a base file with what this one says.
        rewrite_log(folder.path());
    }
    seen.hear_the_rest(&broker, &mut heard).await;
    assert!(seen.claims.len() > 30 && seen.numbers.len() > 300, "a busy room");

    // What is cut off a log is also what was not written yet at an earlier moment, so few logs are many moments.
    let cuts = engine::histories().min(200);
    futures_util::stream::iter(0..cuts as usize)
        .for_each_concurrent(4, |cut| live_on(&logs[cut % logs.len()], &workshop, &seen))
        .await;
}

/// A server starts on what is left of the log, and the first one who comes does not wait for anybody to open it.
async fn live_on(log: &Log, workshop: &Workshop, seen: &Seen) {
    let folder = tempfile::tempdir().unwrap();
    log.write_torn(folder.path());
    let _server = on_a_socket(folder.path(), &APPENDING);
    while tokio::net::UnixStream::connect(socket(folder.path())).await.is_err() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let broker = Broker::patient(&Store::Socket(socket(folder.path())), workshop, PATIENCE).unwrap();
    answers(&broker).await;
    let mut heard = listening(&broker).await;

    for name in ["ada", "eve"] {
        let who = person(name);
        let place = broker.feed_position(Some(&who)).await.unwrap();
        assert!(!seen.numbers.contains(&(place.epoch, name.to_owned(), place.n)), "a snapshot");
        submit(&broker, &who).await;
    }
    let Claimed::Lent(lent) = claim(&broker, &gpu("gpu-4")).await else { panic!("a job") };
    assert!(Some(lent.token) > seen.last, "{} after {:?}", lent.token, seen.last);
    assert!(!seen.claims.contains(&(lent.job, lent.token)), "a folder of files");
    let mut after = Seen::default();
    after.hear_the_rest(&broker, &mut heard).await;
    assert!(after.numbers.len() >= 6);
    assert_eq!(after.numbers.intersection(&seen.numbers).next(), None, "a number with another meaning");

    open_patiently(&Store::Socket(socket(folder.path())), workshop).await;
    assert_eq!(broker.recount().await.unwrap(), Vec::<String>::new());
}
