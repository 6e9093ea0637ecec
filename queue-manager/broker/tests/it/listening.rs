//! Announcements: numbered without a gap, in the owner's feed and in the room's.

use std::cell::Cell;

use queue_broker::Broker;
use queue_broker::frames::{ExecutionFrame, Payload, Place};
use queue_broker::signals::Signal;
use queue_protocol::{ClientId, JobState, Lane, LeaseToken, Reason, limits};
use tokio::sync::mpsc;

use crate::redis_server::fresh_workshop;
use crate::workshop::{AT_ONCE, Submit, claim, gpu, held, here, kind, lent, needs, nothing, person, submit};

pub async fn listening(broker: &Broker) -> mpsc::Receiver<Signal> {
    let (sender, mut heard) = mpsc::channel(64);
    let listener = broker.clone();
    #[expect(clippy::disallowed_methods, reason = "ends with the test's runtime")]
    tokio::spawn(async move { listener.listen(sender).await });
    assert_eq!(heard.recv().await, Some(Signal::Listening));
    heard
}

#[tokio::test]
async fn every_transition_is_announced_with_the_next_number() {
    let broker = fresh_workshop().await;
    here(&broker, &gpu("gpu-1"), &[1, 2, 3]).await;
    let mut heard = listening(&broker).await;
    let job = submit(&broker, &person("ada")).await;
    let claimed = lent(&broker, &gpu("gpu-1")).await;
    broker.finish(&gpu("gpu-1"), held(&claimed), &nothing()).await.unwrap();
    submit(&broker, &person("ben")).await;
    let mut seen = Vec::new();
    while seen.len() < 4 {
        let Some(Signal::Change { change, room, .. }) = heard.recv().await else {
            continue;
        };
        seen.push((change.participant.to_string(), change.n, room, change.state, change.job == job));
    }
    let (ada, ben) = ("ada".to_owned(), "ben".to_owned());
    assert_eq!(
        seen,
        [
            (ada.clone(), 1, 2, JobState::Pending, true),
            (ada.clone(), 2, 3, JobState::Running, true),
            (ada, 3, 4, JobState::Completed, true),
            (ben, 1, 5, JobState::Pending, false),
        ]
    );
}

#[tokio::test]
async fn a_change_of_place_says_that_nothing_else_changed() {
    let broker = fresh_workshop().await;
    let (ada, lost) = (person("ada"), submit(&broker, &person("ada")).await);
    let claimed = lent(&broker, &gpu("gpu-1")).await;
    let film = Submit { needs: 2, ..Submit::of(&ada) };
    film.to(&broker).await;
    broker.teach(&kind(&[1, 2, 3]), &[(needs(2).id, false)]).await.unwrap();
    let mut heard = listening(&broker).await;
    broker.release(&gpu("gpu-1"), held(&claimed)).await.unwrap();
    broker.move_to(lost, Some(&ada), 0).await.unwrap();
    for id in [lost, film.id] {
        broker.prioritise(id, Lane::High).await.unwrap();
    }
    let again = lent(&broker, &gpu("gpu-1")).await;
    broker.release(&gpu("gpu-1"), held(&again)).await.unwrap();
    let mut seen = Vec::new();
    while seen.len() < 6 {
        if let Some(Signal::Change { change, as_before, .. }) = heard.recv().await {
            seen.push((change.job == lost, change.reason, as_before));
        }
    }
    let (released, on_hold) = (Some(Reason::Released), Some(Reason::OnHold));
    assert_eq!(
        seen,
        [
            (true, released, false),
            (true, released, true),
            (true, released, true),
            (false, on_hold, true),
            (true, None, false),
            (true, released, false),
        ]
    );
}

#[tokio::test]
async fn a_submit_wakes_one_idle_worker() {
    let broker = fresh_workshop().await;
    let mut heard = listening(&broker).await;
    claim(&broker, &gpu("gpu-1")).await;
    claim(&broker, &gpu("gpu-2")).await;
    broker.teach(&kind(&[1, 2, 3]), &[(needs(1).id, true)]).await.unwrap();
    submit(&broker, &person("ada")).await;
    let mut woken = Vec::new();
    loop {
        match heard.recv().await.unwrap() {
            Signal::Wake(worker) => woken.push(worker),
            Signal::Change { .. } => break,
            _ => {}
        }
    }
    assert_eq!(woken.len(), 1);
}

#[tokio::test]
async fn a_cancel_names_the_worker_and_the_claim() {
    let broker = fresh_workshop().await;
    let ada = person("ada");
    submit(&broker, &ada).await;
    let claimed = lent(&broker, &gpu("gpu-1")).await;
    let mut heard = listening(&broker).await;
    broker.cancel(claimed.job, Some(&ada), AT_ONCE).await.unwrap();
    loop {
        if let Signal::Cancel(worker, lease) = heard.recv().await.unwrap() {
            assert_eq!((worker, lease), (gpu("gpu-1"), held(&claimed)));
            break;
        }
    }
}

fn place(number: u64) -> Place {
    Place { token: LeaseToken(7), number }
}

#[tokio::test]
async fn a_kept_message_waits_for_its_tab_and_for_no_other() {
    let broker = fresh_workshop().await;
    let tab = "tab-1".parse().unwrap();
    let mut frame = ExecutionFrame {
        number: None,
        participant: person("ada"),
        client: Some(tab),
        job: submit(&broker, &person("ada")).await,
        payload: Payload::Text(r#"{"type":"executed"}"#.to_owned()),
    };
    broker.publish(&frame, Some(place(1))).await.unwrap();
    let tab = frame.client.clone().unwrap();
    assert_eq!(broker.missed(&person("ben"), &tab).await.unwrap(), []);
    let waiting = broker.missed(&person("ada"), &tab).await.unwrap();
    frame.number = waiting[0].number;
    assert_eq!(waiting[0], frame);
    assert_eq!(waiting.len(), 1);
    broker.delivered(&person("ada"), &tab, frame.job, frame.number.unwrap()).await.unwrap();
    assert_eq!(broker.missed(&person("ada"), &tab).await.unwrap(), []);
}

#[tokio::test]
async fn of_what_waits_for_a_tab_only_what_it_has_of_one_job_goes() {
    let broker = fresh_workshop().await;
    let (ada, tab) = (person("ada"), "tab-1".parse().unwrap());
    let (first, second) = (submit(&broker, &ada).await, submit(&broker, &ada).await);
    let said = [(first, "a"), (second, "b"), (first, "a's end"), (second, "c"), (first, "a again")];
    for (number, (job, text)) in (1..).zip(said) {
        let payload = Payload::Text(text.to_owned());
        let client = Some(ClientId::clone(&tab));
        let frame = ExecutionFrame { number: None, participant: ada.clone(), client, job, payload };
        broker.publish(&frame, Some(place(number))).await.unwrap();
    }
    let end = broker.missed(&ada, &tab).await.unwrap()[2].number.unwrap();
    for _ in 0..2 {
        broker.delivered(&ada, &tab, first, end).await.unwrap();
        let left = broker.missed(&ada, &tab).await.unwrap().into_iter().map(|frame| frame.payload);
        assert!(left.eq(["b", "c", "a again"].map(|text| Payload::Text(text.to_owned()))));
    }
}

#[tokio::test]
async fn a_kept_message_has_one_number_wherever_it_is_met_and_is_not_kept_again_when_it_is_sent_again() {
    let broker = fresh_workshop().await;
    let (ada, tab) = (person("ada"), "tab-1".parse().unwrap());
    let job = submit(&broker, &ada).await;
    let mut heard = listening(&broker).await;
    let said =
        [(1, "first"), (2, "second"), (1, "first"), (2, "second"), (3, "second"), (5, "last"), (4, "late")];
    for (number, text) in said {
        let payload = Payload::Text(text.to_owned());
        let frame = ExecutionFrame {
            number: None,
            participant: ada.clone(),
            client: Some(ClientId::clone(&tab)),
            job,
            payload,
        };
        broker.publish(&frame, Some(place(number))).await.unwrap();
    }
    let waiting = broker.missed(&ada, &tab).await.unwrap();
    let mut published = Vec::new();
    while published.len() < waiting.len() {
        if let Signal::Frame(frame) = heard.recv().await.unwrap() {
            published.push(frame);
        }
    }
    assert_eq!(published, waiting);
    let texts: Vec<_> = waiting.iter().map(|frame| frame.payload.clone()).collect();
    assert_eq!(texts, ["first", "second", "second", "last"].map(|text| Payload::Text(text.to_owned())));
    assert!(waiting.is_sorted_by(|one, next| one.number.unwrap() < next.number.unwrap()));
}

#[tokio::test]
async fn a_worker_that_goes_on_with_its_claim_is_told_what_it_has_said() {
    let broker = fresh_workshop().await;
    let (ada, worker) = (person("ada"), gpu("gpu-1"));
    let job = submit(&broker, &ada).await;
    let first = lent(&broker, &worker).await;
    let client = Some("tab-1".parse().unwrap());
    let payload = Payload::Text("halfway".to_owned());
    let frame = ExecutionFrame { number: None, participant: ada, client, job, payload };
    broker.publish(&frame, Some(Place { token: first.token, number: 12 })).await.unwrap();
    let again = lent(&broker, &worker).await;
    assert_eq!((first.said, again.said, again.token), (0, 12, first.token));
}

#[tokio::test]
async fn what_waits_for_tabs_that_are_away_has_a_limit_and_the_newest_stays() {
    let broker = fresh_workshop().await;
    let (ada, job) = (person("ada"), submit(&broker, &person("ada")).await);
    let said = Cell::new(0);
    let send = async |tab: &str, text: String| {
        said.set(said.get() + 1);
        let payload = Payload::Text(text);
        let client = Some(tab.parse().unwrap());
        broker
            .publish(
                &ExecutionFrame { number: None, participant: ada.clone(), client, job, payload },
                Some(place(said.get())),
            )
            .await
            .unwrap();
    };
    let waits = async |tab: &str| broker.missed(&ada, &tab.parse().unwrap()).await.unwrap().len();
    let large = limits::MISSED_BYTES / 8;
    send("first", "x".repeat(large)).await;
    for n in 0..20 {
        send("second", n.to_string().repeat(large / 2)).await;
    }
    assert_eq!(waits("first").await, 0, "who was away longest loses first");
    let left = waits("second").await;
    assert!((6..8).contains(&left), "{left} of eight eighths, with their headers");
    broker.delivered(&ada, &"second".parse().unwrap(), job, u64::MAX).await.unwrap();
    assert_eq!(waits("second").await, 0);
    send("second", "once more".to_owned()).await;
    for n in 0..limits::MISSED_TABS {
        send(&format!("tab{n}"), "small".to_owned()).await;
    }
    let mut kept = waits("second").await;
    for n in 0..limits::MISSED_TABS {
        kept += waits(&format!("tab{n}")).await;
    }
    assert_eq!(kept, limits::MISSED_TABS, "of one more than there may be");
    assert_eq!(waits(&format!("tab{}", limits::MISSED_TABS - 1)).await, 1, "the last one");
    for n in 0..2 * limits::MISSED {
        send("busy", n.to_string()).await;
    }
    assert_eq!(waits("busy").await, limits::MISSED);
}
