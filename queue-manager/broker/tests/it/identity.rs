//! Accounts, sessions, tokens: kept by hash, and disabling takes effect at once.

use std::time::Duration;

use queue_broker::Broker;
use queue_broker::accounts::Account;
use queue_broker::sessions::SecretHash;
use queue_broker::signals::Signal;
use queue_broker::transitions::change::AccountChange;
use queue_broker::transitions::depart::{Departed, Stayed};
use queue_broker::transitions::enter::Entered;
use queue_protocol::AccountName;
use queue_protocol::api::Role;

use crate::listening::listening;
use crate::redis_server::fresh_workshop;
use crate::workshop::{gpu, person};

#[tokio::test]
async fn a_session_names_its_account_until_it_ends_or_the_account_is_disabled() {
    let broker = fresh_workshop().await;
    let mut ada = Account {
        name: person("ada"),
        role: Role::Participant,
        password_hash: "$argon2id$…".to_owned(),
        disabled: false,
        generation: 0,
    };
    broker.put_account(&ada).await.unwrap();
    let secret = enter(&broker, &ada.name, "a secret").await;
    assert_eq!(broker.session(&secret).await.unwrap(), Some(ada.clone()));
    assert_eq!(broker.session(&SecretHash::of("another")).await.unwrap(), None);
    ada.disabled = true;
    broker.put_account(&ada).await.unwrap();
    assert_eq!(broker.session(&secret).await.unwrap(), None);
    ada.disabled = false;
    broker.put_account(&ada).await.unwrap();
    broker.end_session(&secret).await.unwrap();
    assert_eq!(broker.session(&secret).await.unwrap(), None);
}

/// A session of an account as it is now.
pub async fn enter(broker: &Broker, name: &AccountName, secret: &str) -> SecretHash {
    let account = broker.account(name).await.unwrap().unwrap();
    let secret = SecretHash::of(secret);
    assert_eq!(broker.enter(&secret, &account, "").await.unwrap(), Entered::In);
    secret
}

pub async fn signed_in(broker: &Broker, name: &str) -> (Account, SecretHash) {
    let account = Account {
        name: person(name),
        role: Role::Participant,
        password_hash: "$argon2id$…".to_owned(),
        disabled: false,
        generation: 0,
    };
    broker.put_account(&account).await.unwrap();
    let secret = enter(broker, &account.name, name).await;
    (account, secret)
}

#[tokio::test]
async fn sessions_that_ended_with_their_account_stay_ended_when_it_is_enabled_again() {
    let broker = fresh_workshop().await;
    let (ada, before) = signed_in(&broker, "ada").await;
    let (_, bens) = signed_in(&broker, "ben").await;
    let changes = [
        AccountChange::Disabled(true),
        AccountChange::PasswordHash("$argon2id$new".to_owned()),
        AccountChange::Role(Role::Instructor),
    ];
    for (n, change) in changes.into_iter().enumerate() {
        let secret = enter(&broker, &ada.name, &format!("session {n}")).await;
        assert!(broker.change_account(&ada.name, &change).await.unwrap());
        broker.change_account(&ada.name, &AccountChange::Disabled(false)).await.unwrap();
        assert_eq!(broker.session(&secret).await.unwrap(), None);
        assert_eq!(broker.session(&before).await.unwrap(), None);
    }
    let after = enter(&broker, &ada.name, "after").await;
    let found = broker.session(&after).await.unwrap().unwrap();
    assert_eq!((found.role, found.password_hash.as_str()), (Role::Instructor, "$argon2id$new"));
    assert!(broker.session(&bens).await.unwrap().is_some(), "nobody else is signed out");
    let nobody = broker.change_account(&person("eve"), &AccountChange::Disabled(false)).await.unwrap();
    assert!(!nobody && broker.account(&person("eve")).await.unwrap().is_none());
}

#[tokio::test]
async fn a_token_is_one_workers_until_it_is_revoked() {
    let broker = fresh_workshop().await;
    let (first, second) = (SecretHash::of("t"), SecretHash::of("u"));
    let id = broker.put_worker_token(&first, &gpu("gpu-1"), None).await.unwrap();
    broker.put_worker_token(&second, &gpu("gpu-2"), None).await.unwrap();
    assert_eq!(broker.worker_of_token(&first).await.unwrap(), Some(gpu("gpu-1")));
    assert_eq!(broker.worker_of_token(&SecretHash::of("v")).await.unwrap(), None);
    let listed = broker.worker_tokens().await.unwrap();
    assert_eq!((&listed[0].id, &listed[0].worker), (&id, &gpu("gpu-1")));
    assert!(listed[0].used_at.unwrap() >= listed[0].made_at, "it was used");
    assert_eq!((listed.len(), listed[1].used_at), (2, None));

    assert!(broker.revoke_worker_token(&id).await.unwrap());
    assert_eq!(broker.worker_of_token(&first).await.unwrap(), None);
    assert_eq!(broker.worker_of_token(&second).await.unwrap(), Some(gpu("gpu-2")), "the other one stays");
    assert!(!broker.revoke_worker_token(&id).await.unwrap(), "it is gone");
    assert_eq!(broker.worker_tokens().await.unwrap().len(), 1);
}

#[tokio::test]
async fn whoever_loses_the_right_to_listen_is_announced() {
    let broker = fresh_workshop().await;
    let mut heard = listening(&broker).await;
    let (ada, secret) = signed_in(&broker, "ada").await;
    let token = broker.put_worker_token(&SecretHash::of("t"), &gpu("gpu-1"), None).await.unwrap();
    broker.end_session(&secret).await.unwrap();
    broker.change_account(&ada.name, &AccountChange::Disabled(true)).await.unwrap();
    broker.change_account(&ada.name, &AccountChange::Disabled(false)).await.unwrap();
    broker.revoke_worker_token(&token).await.unwrap();
    assert_eq!(heard.recv().await, Some(Signal::SessionOver(secret)));
    assert_eq!(heard.recv().await, Some(Signal::SignedOut(ada.name, Role::Participant)));
    assert_eq!(heard.recv().await, Some(Signal::Revoked(gpu("gpu-1"))), "enabling signs nobody out");
}

#[test]
fn an_account_shows_no_hash_when_printed() {
    let account = Account {
        name: person("ada"),
        role: Role::Instructor,
        password_hash: "$argon2id$secret".to_owned(),
        disabled: false,
        generation: 0,
    };
    assert!(!format!("{account:?}").contains("secret"));
}

#[tokio::test]
async fn whoever_is_signed_out_later_can_stay_until_then() {
    let broker = fresh_workshop().await;
    let (ada, secret) = signed_in(&broker, "ada").await;
    let later = broker.at_clock_offset(Duration::from_secs(11));
    let is_in = async || broker.session(&secret).await.unwrap().is_some();
    let ten = Duration::from_secs(10);
    assert_eq!(broker.depart(&ada.name, ten).await.unwrap(), Departed::Later);
    assert_eq!(broker.let_stay(&ada.name).await.unwrap(), Stayed::Stays);
    assert_eq!(broker.let_stay(&ada.name).await.unwrap(), Stayed::Over);
    later.tick().await.unwrap();
    assert!(is_in().await, "it was taken back");
    broker.depart(&ada.name, ten).await.unwrap();
    broker.tick().await.unwrap();
    assert!(is_in().await, "not yet");
    assert!(broker.people_facts(std::slice::from_ref(&ada.name)).await.unwrap()[0].signing_out_at.is_some());
    later.tick().await.unwrap();
    assert!(!is_in().await);
    assert_eq!(broker.let_stay(&ada.name).await.unwrap(), Stayed::Over);
    enter(&broker, &ada.name, "ada").await;
    assert_eq!(broker.depart(&ada.name, Duration::ZERO).await.unwrap(), Departed::Done);
    assert!(!is_in().await, "at once");
    assert_eq!(broker.depart(&person("nobody"), ten).await.unwrap(), Departed::Unknown);
    assert_eq!(broker.let_stay(&person("nobody")).await.unwrap(), Stayed::Unknown);
}
