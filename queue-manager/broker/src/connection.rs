//! The queue of one workshop: a connection, the names of its keys, and a clock.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use queue_protocol::{Workshop, timings};
use redis::FromRedisValue;

use crate::error::BrokerError;
use crate::keys::Keys;
use crate::script::script;
use crate::shared_connection::{Connection, Listeners};
use crate::store::Store;
use crate::transitions::room::Reading;

/// The queue of one workshop. Cheap to clone; all clones share one connection.
#[derive(Clone)]
pub struct Broker {
    pub(crate) connection: Connection,
    pub(crate) listeners: Listeners,
    pub(crate) keys: Keys,
    pub(crate) clock_offset_ms: i64,
    pub(crate) reading: Arc<Reading>,
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
        Self::patient(store, workshop, timings::REDIS_RESPONSE)
    }

    /// The same, waiting so long for each answer: tests may run where a machine stands still.
    ///
    /// # Errors
    /// As [`Broker::new`].
    pub fn patient(store: &Store, workshop: &Workshop, response: Duration) -> Result<Self, BrokerError> {
        let (connection, listeners) = store.connect(response)?;
        Ok(Self {
            connection,
            listeners,
            keys: Keys::new(workshop),
            clock_offset_ms: 0,
            reading: Arc::default(),
        })
    }

    /// The same queue seen from another time: tests and simulations move the clock instead of waiting.
    #[must_use]
    pub fn at_clock_offset(&self, offset: Duration) -> Self {
        let clock_offset_ms = i64::try_from(offset.as_millis()).unwrap_or(i64::MAX);
        Self { clock_offset_ms, reading: Arc::default(), ..self.clone() }
    }

    /// Writes the settings nobody has set yet.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] while the store does not answer.
    pub async fn open(&self, settings: &[(&str, String)]) -> Result<(), BrokerError> {
        let mut call = script!("transitions/open").call(self);
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
        let info: String = self.ask_our_node(redis::cmd("INFO").arg("server")).await?;
        run_id(&info)
    }

    /// Whether the store throws away what it holds when it is full: its policy, and `None` for one that never does.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] while the store does not answer.
    pub async fn evicts(&self) -> Result<Option<String>, BrokerError> {
        let info: String = self.ask_our_node(redis::cmd("INFO").arg("memory")).await?;
        let policy = info.lines().find_map(|line| line.strip_prefix("maxmemory_policy:")).map(str::trim);
        Ok(policy.filter(|policy| *policy != "noeviction").map(ToOwned::to_owned))
    }

    /// Bytes that the store uses, and how many it may; `None` where nobody set a limit.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] while the store does not answer.
    pub async fn memory(&self) -> Result<(u64, Option<u64>), BrokerError> {
        let info: String = self.ask_our_node(redis::cmd("INFO").arg("memory")).await?;
        let number = |name: &str| {
            let line = info.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|text| text.trim().parse::<u64>().ok())
        };
        let used = number("used_memory:").unwrap_or_default();
        Ok((used, number("maxmemory:").filter(|limit| *limit > 0)))
    }

    /// Asks for a sign of life.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] while the store does not answer.
    pub async fn ping(&self) -> Result<(), BrokerError> {
        self.ask_our_node(&redis::cmd("PING")).await
    }

    /// A command without a key. In a cluster it goes to the node that has this workshop, because a pipeline goes where
    /// its first key is.
    pub(crate) async fn ask_our_node<T: FromRedisValue>(
        &self,
        command: &redis::Cmd,
    ) -> Result<T, BrokerError> {
        let mut connection = self.connection.clone();
        let mut pipeline = redis::pipe();
        pipeline.add_command(command.clone()).get(self.keys.reaped()).ignore();
        let (answer,) = pipeline.query_async(&mut connection).await?;
        Ok(answer)
    }

    /// Asks the store to write what it has and end; for the private one only.
    pub async fn stop_store(&self) {
        let mut connection = self.connection.clone();
        // The answer is a closed connection, so any error is as good as none.
        let _: redis::RedisResult<()> = redis::cmd("SHUTDOWN").query_async(&mut connection).await;
    }
}

pub(crate) fn run_id(info: &str) -> Result<String, BrokerError> {
    info.lines()
        .find_map(|line| line.strip_prefix("run_id:"))
        .map(|id| id.trim().to_owned())
        .ok_or_else(|| BrokerError::Corrupt("INFO server has no run_id".to_owned()))
}
