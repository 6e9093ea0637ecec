//! One private redis-server for this test binary, on a socket in a temporary folder.

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
    fn start() -> Self {
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

    fn store(&self) -> Store {
        Store::Socket(self.folder.path().join("redis.sock"))
    }
}

/// A workshop nobody else uses, on the shared server.
pub async fn fresh_workshop() -> Broker {
    fresh_workshop_with_cap(1).await
}

/// The same, where each person may have so many jobs running.
pub async fn fresh_workshop_with_cap(running: u32) -> Broker {
    static SERVER: OnceLock<RedisServer> = OnceLock::new();
    let server = SERVER.get_or_init(RedisServer::start);
    let workshop: Workshop = format!("t{:016x}", rand::random::<u64>()).parse().unwrap();
    let broker = Broker::new(&server.store(), &workshop).unwrap();
    let settings = [("mode", "fifo".to_owned()), ("running_per_participant", running.to_string())];
    for _ in 0..200 {
        if broker.open(&settings).await.is_ok() {
            return broker;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("redis-server did not answer within 4 s");
}
