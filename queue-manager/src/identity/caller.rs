//! The caller of a request, as an extractor: whoever asks for a [`Caller`] gets one or answers 401.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use queue_broker::Broker;
use queue_broker::accounts::Account;
use queue_broker::sessions::SecretHash;
use queue_protocol::api::{Role, Scope};
use queue_protocol::{AccountName, limits, timings};

use super::cookie::CookieKind;
use super::password::Passwords;
use crate::problem::Trouble;

/// Begins every token of a person, so that it is told from a session, and found by whoever looks for secrets in files.
pub const TOKEN_PREFIX: &str = "atelier_";

/// Finds out who calls.
#[derive(Clone)]
pub struct Identity {
    broker: Broker,
    passwords: Passwords,
    cookie: CookieKind,
    sessions: moka::sync::Cache<SecretHash, Caller>,
    /// How often the cache was emptied: what was read before that must not be put into it afterwards.
    emptied: Arc<AtomicU64>,
}

impl Identity {
    /// Sessions found valid are believed for a second.
    #[must_use]
    pub fn new(broker: Broker, passwords: Passwords, cookie: CookieKind) -> Self {
        let sessions =
            moka::sync::Cache::builder().max_capacity(1_000).time_to_live(timings::SESSION_CACHE).build();
        Self { broker, passwords, cookie, sessions, emptied: Arc::default() }
    }

    /// The way the session cookie is sent.
    #[must_use]
    pub fn cookie(&self) -> CookieKind {
        self.cookie
    }

    /// Verifies a name and a password as a person typed them.
    ///
    /// # Errors
    /// [`Trouble::WrongPassword`], [`Trouble::SlowDown`], or the store's.
    pub async fn verify(&self, name: &str, password: String) -> Result<Account, Trouble> {
        let password = zeroize::Zeroizing::new(password);
        let Ok(name) = name.parse::<AccountName>() else {
            return Err(Trouble::WrongPassword);
        };
        // Before it is hashed: what anyone may send must cost nothing.
        if password.len() > limits::PASSWORD {
            return Err(Trouble::WrongPassword);
        }
        let account = self.broker.account(&name).await?;
        self.passwords.verify(&name, account, password).await
    }

    /// Who sent these headers: what `Authorization` says, else the session cookie.
    ///
    /// # Errors
    /// [`Trouble::NotSignedIn`], [`Trouble::WrongPassword`], [`Trouble::SlowDown`], or the store's.
    pub async fn caller(&self, headers: &HeaderMap) -> Result<Caller, Trouble> {
        if let Some(basic) = authorization(headers, "Basic ") {
            let (name, password) = basic_credentials(basic).ok_or(Trouble::NotSignedIn)?;
            let account = self.verify(&name, password).await?;
            let proof = Proof::password(&account);
            return Ok(Caller::of(account, proof));
        }
        if let Some(bearer) = authorization(headers, "Bearer ") {
            return self.behind(bearer).await?.ok_or(Trouble::NotSignedIn);
        }
        let cookie = self.cookie.read(headers).filter(|text| !text.starts_with(TOKEN_PREFIX));
        let caller = self.behind(cookie.ok_or(Trouble::NotSignedIn)?).await?;
        Ok(caller.ok_or(Trouble::NotSignedIn)?.in_a_browser())
    }

    /// Whether a caller would be let in now, as who they were: asks the store and believes no cache.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn still_knows(&self, caller: &Caller) -> Result<bool, Trouble> {
        let now = match &caller.proof {
            // A dashboard that is open is used, also while nobody clicks.
            Proof::Session(secret) if caller.role == Role::Instructor => {
                self.broker.session(secret).await?.map(|account| Caller::of(account, caller.proof.clone()))
            }
            Proof::Session(secret) => self
                .broker
                .look_at_session(secret)
                .await?
                .map(|account| Caller::of(account, caller.proof.clone())),
            Proof::Cookie(secret) => {
                let account = self.broker.look_at_session(secret).await?;
                account.map(|account| Caller::of(account, Proof::Session(secret.clone())).in_a_browser())
            }
            Proof::Token(secret, _) => self.of_token(secret).await?,
            Proof::Password(_) => {
                let account = self.broker.account(&caller.name).await?.filter(|account| !account.disabled);
                account.map(|account| {
                    let proof = Proof::password(&account);
                    Caller::of(account, proof)
                })
            }
        };
        Ok(now.as_ref() == Some(caller))
    }

    /// Somebody's session ended: the next request of everyone is looked up anew.
    pub(crate) fn forget_sessions(&self) {
        self.emptied.fetch_add(1, Ordering::SeqCst);
        self.sessions.invalidate_all();
    }

    /// The secret of a session: a bearer token, else the cookie.
    fn secret<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        authorization(headers, "Bearer ").or_else(|| self.cookie.read(headers))
    }

    /// The caller behind the secret of a session or a token.
    async fn behind(&self, text: &str) -> Result<Option<Caller>, Trouble> {
        let secret = SecretHash::of(text);
        if let Some(caller) = self.sessions.get(&secret) {
            return Ok(Some(caller));
        }
        let before = self.emptied.load(Ordering::SeqCst);
        let caller = if text.starts_with(TOKEN_PREFIX) {
            self.of_token(&secret).await?
        } else {
            let account = self.broker.session(&secret).await?;
            account.map(|account| Caller::of(account, Proof::Session(secret.clone())))
        };
        if let Some(caller) = &caller
            && self.emptied.load(Ordering::SeqCst) == before
        {
            self.sessions.insert(secret, caller.clone());
        }
        Ok(caller)
    }

    async fn of_token(&self, secret: &SecretHash) -> Result<Option<Caller>, Trouble> {
        let found = self.broker.person_of_token(secret).await?;
        Ok(found.map(|(account, scopes)| {
            let steers = scopes.contains(&Scope::Steer);
            let mut caller = Caller::of(account, Proof::Token(secret.clone(), scopes));
            if !steers {
                caller.role = Role::Participant;
            }
            caller
        }))
    }

    /// Ends the session behind these headers, here at once and elsewhere within a second.
    ///
    /// # Errors
    /// The store's: then the session goes on.
    pub async fn sign_out(&self, headers: &HeaderMap) -> Result<(), Trouble> {
        if let Some(secret) = self.secret(headers) {
            let secret = SecretHash::of(secret);
            self.broker.end_session(&secret).await?;
            self.sessions.invalidate(&secret);
        }
        Ok(())
    }
}

/// What follows a scheme (`"Bearer "`) in `Authorization`.
pub(crate) fn authorization<'a>(headers: &'a HeaderMap, scheme: &str) -> Option<&'a str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix(scheme)
}

fn basic_credentials(encoded: &str) -> Option<(String, String)> {
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (name, password) = decoded.split_once(':')?;
    Some((name.to_owned(), password.to_owned()))
}

/// A participant, or the instructor, who is a participant of their own seat as well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The account, from the session and from nowhere else.
    pub name: AccountName,
    /// What it may do.
    pub role: Role,
    /// The account's generation when they were let in.
    pub(crate) generation: u64,
    proof: Proof,
}

/// By what a caller was let in.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Proof {
    Session(SecretHash),
    /// A session whose id a browser sends by itself, whichever script of whichever seat asks.
    Cookie(SecretHash),
    /// A token, and what it may be used for.
    Token(SecretHash, Vec<Scope>),
    /// The hash of the password's stored hash, which a new password changes.
    Password(SecretHash),
}

impl Proof {
    fn password(account: &Account) -> Self {
        Self::Password(SecretHash::of(&account.password_hash))
    }
}

impl Caller {
    fn of(account: Account, proof: Proof) -> Self {
        Self { name: account.name, role: account.role, generation: account.generation, proof }
    }

    /// All seats are one origin, and a script in any of them has the cookie of whoever opened it: so a cookie opens a seat
    /// and never steers the room. The dashboard is on an origin of its own and brings its session itself.
    fn in_a_browser(self) -> Self {
        match self.proof {
            Proof::Session(secret) => Self { role: Role::Participant, proof: Proof::Cookie(secret), ..self },
            _ => self,
        }
    }

    /// The session or token by which they came; `None` for a name and a password.
    pub(crate) fn session(&self) -> Option<&SecretHash> {
        match &self.proof {
            Proof::Session(secret) | Proof::Cookie(secret) | Proof::Token(secret, _) => Some(secret),
            Proof::Password(_) => None,
        }
    }

    /// Whether they came with nothing less than a sign-in.
    pub(crate) fn in_person(&self) -> bool {
        !matches!(self.proof, Proof::Token(..))
    }

    /// Whether what they came with may be used for this.
    pub(crate) fn may(&self, scope: Scope) -> bool {
        match &self.proof {
            Proof::Token(_, scopes) => scopes.contains(&scope),
            Proof::Session(_) | Proof::Cookie(_) | Proof::Password(_) => true,
        }
    }
}

impl<S> FromRequestParts<S> for Caller
where
    S: Send + Sync,
    Identity: FromRef<S>,
{
    type Rejection = Trouble;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Trouble> {
        if let Some(caller) = parts.extensions.get::<Self>() {
            return Ok(caller.clone());
        }
        Identity::from_ref(state).caller(&parts.headers).await
    }
}
