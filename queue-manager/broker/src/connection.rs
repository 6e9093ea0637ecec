//! The way to the store: one shared connection whose response timeout is set on purpose, and no blocking command.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use queue_protocol::{Workshop, timings};
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{ConnectionAddr, IntoConnectionInfo};

use crate::error::BrokerError;
use crate::keys::Keys;
use crate::script::script;

/// Where the store is. Its `Debug` shows no URL, which may hold a password.
#[derive(Clone, PartialEq, Eq)]
pub enum Store {
    /// `redis://…`.
    Url(String),
    /// A unix socket; may be a relative path, because a socket's path is limited to 107 bytes.
    Socket(PathBuf),
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Url(_) => f.write_str("Url(***)"),
            Self::Socket(path) => f.debug_tuple("Socket").field(path).finish(),
        }
    }
}

impl FromStr for Store {
    type Err = std::convert::Infallible;
    /// `unix:PATH` names a socket, anything else is an URL.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text.strip_prefix("unix:") {
            Some(path) => Self::Socket(path.into()),
            None => Self::Url(text.to_owned()),
        })
    }
}

impl Store {
    pub(crate) fn client(&self) -> Result<redis::Client, BrokerError> {
        let info = match self {
            Self::Url(url) => url.as_str().into_connection_info(),
            Self::Socket(path) => ConnectionAddr::Unix(path.clone()).into_connection_info(),
        };
        Ok(redis::Client::open(info?)?)
    }
}

/// The queue of one workshop. Cheap to clone; all clones share one connection.
#[derive(Clone)]
pub struct Broker {
    pub(crate) connection: ConnectionManager,
    pub(crate) client: redis::Client,
    pub(crate) keys: Keys,
    pub(crate) clock_offset_ms: i64,
}

impl std::fmt::Debug for Broker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Broker").field("keys", &self.keys).finish_non_exhaustive()
    }
}

impl Broker {
    /// Connects when first used, and again whenever the connection breaks.
    ///
    /// # Errors
    /// When the address is not one. Whether the store answers is [`Broker::open`]'s question.
    pub fn new(store: &Store, workshop: &Workshop) -> Result<Self, BrokerError> {
        let client = store.client()?;
        let config = ConnectionManagerConfig::new()
            .set_response_timeout(Some(timings::REDIS_RESPONSE))
            .set_connection_timeout(Some(Duration::from_secs(1)))
            .set_number_of_retries(1)
            .set_max_delay(Duration::from_millis(500));
        let connection = ConnectionManager::new_lazy_with_config(client.clone(), config)?;
        Ok(Self { connection, client, keys: Keys::new(workshop), clock_offset_ms: 0 })
    }

    /// The same queue seen from another time: tests and simulations move the clock instead of waiting.
    #[must_use]
    pub fn at_clock_offset(&self, offset: Duration) -> Self {
        let clock_offset_ms = i64::try_from(offset.as_millis()).unwrap_or(i64::MAX);
        Self { clock_offset_ms, ..self.clone() }
    }

    /// Writes the settings nobody has set yet, and begins a new epoch when the store has restarted.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] while the store does not answer.
    pub async fn open(&self, settings: &[(&str, String)]) -> Result<(), BrokerError> {
        let mut call = script!("transitions/open").call(self).arg(self.run_id().await?);
        for (name, value) in settings {
            call = call.arg(*name).arg(value);
        }
        call.run().await.map(drop)
    }

    /// Every setting of the workshop that was written, by name.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] while the store does not answer.
    pub async fn settings(&self) -> Result<BTreeMap<String, String>, BrokerError> {
        let mut connection = self.connection.clone();
        Ok(redis::cmd("HGETALL").arg(self.keys.settings()).query_async(&mut connection).await?)
    }

    /// The id of the Redis process, which changes with every restart of it.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] while the store does not answer.
    pub async fn run_id(&self) -> Result<String, BrokerError> {
        let mut connection = self.connection.clone();
        let info: String = redis::cmd("INFO").arg("server").query_async(&mut connection).await?;
        info.lines()
            .find_map(|line| line.strip_prefix("run_id:"))
            .map(|id| id.trim().to_owned())
            .ok_or_else(|| BrokerError::Corrupt("INFO server has no run_id".to_owned()))
    }

    /// Asks for a sign of life.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] while the store does not answer.
    pub async fn ping(&self) -> Result<(), BrokerError> {
        let mut connection = self.connection.clone();
        redis::cmd("PING").query_async::<()>(&mut connection).await?;
        Ok(())
    }

    /// Asks the store to write what it has and end; for the private one only.
    pub async fn stop_store(&self) {
        let mut connection = self.connection.clone();
        // The answer is a closed connection, so any error is as good as none.
        let _: redis::RedisResult<()> = redis::cmd("SHUTDOWN").query_async(&mut connection).await;
    }
}
