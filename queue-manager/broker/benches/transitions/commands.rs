//! What each transition sends and what its script does in Redis, as `MONITOR` saw it.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::StreamExt;
use queue_protocol::Mode;

use crate::room::{Room, Watch};
use crate::timing::{Call, Timings};
use crate::workflow::Style;
use crate::{Size, bodies};

const ROUNDS: u32 = 50;

/// Counts of one call: those sent from here, and those of its script by name.
#[derive(Default)]
struct Counted {
    sent: u32,
    inside: BTreeMap<String, u32>,
}

pub async fn print(size: Size) {
    let ten = bodies(Style::Plain, 10_000);
    println!("\nCommands per call, 20 participants, 1000 waiting, workflows of 10 KB");
    for mode in Mode::ALL {
        let mut room = Room::empty(20, size.appendonly).await;
        room.fill(1_003, |n| Some(&ten[n % ten.len()])).await;
        room.start_workers().await;
        room.set_mode(mode).await;
        let mut of_a_job = 0.0;
        for (call, counted) in count(&mut room, &ten).await {
            let inside = f64::from(counted.inside.values().sum::<u32>()) / f64::from(ROUNDS);
            let sent = f64::from(counted.sent) / f64::from(ROUNDS);
            if matches!(call, Call::Submit | Call::Claim | Call::Finish) {
                of_a_job += inside;
                assert!(counted.sent == ROUNDS, "{} took {sent} round trips", call.name());
            }
            let mut names: Vec<_> = counted.inside.into_iter().collect();
            names.sort_by_key(|(_, times)| std::cmp::Reverse(*times));
            let names = names
                .iter()
                .map(|(name, times)| format!("{name} {:.1}", f64::from(*times) / f64::from(ROUNDS)));
            let most: Vec<_> = names.take(8).collect();
            println!(
                "{:12}{:22} round trips {sent:.1}, commands {inside:5.1}: {}",
                mode.word(),
                call.name(),
                most.join(", ")
            );
        }
        println!("{:12}{:22} commands {of_a_job:.1}", mode.word(), "a job");
    }
}

/// Rounds under `MONITOR`. Marks between the calls tell which commands belong to which.
async fn count(room: &mut Room, bodies: &[Vec<u8>]) -> Vec<(Call, Counted)> {
    // The first use of a script loads it.
    let mut unused = Timings::default();
    let mut watch = Watch { timings: &mut unused, ask_redis: false, ten_kilobytes: &bodies[0] };
    room.round(&bodies[0], &mut watch).await;
    let mut monitor = room.engine.client().get_async_monitor().await.unwrap();
    let mut lines = monitor.on_message::<String>();
    let mut counts = BTreeMap::<usize, Counted>::new();
    for n in 0..ROUNDS {
        let body = &bodies[n as usize % bodies.len()];
        let mut watch = Watch { timings: &mut unused, ask_redis: true, ten_kilobytes: &bodies[0] };
        room.round(body, &mut watch).await;
        redis::cmd("ECHO").arg("the end of a round").query_async::<()>(&mut room.bare).await.unwrap();
        // A round asks INFO before and after each call, in the order of the round.
        let order =
            [Call::Ping, Call::Set, Call::Script, Call::Submit, Call::SubmitFirst, Call::Finish, Call::Claim];
        let mut infos = 0;
        loop {
            let line = tokio::time::timeout(Duration::from_secs(10), lines.next()).await.unwrap().unwrap();
            let (source, command) = line.split_once("] \"").unwrap();
            let name = command.split('"').next().unwrap().to_lowercase();
            let of_a_script = source.ends_with("lua");
            match name.as_str() {
                "echo" => break,
                "info" if !of_a_script => infos += 1,
                // Between two calls: the cancel that keeps the queue as long as it was.
                _ if infos % 2 == 0 => {}
                _ => {
                    let counted = counts.entry(order[infos / 2] as usize).or_default();
                    if of_a_script {
                        *counted.inside.entry(name).or_default() += 1;
                    } else {
                        counted.sent += 1;
                    }
                }
            }
        }
    }
    counts.into_iter().filter_map(|(at, counted)| Some((*Call::ALL.get(at)?, counted))).skip(3).collect()
}
