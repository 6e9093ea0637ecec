//! Ageing, retention, counting from scratch, and positions against what then really happens.

use std::time::Duration;

use queue_broker::jobs::StoredJob;
use queue_broker::transitions::record::{Deed, OWN_DEEDS};
use queue_broker::{Broker, BrokerError};
use queue_protocol::api::AuditEntry;
use queue_protocol::{JobId, JobState, Lane, Mode, Reason, timings};

use crate::redis_server::{RedisServer, fresh_workshop};
use crate::workshop::{AT_ONCE, Submit, gpu, held, lent, nothing, person, submit};

#[tokio::test]
async fn who_waits_long_moves_up_a_lane_and_never_into_the_instructors() {
    let broker = fresh_workshop().await;
    broker.configure(None, &[("mode", "priority")]).await.unwrap();
    let ada = person("ada");
    let low = Submit { lane: Lane::Low, ..Submit::of(&ada) };
    low.to(&broker).await;
    let mut lanes = Vec::new();
    for round in 0..4 {
        let later = broker.at_clock_offset((timings::AGEING + Duration::from_secs(1)) * round);
        later.age().await.unwrap();
        lanes.push(broker.job(low.id).await.unwrap().unwrap().lane);
    }
    assert_eq!(lanes, [Lane::Low, Lane::Normal, Lane::High, Lane::High]);
    assert_eq!(broker.recount().await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn lanes_are_served_in_order_in_priority_mode_only() {
    let broker = fresh_workshop().await;
    let people = ["ada", "ben", "cam", "dot"].map(person);
    let lanes = [Lane::Low, Lane::Normal, Lane::High, Lane::Instructor];
    let mut ids = Vec::new();
    for (who, lane) in people.iter().zip(lanes) {
        let job = Submit { lane, ..Submit::of(who) };
        job.to(&broker).await;
        ids.push(job.id);
    }
    assert_eq!(broker.positions(&ids).await.unwrap(), [Some(2), Some(3), Some(4), Some(1)], "fifo");
    broker.configure(None, &[("mode", "priority")]).await.unwrap();
    assert_eq!(broker.positions(&ids).await.unwrap(), [Some(4), Some(3), Some(2), Some(1)]);
    for expected in ids.iter().rev() {
        assert_eq!(lent(&broker, &gpu(&format!("gpu-{expected}")[..12])).await.job, *expected);
    }
}

#[tokio::test]
async fn records_of_ended_jobs_are_purged_oldest_first_and_totals_stay() {
    let broker = fresh_workshop().await;
    let mut ids = Vec::new();
    for nth in 0..5 {
        ids.push(submit(&broker, &person("ada")).await);
        let claimed = lent(&broker, &gpu("gpu-1")).await;
        // Each ends at a time of its own: within one ms neither is the older one.
        let later = broker.at_clock_offset(Duration::from_secs(nth));
        later.finish(&gpu("gpu-1"), held(&claimed), &nothing()).await.unwrap();
    }
    let waiting = submit(&broker, &person("ada")).await;
    broker.configure(None, &[("keep_ended", "2")]).await.unwrap();
    assert_eq!(broker.purge().await.unwrap(), 3);
    let left: Vec<_> = broker.jobs(&ids).await.unwrap().into_iter().map(|job| job.id).collect();
    assert_eq!(left, ids[3..]);
    assert_eq!(broker.at_clock_offset(timings::KEEP_ENDED + timings::LEASE).purge().await.unwrap(), 2);
    assert_eq!(broker.status().await.unwrap().completed_jobs, 5);
    assert_eq!(broker.recount().await.unwrap(), Vec::<String>::new());
    assert_eq!(broker.job(waiting).await.unwrap().unwrap().state, JobState::Pending, "never what waits");
}

async fn one_ended(broker: &Broker, who: &str, nth: u64) -> JobId {
    let id = submit(broker, &person(who)).await;
    broker.at_clock_offset(Duration::from_secs(nth)).cancel(id, None, AT_ONCE).await.unwrap();
    id
}

#[tokio::test]
async fn a_flood_of_one_takes_nobody_elses_records() {
    let broker = fresh_workshop().await;
    broker.configure(None, &[("keep_ended", "10")]).await.unwrap();
    let (mut bens, mut adas) = (Vec::new(), Vec::new());
    for nth in 0..4 {
        bens.push(one_ended(&broker, "ben", nth).await);
    }
    for nth in 4..40 {
        adas.push(one_ended(&broker, "ada", nth).await);
        broker.purge().await.unwrap();
    }
    assert_eq!(broker.jobs(&bens).await.unwrap().len(), 4, "he has what he had");
    let left: Vec<_> = broker.jobs(&adas).await.unwrap().into_iter().map(|job| job.id).collect();
    assert_eq!(left, adas[30..], "the newest six of hers");
    // The same by bytes: a record takes at least one kilobyte.
    broker.configure(None, &[("keep_ended_bytes", "7000")]).await.unwrap();
    broker.purge().await.unwrap();
    let [bens, adas] = [broker.jobs(&bens).await.unwrap().len(), broker.jobs(&adas).await.unwrap().len()];
    assert!((2..=4).contains(&bens) && (2..=4).contains(&adas) && bens + adas <= 6, "{bens} and {adas}");
    assert_eq!(broker.recount().await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn a_full_store_refuses_new_jobs_and_ends_those_it_has() {
    let server = RedisServer::start();
    let broker = server.workshop().await;
    let ada = person("ada");
    let (first, second) = (submit(&broker, &ada).await, submit(&broker, &ada).await);
    let claimed = lent(&broker, &gpu("gpu-1")).await;
    assert_eq!(claimed.job, first);
    server.set("maxmemory", "1").await;
    let refused = Submit::of(&ada).try_to(&broker).await;
    assert!(matches!(refused, Err(BrokerError::Full(_))), "{refused:?}");
    broker.renew(&gpu("gpu-1"), held(&claimed), timings::LEASE).await.unwrap();
    broker.finish(&gpu("gpu-1"), held(&claimed), &nothing()).await.unwrap();
    broker.cancel(second, None, AT_ONCE).await.unwrap();
    broker.configure(None, &[("keep_ended", "1")]).await.unwrap();
    assert_eq!(broker.purge().await.unwrap(), 1, "and it makes room");
    broker.reap(timings::LEASE).await.unwrap();
    server.set("maxmemory", "0").await;
    submit(&broker, &ada).await;
    assert_eq!(broker.recount().await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn a_recount_names_what_does_not_add_up() {
    let server = RedisServer::start();
    let broker = server.workshop().await;
    submit(&broker, &person("ada")).await;
    assert_eq!(broker.recount().await.unwrap(), Vec::<String>::new());
    server.spoil("HINCRBY", ":counts", &["pending", "7"]).await;
    let complaints = broker.recount().await.unwrap().join("\n");
    assert!(complaints.contains("the count of pending is off by 7"), "{complaints}");
}

/// Positions are a promise about turns: if nothing changed, jobs would start in just that order.
#[tokio::test]
async fn positions_are_the_order_in_which_jobs_then_start() {
    for mode in Mode::ALL {
        let broker = fresh_workshop().await;
        broker.configure(None, &[("mode", mode.word())]).await.unwrap();
        let mut ids = Vec::new();
        for (who, jobs) in [("ada", 7), ("ben", 1), ("cam", 3)] {
            for _ in 0..jobs {
                ids.push(submit(&broker, &person(who)).await);
            }
        }
        for who in ["dot", "ben", "ada"] {
            ids.push(submit(&broker, &person(who)).await);
            let claimed = lent(&broker, &gpu("gpu-1")).await;
            ids.retain(|id| *id != claimed.job);
            broker.finish(&gpu("gpu-1"), held(&claimed), &nothing()).await.unwrap();
        }
        // In fair mode a job of a known class costs what the last ones took, which here is next to nothing.
        let mut expected = ids.clone();
        let positions = broker.positions(&ids).await.unwrap();
        expected.sort_by_key(|id| positions[ids.iter().position(|other| other == id).unwrap()]);
        if mode == Mode::Fair {
            continue;
        }
        let mut started = Vec::new();
        for _ in 0..ids.len() {
            let claimed = lent(&broker, &gpu("gpu-1")).await;
            started.push(claimed.job);
            broker.finish(&gpu("gpu-1"), held(&claimed), &nothing()).await.unwrap();
        }
        assert_eq!(started, expected, "{mode:?}");
    }
}

#[tokio::test]
async fn a_held_job_is_cancelled_like_any_other() {
    let broker = fresh_workshop().await;
    let job = submit(&broker, &person("ada")).await;
    broker.hold(job, None, true).await.unwrap();
    assert_eq!(broker.job(job).await.unwrap().unwrap().reason, Some(Reason::Held));
    broker.cancel(job, None, AT_ONCE).await.unwrap();
    assert_eq!(broker.recount().await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn journals_number_what_they_keep_and_page_backwards() {
    let broker = fresh_workshop().await;
    let teacher = person("teacher");
    for n in 0..5 {
        let deed = Deed { what: "queue.change".to_owned(), after: n.to_string(), ..Deed::default() };
        broker.record_deed(&teacher, deed).await.unwrap();
    }
    let page = broker.audit(None, 2).await.unwrap();
    assert_eq!(page.iter().map(|entry| entry.id).collect::<Vec<_>>(), [5, 4]);
    let next = broker.audit(Some(page[1].id), 10).await.unwrap();
    assert_eq!(next.iter().map(|entry| entry.after.as_str()).collect::<Vec<_>>(), ["2", "1", "0"]);
    let said = broker.record_message(Some(person("ada")), "Look here.".to_owned()).await.unwrap();
    assert_eq!(broker.messages().await.unwrap(), [said]);
}

#[tokio::test]
async fn nobody_pushes_out_of_the_audit_log_what_was_done_to_others() {
    let broker = fresh_workshop().await;
    let deed = |what: &str, n: usize| Deed { what: what.to_owned(), after: n.to_string(), ..Deed::default() };
    broker.record_deed(&person("teacher"), deed("queue.clear", 0)).await.unwrap();
    broker.record_own_deed(&person("ben"), deed("account.token", 0)).await.unwrap();
    for n in 0..OWN_DEEDS + 5 {
        broker.record_own_deed(&person("ada"), deed("account.token", n)).await.unwrap();
    }
    let log = broker.audit(None, 100).await.unwrap();
    assert_eq!(log.len(), OWN_DEEDS + 2);
    let of = |entry: &AuditEntry| (entry.who.to_string(), entry.after.clone());
    let last = log[OWN_DEEDS - 1..].iter().map(of).collect::<Vec<_>>();
    let kept = [("ada", "5"), ("ben", "0"), ("teacher", "0")];
    assert_eq!(last, kept.map(|(who, after)| (who.to_owned(), after.to_owned())));
}

#[tokio::test]
async fn jobs_page_backwards_by_arrival_for_one_and_for_all() {
    let broker = fresh_workshop().await;
    let (ada, ben) = (person("ada"), person("ben"));
    let mut ids = Vec::new();
    for who in [&ada, &ben, &ada, &ada] {
        ids.push(submit(&broker, who).await);
    }
    let page = broker.jobs_before(None, None, 2).await.unwrap();
    assert_eq!(page.iter().map(|(_, job)| job.id).collect::<Vec<_>>(), [ids[3], ids[2]]);
    let rest = broker.jobs_before(Some(&ada), Some(page[1].0), 10).await.unwrap();
    assert_eq!(rest.iter().map(|(_, job)| job.id).collect::<Vec<_>>(), [ids[0]]);
}

#[tokio::test]
async fn what_waits_or_runs_is_listed_however_much_came_and_went_after_it() {
    let broker = fresh_workshop().await;
    let ada = person("ada");
    let running = submit(&broker, &ada).await;
    assert_eq!(lent(&broker, &gpu("gpu-1")).await.job, running);
    let waiting = submit(&broker, &ada).await;
    let mut ended = Vec::new();
    for nth in 0..301 {
        ended.push(one_ended(&broker, "ada", nth).await);
    }
    let ids = |jobs: Vec<StoredJob>| jobs.into_iter().map(|job| job.id).collect::<Vec<_>>();
    assert_eq!(ids(broker.jobs_of(&ada, 1).await.unwrap()), [ended[300], waiting, running]);
    assert_eq!(ids(broker.outstanding_jobs(&ada).await.unwrap()), [waiting, running]);
    assert_eq!(ids(broker.jobs_of_the_room(1).await.unwrap()), [running, ended[300], waiting]);
    broker.hide(&ada, &ended[300..]).await.unwrap();
    assert_eq!(ids(broker.jobs_of(&ada, 2).await.unwrap()), [ended[299], waiting, running]);
}
