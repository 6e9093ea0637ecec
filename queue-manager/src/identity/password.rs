//! Passwords: argon2id (19 MiB, 2, 1), at most two verifications at a time, a limit per account, and HTTP Basic
//! verified once.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use prometheus_client::metrics::counter::Counter;
use queue_broker::accounts::Account;
use queue_protocol::AccountName;
use rand::Rng;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::problem::Trouble;

/// Verifications at a time: each takes 19 MiB and a core for some 30 ms.
const AT_ONCE: usize = 2;
/// Tries per account before they are slowed to one every two seconds. Verified credentials are remembered and do not
/// count.
const BURST: NonZeroU32 = NonZeroU32::MIN.saturating_add(9);
const PER_MINUTE: NonZeroU32 = NonZeroU32::MIN.saturating_add(29);
const REMEMBERED: Duration = Duration::from_secs(600);

/// Verifies passwords.
#[derive(Clone)]
pub struct Passwords {
    permits: Arc<Semaphore>,
    tries: Arc<DefaultKeyedRateLimiter<AccountName>>,
    verified: moka::sync::Cache<[u8; 32], ()>,
    nobody: Arc<str>,
    checks: Counter,
}

impl Passwords {
    /// Makes the hash that unknown names are verified against, so that they take as long as known ones. `checks` counts
    /// verifications.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub fn new(checks: Counter) -> anyhow::Result<Self> {
        Ok(Self {
            permits: Arc::new(Semaphore::new(AT_ONCE)),
            tries: Arc::new(RateLimiter::keyed(Quota::per_minute(PER_MINUTE).allow_burst(BURST))),
            verified: moka::sync::Cache::builder().max_capacity(1_000).time_to_live(REMEMBERED).build(),
            nobody: hash(&random_password())?.into(),
            checks,
        })
    }

    /// Whether `password` is the account's. Takes as long for an account that does not exist.
    ///
    /// # Errors
    /// [`Trouble::SlowDown`] for too many tries, [`Trouble::WrongPassword`] otherwise.
    pub async fn verify(
        &self,
        name: &AccountName,
        account: Option<Account>,
        password: Zeroizing<String>,
    ) -> Result<Account, Trouble> {
        let stored = account.as_ref().map_or_else(|| self.nobody.to_string(), |a| a.password_hash.clone());
        // The stored hash is part of the key: a new password forgets what was verified with the old one.
        let key: [u8; 32] =
            Sha256::new_with_prefix(stored.as_bytes()).chain_update(password.as_bytes()).finalize().into();
        if !self.verified.contains_key(&key) {
            if self.tries.check_key(name).is_err() {
                return Err(Trouble::SlowDown);
            }
            let _permit = self.permits.acquire().await.map_err(|_| Trouble::Bug)?;
            self.checks.inc();
            let matches = tokio::task::spawn_blocking(move || matches(&stored, &password))
                .await
                .map_err(|_| Trouble::Bug)?;
            if !matches {
                return Err(Trouble::WrongPassword);
            }
            self.verified.insert(key, ());
        }
        account.filter(|account| !account.disabled).ok_or(Trouble::WrongPassword)
    }
}

fn matches(stored: &str, password: &str) -> bool {
    use argon2::password_hash::phc::PasswordHash;
    PasswordHash::new(stored)
        .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}

/// The PHC string of a password.
///
/// # Errors
/// When the system has no randomness to give.
pub fn hash(password: &str) -> anyhow::Result<String> {
    // The library's defaults are the parameters we want: argon2id, 19 MiB, 2 passes, 1 lane (a test pins them).
    let hash = Argon2::default().hash_password(password.as_bytes());
    Ok(hash.map_err(|error| anyhow::anyhow!("argon2: {error}"))?.to_string())
}

/// Four groups of four letters that are hard to mistake for each other: 75 bits.
#[must_use]
pub fn random_password() -> String {
    const LETTERS: &[u8] = b"abcdefghjkmnpqrstuvwxyz23456789";
    let mut random = rand::rng();
    let mut letter = || char::from(LETTERS[random.random_range(0..LETTERS.len())]);
    let groups: Vec<String> = (0..4).map(|_| (0..4).map(|_| letter()).collect()).collect();
    groups.join("-")
}

/// 256 random bits as hexadecimal digits: a session id or a token.
#[must_use]
pub fn random_secret() -> String {
    hex::encode(rand::rng().random::<[u8; 32]>())
}

#[cfg(test)]
mod tests {
    use queue_protocol::api::Role;

    use super::*;

    fn account(password: &str) -> Account {
        let password_hash = hash(password).unwrap();
        Account { name: "ada".parse().unwrap(), role: Role::Participant, password_hash, disabled: false }
    }

    #[test]
    fn the_hash_is_argon2id_with_19_mib_2_1() {
        assert!(hash("a password").unwrap().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    }

    #[tokio::test]
    async fn a_wrong_password_and_an_unknown_name_get_the_same_answer() {
        let passwords = Passwords::new(Counter::default()).unwrap();
        let ada = account("right");
        let wrong = passwords.verify(&ada.name, Some(ada.clone()), "wrong".to_owned().into()).await;
        let unknown = passwords.verify(&"eve".parse().unwrap(), None, "right".to_owned().into()).await;
        assert!(matches!(wrong, Err(Trouble::WrongPassword)));
        assert!(matches!(unknown, Err(Trouble::WrongPassword)));
        assert!(passwords.verify(&ada.name, Some(ada.clone()), "right".to_owned().into()).await.is_ok());
    }

    #[tokio::test]
    async fn guessing_is_slowed_and_the_owners_verified_password_still_passes() {
        let passwords = Passwords::new(Counter::default()).unwrap();
        let ada = account("right");
        passwords.verify(&ada.name, Some(ada.clone()), "right".to_owned().into()).await.unwrap();
        let mut slowed = false;
        for _ in 0..12 {
            let guess = passwords.verify(&ada.name, Some(ada.clone()), "guess".to_owned().into()).await;
            slowed |= matches!(guess, Err(Trouble::SlowDown));
        }
        assert!(slowed);
        assert!(passwords.verify(&ada.name, Some(ada.clone()), "right".to_owned().into()).await.is_ok());
    }

    #[tokio::test]
    async fn a_disabled_account_is_refused_even_with_its_password() {
        let passwords = Passwords::new(Counter::default()).unwrap();
        let ada = Account { disabled: true, ..account("right") };
        let refused = passwords.verify(&ada.name, Some(ada.clone()), "right".to_owned().into()).await;
        assert!(matches!(refused, Err(Trouble::WrongPassword)));
    }
}
