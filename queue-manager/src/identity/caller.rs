//! The caller of a request, as an extractor: whoever asks for a [`Caller`] gets one or answers 401.

use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use queue_broker::Broker;
use queue_broker::accounts::Account;
use queue_broker::sessions::SecretHash;
use queue_protocol::api::Role;
use queue_protocol::{AccountName, timings};

use super::cookie::CookieKind;
use super::password::Passwords;
use crate::problem::Trouble;

/// Finds out who calls.
#[derive(Clone)]
pub struct Identity {
    broker: Broker,
    passwords: Passwords,
    cookie: CookieKind,
    sessions: moka::sync::Cache<SecretHash, Account>,
}

impl Identity {
    /// Sessions found valid are believed for a second.
    #[must_use]
    pub fn new(broker: Broker, passwords: Passwords, cookie: CookieKind) -> Self {
        let sessions =
            moka::sync::Cache::builder().max_capacity(1_000).time_to_live(timings::SESSION_CACHE).build();
        Self { broker, passwords, cookie, sessions }
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
            return Ok(Caller::of(self.verify(&name, password).await?));
        }
        let secret = self.secret(headers).ok_or(Trouble::NotSignedIn)?;
        self.session(&SecretHash::of(secret)).await?.map(Caller::of).ok_or(Trouble::NotSignedIn)
    }

    /// The secret of a session: a bearer token, else the cookie.
    fn secret<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        authorization(headers, "Bearer ").or_else(|| self.cookie.read(headers))
    }

    async fn session(&self, secret: &SecretHash) -> Result<Option<Account>, Trouble> {
        if let Some(account) = self.sessions.get(secret) {
            return Ok(Some(account));
        }
        let account = self.broker.session(secret).await?;
        if let Some(account) = &account {
            self.sessions.insert(secret.clone(), account.clone());
        }
        Ok(account)
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
}

impl Caller {
    fn of(account: Account) -> Self {
        Self { name: account.name, role: account.role }
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
