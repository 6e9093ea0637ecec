//! Sessions, links and tokens: how many somebody may have, and that nothing outlives what it was given by.

use std::time::Duration;

use queue_broker::Broker;
use queue_broker::accounts::Account;
use queue_broker::sessions::SecretHash;
use queue_broker::signals::Signal;
use queue_broker::transitions::change::AccountChange;
use queue_broker::transitions::enter::{Entered, SESSIONS};
use queue_broker::transitions::grant::{Grant, Granted, TOKENS};
use queue_protocol::AccountName;
use queue_protocol::api::Scope;

use crate::identity::{enter, signed_in};
use crate::listening::listening;
use crate::redis_server::fresh_workshop;
use crate::workshop::AT_ONCE;

async fn account(broker: &Broker, name: &AccountName) -> Account {
    broker.account(name).await.unwrap().unwrap()
}

#[tokio::test]
async fn one_session_too_many_ends_the_oldest_and_nobody_elses() {
    let broker = fresh_workshop().await;
    let (ada, first) = signed_in(&broker, "ada").await;
    let (_, bens) = signed_in(&broker, "ben").await;
    let mut heard = listening(&broker).await;
    for n in 1..=SESSIONS {
        let later = broker.at_clock_offset(Duration::from_secs(n as u64));
        enter(&later, &ada.name, &format!("session {n}")).await;
    }
    assert_eq!(broker.session(&first).await.unwrap(), None);
    assert_eq!(heard.recv().await, Some(Signal::SessionOver(first)));
    assert_eq!(broker.sessions_of(&ada).await.unwrap().len(), SESSIONS);
    assert!(broker.session(&bens).await.unwrap().is_some());

    // What ended by itself makes room.
    broker.end_session(&SecretHash::of("session 9")).await.unwrap();
    let later = broker.at_clock_offset(Duration::from_secs(1_000));
    enter(&later, &ada.name, "one more").await;
    assert!(broker.session(&SecretHash::of("session 1")).await.unwrap().is_some());
}

#[tokio::test]
async fn a_session_begins_only_for_an_account_that_is_as_it_was_proved_to_be() {
    let broker = fresh_workshop().await;
    let (before, _) = signed_in(&broker, "ada").await;
    broker.depart(&before.name, AT_ONCE).await.unwrap();
    let late = SecretHash::of("late");
    assert_eq!(broker.enter(&late, &before, "").await.unwrap(), Entered::Over);
    broker.change_account(&before.name, &AccountChange::Disabled(true)).await.unwrap();
    let disabled = account(&broker, &before.name).await;
    assert_eq!(broker.enter(&late, &disabled, "").await.unwrap(), Entered::Over);
    assert_eq!(broker.session(&late).await.unwrap(), None);
}

#[tokio::test]
async fn a_link_ends_with_the_sessions_of_its_account_and_with_its_next_link() {
    let broker = fresh_workshop().await;
    let (ada, _) = signed_in(&broker, "ada").await;
    let link = async |text: &str| {
        let secret = SecretHash::of(text);
        broker.put_join_link(&secret, &account(&broker, &ada.name).await).await.unwrap();
        secret
    };
    let opens = async |link: &SecretHash| broker.join_link(link).await.unwrap().is_some();
    let (first, second) = (link("first").await, link("second").await);
    assert!(!opens(&first).await && opens(&second).await, "the next one replaces it");
    assert_eq!(broker.use_join_link(&first).await.unwrap(), None);
    broker.depart(&ada.name, AT_ONCE).await.unwrap();
    assert!(!opens(&second).await);
    let third = link("third").await;
    broker.change_account(&ada.name, &AccountChange::PasswordHash("$argon2id$new".to_owned())).await.unwrap();
    assert_eq!(broker.use_join_link(&third).await.unwrap(), None, "nor is it used");
    let fourth = link("fourth").await;
    broker.change_account(&ada.name, &AccountChange::Disabled(true)).await.unwrap();
    broker.change_account(&ada.name, &AccountChange::Disabled(false)).await.unwrap();
    assert!(!opens(&fourth).await);
    let fifth = link("fifth").await;
    assert!(broker.use_join_link(&fifth).await.unwrap().is_some() && !opens(&fifth).await, "once");
}

async fn grant(broker: &Broker, account: &Account, session: &SecretHash, token: &str) -> Granted {
    let wanted = Grant {
        account: &account.name,
        generation: account.generation,
        session: Some(session),
        scopes: &[Scope::Read],
        label: "",
        lasts: Duration::from_secs(60),
    };
    broker.grant(&SecretHash::of(token), wanted).await.unwrap()
}

#[tokio::test]
async fn a_token_is_granted_to_nobody_whose_sessions_were_ended_meanwhile() {
    let broker = fresh_workshop().await;
    let (before, session) = signed_in(&broker, "ada").await;
    broker.depart(&before.name, AT_ONCE).await.unwrap();
    let session_now = enter(&broker, &before.name, "now").await;
    assert_eq!(grant(&broker, &before, &session_now, "t").await, Granted::Over, "of another generation");
    let now = account(&broker, &before.name).await;
    assert_eq!(grant(&broker, &now, &session, "t").await, Granted::Over, "by a session that is over");
    assert_eq!(broker.person_of_token(&SecretHash::of("t")).await.unwrap(), None);
    assert!(matches!(grant(&broker, &now, &session_now, "t").await, Granted::Made(_)));
}

#[tokio::test]
async fn a_person_has_at_most_so_many_tokens_and_those_that_ended_do_not_count() {
    let broker = fresh_workshop().await;
    let (ada, session) = signed_in(&broker, "ada").await;
    for n in 0..TOKENS {
        assert!(matches!(grant(&broker, &ada, &session, &format!("t{n}")).await, Granted::Made(_)));
    }
    assert_eq!(grant(&broker, &ada, &session, "more").await, Granted::TooMany);
    let (ben, bens) = signed_in(&broker, "ben").await;
    assert!(matches!(grant(&broker, &ben, &bens, "ben's").await, Granted::Made(_)));
    broker.depart(&ada.name, AT_ONCE).await.unwrap();
    let again = enter(&broker, &ada.name, "again").await;
    let ada = account(&broker, &ada.name).await;
    assert!(matches!(grant(&broker, &ada, &again, "anew").await, Granted::Made(_)));
    assert_eq!(broker.person_tokens(None).await.unwrap().len(), 2);
}

#[tokio::test]
async fn signing_out_everywhere_else_leaves_one_session_and_nothing_more() {
    let broker = fresh_workshop().await;
    let (ada, elsewhere) = signed_in(&broker, "ada").await;
    let here = enter(&broker, &ada.name, "here").await;
    grant(&broker, &ada, &elsewhere, "a thief's").await;
    broker.put_join_link(&SecretHash::of("link"), &ada).await.unwrap();
    broker.depart_elsewhere(&ada.name, Some(&here)).await.unwrap();
    let now = broker.session(&here).await.unwrap().unwrap();
    assert_eq!(broker.session(&elsewhere).await.unwrap(), None);
    assert_eq!(broker.person_of_token(&SecretHash::of("a thief's")).await.unwrap(), None);
    assert_eq!(broker.join_link(&SecretHash::of("link")).await.unwrap(), None);
    assert_eq!(broker.sessions_of(&now).await.unwrap().len(), 1);
    // A session that is over does not come back by staying.
    broker.end_session(&here).await.unwrap();
    broker.depart_elsewhere(&ada.name, Some(&here)).await.unwrap();
    assert_eq!(broker.session(&here).await.unwrap(), None);
}
