//! The ways to the store: one shared connection for everything that is asked, and one for each listener.

use std::time::Duration;

use queue_protocol::timings;
use redis::aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig, PubSub};
use redis::cluster::{ClusterClientBuilder, ClusterConfig};
use redis::cluster_async::ClusterConnection;
use redis::{Cmd, Pipeline, RedisFuture, RedisResult, Value};

use crate::error::BrokerError;

const CONNECTING: Duration = Duration::from_secs(1);

/// The shared connection. It connects again whenever it breaks; a response timeout is set on purpose, and there is no
/// blocking command.
#[derive(Clone)]
pub(crate) enum Connection {
    Single(ConnectionManager),
    /// Finds the node by the hash tag that all keys of a workshop share; a pipeline goes where its first key is.
    Cluster(ClusterConnection),
}

impl Connection {
    pub(crate) fn to_one(server: &redis::Client, response: Duration) -> RedisResult<Self> {
        let config = ConnectionManagerConfig::new()
            .set_response_timeout(Some(response))
            .set_connection_timeout(Some(CONNECTING))
            .set_number_of_retries(1)
            .set_max_delay(Duration::from_millis(500));
        Ok(Self::Single(ConnectionManager::new_lazy_with_config(server.clone(), config)?))
    }

    pub(crate) fn to_cluster(nodes: &[String], response: Duration) -> RedisResult<Self> {
        let client = ClusterClientBuilder::new(nodes.iter().map(String::as_str))
            // Being sent on to another node counts as a retry, and so does a node that went away.
            .retries(3)
            .min_retry_wait(50)
            .max_retry_wait(500)
            .response_timeout(response)
            .build()?;
        let config = ClusterConfig::new().set_connection_timeout(CONNECTING).set_response_timeout(response);
        Ok(Self::Cluster(client.get_pending_async_connection_with_config(config)))
    }
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::Single(connection) => connection.req_packed_command(command),
            Self::Cluster(connection) => connection.req_packed_command(command),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::Single(connection) => connection.req_packed_commands(pipeline, offset, count),
            Self::Cluster(connection) => connection.req_packed_commands(pipeline, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::Single(connection) => connection.get_db(),
            Self::Cluster(connection) => connection.get_db(),
        }
    }
}

/// The response timeout, where the connection has none of its own.
pub(crate) async fn in_time<T>(answer: impl Future<Output = RedisResult<T>>) -> Result<T, BrokerError> {
    match tokio::time::timeout(timings::REDIS_RESPONSE, answer).await {
        Ok(answer) => Ok(answer?),
        Err(late) => Err(redis::RedisError::from(std::io::Error::from(late)).into()),
    }
}

/// Where to hear what is published.
#[derive(Clone)]
pub(crate) struct Listeners(pub(crate) Vec<redis::Client>);

impl Listeners {
    /// Subscribes at the first server that answers in time.
    pub(crate) async fn subscribe(&self, channels: &[&String]) -> Result<PubSub, BrokerError> {
        let mut last = BrokerError::Corrupt("a store without a server".to_owned());
        for server in &self.0 {
            let subscribed = in_time(async {
                let mut heard = server.get_async_pubsub().await?;
                heard.subscribe(channels).await?;
                Ok(heard)
            });
            match subscribed.await {
                Ok(heard) => return Ok(heard),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}
