//! Who signs in and with what.

use serde::{Deserialize, Serialize};

use crate::ids::{AccountName, TokenId, WorkerName};

/// Who the caller is to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Runs their own jobs and sees nothing else.
    Participant,
    /// Sees and steers the room; has a seat of their own as well.
    Instructor,
}

impl Role {
    /// The word in the store and in messages.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Participant => "participant",
            Self::Instructor => "instructor",
        }
    }

    /// The role behind a word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Participant, Self::Instructor].into_iter().find(|role| role.word() == word)
    }
}

/// What `POST /api/v1/session` takes.
#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    /// The account.
    pub name: String,
    /// Its password.
    pub password: String,
}

/// What `POST /api/v1/session` answers.
#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SignedIn {
    /// To be sent as `Authorization: Bearer …`; shown once.
    pub token: String,
    /// The account.
    pub name: AccountName,
    /// Its role.
    pub role: Role,
}

/// Every session of somebody is to end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct SignOut {
    /// So many ms from now, at most 60000; at once without it. Until then it can be taken back.
    #[cfg_attr(feature = "schema", schemars(range(max = 60_000)))]
    pub after_ms: Option<u32>,
}

/// An account, without its secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Account {
    /// The name, which is also the seat's path.
    pub name: AccountName,
    /// What it may do.
    pub role: Role,
    /// Whether signing in is refused.
    pub disabled: bool,
    /// What the instructor calls them; empty for the name itself.
    #[serde(default)]
    pub label: String,
    /// Where they sit.
    #[serde(default)]
    pub seat: Option<u32>,
}

/// All accounts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AccountList {
    /// By name.
    pub accounts: Vec<Account>,
}

/// A new account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct NewAccount {
    /// The name, which nobody has yet.
    pub name: AccountName,
    /// What it may do; a participant without it.
    #[serde(default)]
    pub role: Option<Role>,
}

/// A password that was just made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NewPassword {
    /// The account.
    pub name: AccountName,
    /// Shown once.
    pub password: String,
}

/// What changes about an account; what is left out stays. A change of `disabled` or `role` signs it out
/// everywhere.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct AccountPatch {
    /// Whether signing in is refused.
    pub disabled: Option<bool>,
    /// What it may do.
    pub role: Option<Role>,
    /// What the instructor calls them, at most 200 characters.
    #[cfg_attr(feature = "schema", schemars(length(max = 200)))]
    pub label: Option<String>,
    /// Where they sit; 0 for nowhere.
    #[cfg_attr(feature = "schema", schemars(range(max = 10_000)))]
    pub seat: Option<u32>,
}

/// A worker's token, without the token itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Token {
    /// Safe to show; names the token when it is revoked.
    pub id: TokenId,
    /// The worker that it lets in.
    pub worker: WorkerName,
    /// When it was made, in ms since 1970.
    pub made_at: u64,
    /// When it last opened something, to the minute, in ms since 1970.
    pub used_at: Option<u64>,
    /// When it opens nothing any more, in ms since 1970; `None` for never.
    pub expires_at: Option<u64>,
}

/// All tokens of workers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TokenList {
    /// By worker.
    pub tokens: Vec<Token>,
}

/// Whom a new token is to let in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct WantedToken {
    /// The worker.
    pub worker: WorkerName,
    /// Days until it opens nothing any more; without it, it lasts until it is revoked.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 366)))]
    pub days: Option<u16>,
}

/// A token that was just made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NewToken {
    /// What it is revoked by.
    pub id: TokenId,
    /// The worker.
    pub worker: WorkerName,
    /// Shown once; for `ATELIER_WORKER_TOKEN`.
    pub token: String,
}

/// What a person's token may be used for. None of them opens accounts, tokens or sessions: for those a person signs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// See what is one's own.
    Read,
    /// Submit, cancel, upload, save: change what is one's own.
    Work,
    /// Whatever only the instructor may; without it, an instructor's token is a participant's.
    Steer,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Read, Self::Work, Self::Steer];

    /// The word in the store, the API and on the command line.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Work => "work",
            Self::Steer => "steer",
        }
    }

    /// The scope behind a word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.word() == word)
    }
}

/// A token of a person, without the token itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PersonToken {
    /// Safe to show; names the token when it is revoked.
    pub id: TokenId,
    /// Whose it is.
    pub account: AccountName,
    /// What its owner calls it.
    pub label: String,
    /// What it may be used for.
    pub scopes: Vec<Scope>,
    /// When it was made, in ms since 1970.
    pub made_at: u64,
    /// When it last opened something, to the minute, in ms since 1970.
    pub used_at: Option<u64>,
    /// When it opens nothing any more, in ms since 1970.
    pub expires_at: u64,
}

/// All tokens of a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PersonTokenList {
    /// Oldest first.
    pub tokens: Vec<PersonToken>,
}

/// What a new token of one's own is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct WantedPersonToken {
    /// What to call it, at most 60 characters.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(length(max = 60)))]
    pub label: String,
    /// What it may be used for; at least one.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 3)))]
    pub scopes: Vec<Scope>,
    /// Days until it opens nothing any more; 30 without it.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 366)))]
    pub days: Option<u16>,
}

/// A token of a person that was just made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NewPersonToken {
    /// What it is revoked by.
    pub id: TokenId,
    /// Shown once; goes into `Authorization: Bearer`.
    pub token: String,
}

/// A session of one's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Session {
    /// Safe to show; names the session when it is ended.
    pub id: TokenId,
    /// What the browser or program called itself; may be empty.
    pub about: String,
    /// When it began, in ms since 1970.
    pub made_at: u64,
    /// When it was last used, in ms since 1970.
    pub used_at: u64,
    /// When it ends if it is not used, in ms since 1970.
    pub ends_at: u64,
    /// Whether it is the one that asks.
    pub current: bool,
}

/// All sessions of one's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SessionList {
    /// Newest first.
    pub sessions: Vec<Session>,
}
