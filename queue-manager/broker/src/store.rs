//! Where the store is: one server or a cluster, and how it is named.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use redis::{ConnectionAddr, IntoConnectionInfo, RedisResult};

use crate::error::BrokerError;
use crate::shared_connection::{Connection, Listeners};

/// Where the store is. Its `Debug` shows no URL, which may hold a password.
#[derive(Clone, PartialEq, Eq)]
pub enum Store {
    /// `redis://[user:password@]host:port[/database]`, or `rediss://…` with TLS: certificates are the system's, or those
    /// of the file that `SSL_CERT_FILE` names.
    Url(String),
    /// A unix socket; may be a relative path, because a socket's path is limited to 107 bytes.
    Socket(PathBuf),
    /// Nodes of a Redis Cluster, each as an URL; those that are not named are found through them.
    Cluster(Vec<String>),
}

impl FromStr for Store {
    type Err = std::convert::Infallible;
    /// `unix:PATH` names a socket, `redis-cluster://[user:password@]host:port,host:port…` (`rediss-cluster://…` with
    /// TLS) a cluster, anything else is an URL.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(path) = text.strip_prefix("unix:") {
            return Ok(Self::Socket(path.into()));
        }
        Ok(match text.split_once("-cluster://") {
            Some((scheme @ ("redis" | "rediss"), rest)) => {
                let (user, nodes) = rest.rfind('@').map_or(("", rest), |at| rest.split_at(at + 1));
                Self::Cluster(nodes.split(',').map(|node| format!("{scheme}://{user}{node}")).collect())
            }
            _ => Self::Url(text.to_owned()),
        })
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Url(_) => f.write_str("Url(***)"),
            Self::Socket(path) => f.debug_tuple("Socket").field(path).finish(),
            Self::Cluster(_) => f.write_str("Cluster(***)"),
        }
    }
}

impl Store {
    /// Every server that a listener may ask: in a cluster each node hears what any node publishes.
    fn servers(&self) -> RedisResult<Vec<redis::Client>> {
        match self {
            Self::Url(url) => Ok(vec![redis::Client::open(url.as_str())?]),
            Self::Socket(path) => {
                let info = ConnectionAddr::Unix(path.clone()).into_connection_info()?;
                Ok(vec![redis::Client::open(info)?])
            }
            Self::Cluster(nodes) => nodes.iter().map(|node| redis::Client::open(node.as_str())).collect(),
        }
    }

    fn speaks_tls(&self) -> bool {
        match self {
            Self::Url(url) => url.starts_with("rediss://"),
            Self::Socket(_) => false,
            Self::Cluster(nodes) => nodes.iter().any(|node| node.starts_with("rediss://")),
        }
    }

    /// Both ways to the store; an answer may take so long. Nothing is connected before it is used, but for a cluster's nodes,
    /// in the background.
    pub(crate) fn connect(&self, response: Duration) -> Result<(Connection, Listeners), BrokerError> {
        if self.speaks_tls() {
            // Said once in a process; an error means that somebody has said it before.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        let servers = self.servers()?;
        let connection = match (self, servers.first()) {
            (Self::Cluster(nodes), _) => Connection::to_cluster(nodes, response)?,
            (_, Some(server)) => Connection::to_one(server, response)?,
            (_, None) => return Err(BrokerError::Corrupt("a store without a server".to_owned())),
        };
        Ok((connection, Listeners(servers)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_is_named_by_some_of_its_nodes() {
        let store: Store = "rediss-cluster://ada:s%40@a:1,b:2,c:3".parse().unwrap();
        let nodes = ["rediss://ada:s%40@a:1", "rediss://ada:s%40@b:2", "rediss://ada:s%40@c:3"];
        assert_eq!(store, Store::Cluster(nodes.map(str::to_owned).into()));
        assert_eq!("redis-cluster://a:1".parse(), Ok(Store::Cluster(vec!["redis://a:1".to_owned()])));
        assert_eq!("unix:data/redis.sock".parse(), Ok(Store::Socket("data/redis.sock".into())));
        assert_eq!("redis://:pw@a:1/2".parse(), Ok(Store::Url("redis://:pw@a:1/2".to_owned())));
    }

    #[test]
    fn a_store_shows_no_password_when_printed() {
        for text in ["redis://ada:secret@a:1", "redis-cluster://:secret@a:1,b:2", "rediss://x:secret@a@b:1"] {
            let shown = format!("{:?}", text.parse::<Store>().unwrap());
            assert!(!shown.contains("secret"), "{shown}");
        }
    }
}
