//! The line as a whole, which is longer than what a page lists of it.

use std::time::Duration;

use queue_protocol::Lane;

use crate::redis_server::fresh_workshop;
use crate::workshop::{Pinned, Submit, gpu, held, lent, nothing, person, submit};

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn of_a_long_line_everybodys_place_is_known_and_who_waits_longest_and_when_a_new_job_would_start() {
    let broker = fresh_workshop().await;
    broker.configure(None, &[("mode", "priority")]).await.unwrap();
    for _ in 0..3 {
        submit(&broker, &person("ada")).await;
        let claimed = lent(&broker, &gpu("gpu-1")).await;
        let later = broker.at_clock_offset(MINUTE);
        later.finish(&gpu("gpu-1"), held(&claimed), &nothing()).await.unwrap();
    }
    let (zoe, last) = (person("zoe"), person("user040"));
    let oldest = Submit { lane: Lane::Low, ..Submit::of(&zoe) };
    oldest.to(&broker).await;
    let later = broker.at_clock_offset(MINUTE);
    let mut ids = Vec::new();
    for n in 1..=40 {
        ids.push(submit(&later, &person(&format!("user{n:03}"))).await);
    }
    let line = later.lineup(30).await.unwrap();
    let first: Vec<_> = line.first.iter().map(|(job, _)| *job).collect();
    assert_eq!(first, ids[..30]);
    assert!(line.first.iter().map(|(_, place)| place.position).eq(1..=30));
    assert_eq!((line.people[&last], line.people[&zoe]), (40, 41), "none of them is listed");
    assert_eq!(line.oldest, Some(oldest.id), "though it is the last");
    let (soonest, latest) = line.new_job.unwrap();
    assert!(soonest <= 40 * MINUTE && 40 * MINUTE <= latest, "before zoe: {soonest:?} to {latest:?}");
    assert!(soonest > 30 * MINUTE, "{soonest:?}");

    broker.configure(None, &[("mode", "fifo")]).await.unwrap();
    let line = later.lineup(1).await.unwrap();
    assert_eq!((line.first[0].0, line.people[&last]), (oldest.id, 41));
    assert!(line.new_job.unwrap().1 >= 41 * MINUTE, "behind everybody");
}

#[tokio::test]
async fn where_turns_count_a_new_job_starts_before_everybodys_second() {
    let broker = fresh_workshop().await;
    broker.configure(None, &[("mode", "round_robin")]).await.unwrap();
    let (ada, ben) = (person("ada"), person("ben"));
    let workshop = Pinned::of(broker);
    for who in [&ada, &ada, &ada, &ben, &ben] {
        submit(&workshop.at(Duration::ZERO), who).await;
    }
    for n in 0..3 {
        let claimed = lent(&workshop.at(n * MINUTE), &gpu("gpu-1")).await;
        let later = workshop.at((n + 1) * MINUTE);
        later.finish(&gpu("gpu-1"), held(&claimed), &nothing()).await.unwrap();
    }
    // Two wait, one of each, and it is ben's turn in the round that has begun.
    let line = workshop.at(3 * MINUTE).lineup(5).await.unwrap();
    assert_eq!(line.first.len(), 2);
    let (_, latest) = line.new_job.unwrap();
    assert!((MINUTE..2 * MINUTE).contains(&latest), "after ben's and before ada's: {latest:?}");
}
