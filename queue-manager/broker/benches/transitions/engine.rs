//! A redis-server of our own, in a folder of its own; both go when it is dropped, or when the bench is killed.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use queue_broker::{Broker, Store};
use redis::aio::{ConnectionManager, ConnectionManagerConfig};

/// How long an answer may take before a bench gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server.
pub struct Engine {
    server: Child,
    watcher: Child,
    folder: tempfile::TempDir,
}

impl Engine {
    /// Starts one; `appendonly` as the queue-manager's private server does it, fsync every second.
    pub fn start(appendonly: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--appendonly", if appendonly { "yes" } else { "no" }])
            .args(["--unixsocket", "redis.sock", "--dir", "."])
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed (apt-get install redis-server)");
        let (us, it, at) = (std::process::id(), server.id(), folder.path().display());
        let watcher = Command::new("sh")
            .arg("-c")
            .arg(format!("while kill -0 {us} 2>/dev/null; do sleep 1; done; kill {it}; rm -rf '{at}'"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { server, watcher, folder }
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("redis.sock")
    }

    /// A client for what no transition does.
    pub fn client(&self) -> redis::Client {
        redis::Client::open(redis::ConnectionAddr::Unix(self.socket())).unwrap()
    }

    /// A connection of the kind that the broker has.
    pub async fn connection(&self) -> ConnectionManager {
        let config = ConnectionManagerConfig::new().set_response_timeout(Some(PATIENCE));
        for _ in 0..3_000 {
            if let Ok(connection) = ConnectionManager::new_with_config(self.client(), config.clone()).await {
                return connection;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("redis-server did not answer within a minute");
    }

    /// The workshop on it.
    pub async fn broker(&self) -> Broker {
        self.connection().await;
        let broker =
            Broker::patient(&Store::Socket(self.socket()), &"bench".parse().unwrap(), PATIENCE).unwrap();
        broker.open(&[]).await.unwrap();
        broker
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        for child in [&mut self.watcher, &mut self.server] {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The fields of a section of `INFO`.
pub async fn info(connection: &mut ConnectionManager, section: &str) -> HashMap<String, String> {
    let text: String = redis::cmd("INFO").arg(section).query_async(connection).await.unwrap();
    let fields = text.lines().filter_map(|line| line.split_once(':'));
    fields.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect()
}

/// µs that the server has spent on a command so far.
pub async fn spent_on(connection: &mut ConnectionManager, command: &str) -> u64 {
    let stats = info(connection, "commandstats").await;
    let of_it = stats.get(&format!("cmdstat_{command}")).cloned().unwrap_or_default();
    of_it.split(',').find_map(|part| part.strip_prefix("usec=")?.parse().ok()).unwrap_or_default()
}
