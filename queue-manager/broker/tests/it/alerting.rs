//! Alerts: what begins one, what ends it, and that each is sent by one.

use std::time::Duration;

use queue_broker::Broker;
use queue_broker::transitions::claim::Forgotten;
use queue_broker::transitions::drain::WorkerOrder;
use queue_broker::transitions::watch::Patience;
use queue_protocol::api::AlertKind;

use crate::redis_server::fresh_workshop;
use crate::workshop::{claim_as, gpu, heard_of, held, here, lent, nothing, person, submit};

const MINUTE: Duration = Duration::from_secs(60);
const PATIENCE: Patience = Patience { worker: MINUTE, claim: Duration::from_secs(600), calm: MINUTE };

async fn watch(broker: &Broker) -> Vec<String> {
    broker.watch(PATIENCE, &[], true).await.unwrap();
    broker.alerts().await.unwrap().into_iter().map(|alert| alert.id).collect()
}

#[tokio::test]
async fn a_worker_that_is_not_heard_of_is_lost_until_it_is_back_and_one_that_leaves_is_not() {
    let broker = fresh_workshop().await;
    for name in ["gpu-1", "gpu-2", "gpu-3"] {
        here(&broker, &gpu(name), &[1]).await;
    }
    heard_of(&broker, &gpu("gpu-2"), &[("unready", "leaving".to_owned())]).await;
    broker.order_worker(&gpu("gpu-3"), WorkerOrder::Drain).await.unwrap();
    assert!(watch(&broker).await.is_empty());
    let later = broker.at_clock_offset(MINUTE * 2);
    assert_eq!(watch(&later).await, ["worker_lost:gpu-1"]);
    assert_eq!(later.watch(PATIENCE, &[], true).await.unwrap(), 0, "it begins once");
    here(&later, &gpu("gpu-1"), &[1]).await;
    assert!(watch(&later).await.is_empty());
}

#[tokio::test]
async fn a_queue_is_stuck_when_somebody_could_claim_and_nobody_does() {
    let broker = fresh_workshop().await;
    let at = |minutes: u32| broker.at_clock_offset(MINUTE * minutes);
    let stands = async |minutes: u32| {
        // The worker says all the time that it is here.
        here(&at(minutes), &gpu("gpu-1"), &[1]).await;
        watch(&at(minutes)).await == ["queue_stuck"]
    };
    assert!(!stands(0).await, "nothing waits");
    submit(&broker, &person("ada")).await;
    assert!(!stands(1).await && !stands(10).await, "not for ten minutes yet");
    assert!(stands(11).await);
    assert_eq!(at(11).alerts().await.unwrap()[0].detail, "10");
    broker.configure(None, &[("paused", "1")]).await.unwrap();
    assert!(!stands(13).await, "a pause is meant");
    broker.configure(None, &[("paused", "0")]).await.unwrap();
    assert!(!stands(14).await && stands(25).await);
    let claimed = claim_as(&at(26), &gpu("gpu-1"), &[1], Forgotten::No).await;
    assert!(!stands(28).await, "what waited runs: {claimed:?}");
}

#[tokio::test]
async fn a_long_film_is_no_standstill_while_it_goes_on_and_is_one_when_it_does_not() {
    let broker = fresh_workshop().await;
    submit(&broker, &person("ada")).await;
    let film = lent(&broker, &gpu("gpu-1")).await;
    submit(&broker, &person("ben")).await;
    let step = |value| queue_protocol::api::Step { node: "KSampler".to_owned(), value, max: 90 };
    for minute in 1..=30 {
        let at = broker.at_clock_offset(MINUTE * minute);
        here(&at, &gpu("gpu-1"), &[1, 2, 3]).await;
        at.progress(&gpu("gpu-1"), held(&film), &step(minute.into())).await.unwrap();
        assert!(watch(&at).await.is_empty(), "minute {minute}");
    }
    for (minute, stuck) in [(35, false), (41, false), (52, true)] {
        let at = broker.at_clock_offset(MINUTE * minute);
        here(&at, &gpu("gpu-1"), &[1, 2, 3]).await;
        assert_eq!(watch(&at).await == ["queue_stuck"], stuck, "minute {minute}");
    }
    broker.finish(&gpu("gpu-1"), held(&film), &nothing()).await.unwrap();
}

#[tokio::test]
async fn a_parked_job_is_an_alert_until_somebody_has_dealt_with_it() {
    let broker = fresh_workshop().await;
    watch(&broker).await;
    let job = submit(&broker, &person("ada")).await;
    let claimed = lent(&broker, &gpu("gpu-1")).await;
    // What says that the worker has the job, and is to blame for what follows.
    broker.renew(&gpu("gpu-1"), held(&claimed), MINUTE).await.unwrap();
    for _ in 0..3 {
        claim_as(&broker, &gpu("gpu-1"), &[1], Forgotten::Yes).await;
    }
    assert_eq!(watch(&broker).await, [format!("job_parked:{job}")]);
    broker.dismiss(&[job]).await.unwrap();
    assert!(watch(&broker).await.is_empty());
}

#[tokio::test]
async fn what_only_the_caller_sees_is_one_alert_though_it_comes_and_goes() {
    let broker = fresh_workshop().await;
    let full = [(AlertKind::DiskNearlyFull, "1.2".to_owned())];
    assert_eq!(broker.watch(PATIENCE, &full, false).await.unwrap(), 1);
    assert_eq!(broker.watch(PATIENCE, &[], false).await.unwrap(), 0);
    assert_eq!(broker.watch(PATIENCE, &full, false).await.unwrap(), 0, "it is still the same one");
    assert!(broker.take_alert(MINUTE).await.unwrap().is_none(), "there is nobody to send it to");
    let later = broker.at_clock_offset(MINUTE * 2);
    assert!(watch(&later).await.is_empty());
}

#[tokio::test]
async fn an_alert_is_sent_by_one_and_again_under_the_same_name() {
    let broker = fresh_workshop().await;
    let full = [(AlertKind::DiskNearlyFull, "1.2".to_owned())];
    let looks = (0..10).map(|_| broker.watch(PATIENCE, &full, true));
    let began: u64 = futures_util::future::join_all(looks).await.into_iter().map(Result::unwrap).sum();
    assert_eq!(began, 1);
    let ten = (0..10).map(|_| broker.take_alert(MINUTE));
    let answers = futures_util::future::join_all(ten).await;
    let taken: Vec<_> = answers.into_iter().filter_map(Result::unwrap).collect();
    assert_eq!(taken.len(), 1, "one of ten has it");
    let first = &taken[0];
    assert_eq!((first.tries, first.alert.kind), (1, AlertKind::DiskNearlyFull));
    broker.send_alert_later(&first.message, MINUTE).await.unwrap();
    assert!(broker.take_alert(MINUTE).await.unwrap().is_none());
    let again =
        broker.at_clock_offset(MINUTE + Duration::from_secs(1)).take_alert(MINUTE).await.unwrap().unwrap();
    assert_eq!((&again.message, again.tries), (&first.message, 2));
    // Whoever had it is gone.
    let third = broker.at_clock_offset(MINUTE * 3).take_alert(MINUTE).await.unwrap().unwrap();
    assert_eq!((&third.message, third.tries), (&first.message, 3));
    broker.alert_sent(&third.message).await.unwrap();
    assert!(broker.at_clock_offset(MINUTE * 60).take_alert(MINUTE).await.unwrap().is_none());
}
