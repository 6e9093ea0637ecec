//! One private redis-server for this test binary, on a socket in a temporary folder.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use queue_broker::{Broker, Store};
use queue_protocol::Workshop;

pub struct RedisServer {
    _processes: [Child; 2],
    folder: tempfile::TempDir,
}

impl RedisServer {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let process = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--appendonly", "no", "--unixsocket"])
            .arg(folder.path().join("redis.sock"))
            .arg("--dir")
            .arg(folder.path())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed (apt-get install redis-server)");
        // The server ends with the test binary, however that ends: a watcher waits for our process id to vanish.
        let watcher = Command::new("sh")
            .arg("-c")
            .arg(format!(
                "while kill -0 {} 2>/dev/null; do sleep 1; done; kill {}; rm -rf '{}'",
                std::process::id(),
                process.id(),
                folder.path().display()
            ))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { _processes: [process, watcher], folder }
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("redis.sock")
    }

    fn store(&self) -> Store {
        Store::Socket(self.socket())
    }
}

/// A workshop nobody else uses, on the shared server.
pub async fn fresh_workshop() -> Broker {
    static SERVER: OnceLock<RedisServer> = OnceLock::new();
    SERVER.get_or_init(RedisServer::start).workshop().await
}

/// The same, where each person may have so many jobs running.
pub async fn fresh_workshop_with_cap(running: u32) -> Broker {
    let broker = fresh_workshop().await;
    broker.configure(None, &[("running_per_participant", &running.to_string())]).await.unwrap();
    broker
}

impl RedisServer {
    /// A workshop nobody else uses.
    pub async fn workshop(&self) -> Broker {
        let workshop: Workshop = format!("t{:016x}", rand::random::<u64>()).parse().unwrap();
        let broker = Broker::new(&self.store(), &workshop).unwrap();
        for _ in 0..200 {
            if broker.open(&[]).await.is_ok() {
                return broker;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("redis-server did not answer within 4 s");
    }

    /// Writes past the scripts, to the only workshop here.
    pub async fn spoil(&self, command: &str, suffix: &str, arguments: &[&str]) {
        let mut connection = self.connection().await;
        let keys: Vec<String> =
            redis::cmd("KEYS").arg(format!("*{suffix}")).query_async(&mut connection).await.unwrap();
        redis::cmd(command).arg(&keys[0]).arg(arguments).query_async::<()>(&mut connection).await.unwrap();
    }

    async fn connection(&self) -> redis::aio::MultiplexedConnection {
        let client = redis::Client::open(redis::ConnectionAddr::Unix(self.socket())).unwrap();
        for _ in 0..200 {
            if let Ok(connection) = client.get_multiplexed_async_connection().await {
                return connection;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("redis-server did not answer within 4 s");
    }

    /// Empties the whole server; for those who have one to themselves.
    pub async fn forget_everything(&self) {
        let mut connection = self.connection().await;
        redis::cmd("FLUSHALL").query_async::<()>(&mut connection).await.unwrap();
    }
}
