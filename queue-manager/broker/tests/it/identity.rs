//! Accounts, sessions, tokens: kept by hash, and disabling takes effect at once.

use queue_broker::accounts::Account;
use queue_broker::sessions::SecretHash;
use queue_protocol::api::Role;

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
    };
    broker.put_account(&ada).await.unwrap();
    let secret = SecretHash::of("a secret");
    broker.begin_session(&secret, &ada.name).await.unwrap();
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

#[tokio::test]
async fn a_token_is_one_workers() {
    let broker = fresh_workshop().await;
    broker.put_worker_token(&SecretHash::of("t"), &gpu("gpu-1")).await.unwrap();
    assert_eq!(broker.worker_of_token(&SecretHash::of("t")).await.unwrap(), Some(gpu("gpu-1")));
    assert_eq!(broker.worker_of_token(&SecretHash::of("u")).await.unwrap(), None);
}

#[test]
fn an_account_shows_no_hash_when_printed() {
    let account = Account {
        name: person("ada"),
        role: Role::Instructor,
        password_hash: "$argon2id$secret".to_owned(),
        disabled: false,
    };
    assert!(!format!("{account:?}").contains("secret"));
}
