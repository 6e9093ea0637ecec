//! Passwords: argon2id (19 MiB, 2, 1), at most two verifications at a time, and HTTP Basic verified once. Beside the hash
//! lie four check digits, which nearly every wrong password fails in a microsecond: whoever guesses costs nothing and is
//! in nobody's way (docs/decisions/0010).

use std::sync::Arc;
use std::time::Duration;

use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use prometheus_client::metrics::counter::Counter;
use queue_broker::accounts::Account;
use queue_protocol::AccountName;
use rand::Rng;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use super::lines::{Credentials, Lines};
use crate::problem::Trouble;

/// Verifications at a time: each takes 19 MiB and a core for some 30 ms. Names that do not exist share one of them.
const AT_ONCE: usize = 2;
const REMEMBERED: Duration = Duration::from_secs(600);

/// Between the hash and its check digits; in no PHC string.
const CHECKED_BY: char = '#';

/// Wrong passwords for one account within a minute that are worth a line in the log.
const WORTH_A_WORD: u32 = 20;
const MINUTE: Duration = Duration::from_secs(60);

/// Verifies passwords.
#[derive(Clone)]
pub struct Passwords {
    permits: Arc<Semaphore>,
    for_strangers: Arc<Semaphore>,
    lines: Lines,
    /// What was verified, and whether it was right. What passes the check digits and is wrong is not verified twice.
    known: moka::sync::Cache<Credentials, bool>,
    wrong: moka::sync::Cache<AccountName, u32>,
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
            for_strangers: Arc::new(Semaphore::new(1)),
            lines: Lines::default(),
            known: moka::sync::Cache::builder().max_capacity(2_000).time_to_live(REMEMBERED).build(),
            wrong: moka::sync::Cache::builder().max_capacity(1_000).time_to_live(MINUTE).build(),
            nobody: hash(&random_password())?.into(),
            checks,
        })
    }

    /// Whether `password` is the account's. Takes as long for an account that does not exist.
    ///
    /// # Errors
    /// [`Trouble::SlowDown`] when others are being verified for this name, [`Trouble::WrongPassword`] otherwise.
    pub async fn verify(
        &self,
        name: &AccountName,
        account: Option<Account>,
        password: Zeroizing<String>,
    ) -> Result<Account, Trouble> {
        let stored = account.as_ref().map_or_else(|| self.nobody.to_string(), |a| a.password_hash.clone());
        if self.is_right(account.is_some().then_some(name), stored, password).await? {
            return account.filter(|account| !account.disabled).ok_or(Trouble::WrongPassword);
        }
        if account.is_some() {
            self.count_wrong(name);
        }
        Err(Trouble::WrongPassword)
    }

    async fn is_right(
        &self,
        name: Option<&AccountName>,
        stored: String,
        password: Zeroizing<String>,
    ) -> Result<bool, Trouble> {
        // The stored hash is part of the key: a new password forgets what was verified with the old one.
        let credentials: Credentials =
            Sha256::new_with_prefix(stored.as_bytes()).chain_update(password.as_bytes()).finalize().into();
        if let Some(right) = self.known.get(&credentials) {
            return Ok(right);
        }
        if !may_be(&stored, &password) {
            return Ok(false);
        }
        let mut place = self.lines.join(name.cloned(), credentials)?;
        place.wait().await?;
        // Somebody before us in this line may have come with the same.
        if let Some(right) = self.known.get(&credentials) {
            return Ok(right);
        }
        let stranger = match name {
            None => Some(Arc::clone(&self.for_strangers).acquire_owned().await.map_err(|_| Trouble::Bug)?),
            Some(_) => None,
        };
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| Trouble::Bug)?;
        self.checks.inc();
        let known = self.known.clone();
        // Everything goes along: a request that is given up does not end the work, which still needs its core.
        let verified = tokio::task::spawn_blocking(move || {
            let right = matches(&stored, &password);
            known.insert(credentials, right);
            drop((place, stranger, permit));
            right
        });
        verified.await.map_err(|_| Trouble::Bug)
    }

    fn count_wrong(&self, name: &AccountName) {
        let counted =
            self.wrong.entry_by_ref(name).and_upsert_with(|before| before.map_or(1, |n| n.into_value() + 1));
        if counted.into_value() == WORTH_A_WORD {
            tracing::warn!(participant.id = %name, "many wrong passwords within a minute");
        }
    }
}

/// Whether a password passes the check digits, which one wrong one in 65,536 does. A hash without them says nothing.
fn may_be(stored: &str, password: &str) -> bool {
    let Some((hash, digits)) = stored.split_once(CHECKED_BY) else { return true };
    check_digits(hash, password) == digits
}

/// Sixteen bits of the password's digest, salted by its hash. They leave 59 of the 75 bits of a password that
/// [`random_password`] made; one that a person chose must not have them.
fn check_digits(hash: &str, password: &str) -> String {
    let digest = Sha256::new_with_prefix(hash.as_bytes()).chain_update(password.as_bytes()).finalize();
    hex::encode(&digest[..2])
}

fn matches(stored: &str, password: &str) -> bool {
    use argon2::password_hash::phc::PasswordHash;
    let hash = stored.split_once(CHECKED_BY).map_or(stored, |(hash, _)| hash);
    PasswordHash::new(hash)
        .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}

/// What is stored of a password that [`random_password`] made: its PHC string and its check digits.
///
/// # Errors
/// When the system has no randomness to give.
pub fn hash(password: &str) -> anyhow::Result<String> {
    // The library's defaults are the parameters we want: argon2id, 19 MiB, 2 passes, 1 lane (a test pins them).
    let hash = Argon2::default().hash_password(password.as_bytes());
    let hash = hash.map_err(|error| anyhow::anyhow!("argon2: {error}"))?.to_string();
    let digits = check_digits(&hash, password);
    Ok(format!("{hash}{CHECKED_BY}{digits}"))
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
        Account {
            name: "ada".parse().unwrap(),
            role: Role::Participant,
            password_hash,
            disabled: false,
            generation: 0,
        }
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
    async fn guessing_costs_next_to_nothing_and_keeps_nobody_out() {
        let passwords = Passwords::new(Counter::default()).unwrap();
        let ada = account("right");
        for n in 0..10_000 {
            let guess = passwords.verify(&ada.name, Some(ada.clone()), format!("guess {n}").into()).await;
            assert!(matches!(guess, Err(Trouble::WrongPassword)));
        }
        let verified = passwords.checks.get();
        assert!(verified < 10, "{verified} of 10,000 guesses took a core");
        assert!(passwords.verify(&ada.name, Some(ada.clone()), "right".to_owned().into()).await.is_ok());
    }

    #[tokio::test]
    async fn many_requests_with_the_same_password_are_verified_once_and_all_pass() {
        let passwords = Passwords::new(Counter::default()).unwrap();
        let ada = account("right");
        let ask = || passwords.verify(&ada.name, Some(ada.clone()), "right".to_owned().into());
        let all = futures_util::future::join_all((0..50).map(|_| ask())).await;
        assert!(all.iter().all(Result::is_ok));
        assert_eq!(passwords.checks.get(), 1);
    }

    #[tokio::test]
    async fn of_passwords_that_pass_the_check_four_are_in_line_and_the_next_is_told_to_come_back() {
        let passwords = Passwords::new(Counter::default()).unwrap();
        // Without check digits every password passes.
        let plain = hash("right").unwrap().split_once(CHECKED_BY).unwrap().0.to_owned();
        let ada = Account { password_hash: plain, ..account("right") };
        let ask = |n: usize| passwords.verify(&ada.name, Some(ada.clone()), format!("guess {n}").into());
        let all = futures_util::future::join_all((0..9).map(ask)).await;
        let slowed = all.iter().filter(|answer| matches!(answer, Err(Trouble::SlowDown))).count();
        assert_eq!(slowed, 5, "one is verified, three wait");
        let ben = account("other");
        assert!(
            passwords.verify(&"ben".parse().unwrap(), Some(ben), "other".to_owned().into()).await.is_ok()
        );
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
