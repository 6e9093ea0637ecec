//! The servers that the tests run on: real ones, in temporary folders, started by this test binary.

pub mod cluster;
pub mod engine;
pub mod process;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use queue_broker::{Broker, Store};
use queue_protocol::Workshop;
use redis::FromRedisValue;

use cluster::Cluster;
use engine::Engine;
use process::Process;

/// A store of the engine that was asked for.
pub enum RedisServer {
    Single { _process: Process, folder: tempfile::TempDir },
    Cluster(Cluster),
}

/// As the private server of a queue-manager writes its log, but that it is rewritten when a test says so.
pub const APPENDING: [&str; 8] = [
    "--appendonly",
    "yes",
    "--appendfsync",
    "everysec",
    "--aof-load-truncated",
    "yes",
    "--auto-aof-rewrite-percentage",
    "0",
];

/// Starts one server with a socket in a folder.
pub fn on_a_socket(folder: &Path, arguments: &[&str]) -> Process {
    let arguments = [&["--port", "0", "--unixsocket", "redis.sock"], arguments].concat();
    Process::start(folder, &arguments)
}

pub fn socket(folder: &Path) -> PathBuf {
    folder.join("redis.sock")
}

impl RedisServer {
    pub fn start() -> Self {
        if Engine::chosen() == Engine::Cluster {
            return Self::Cluster(Cluster::start());
        }
        let folder = tempfile::tempdir().unwrap();
        let process = on_a_socket(folder.path(), &["--appendonly", "no"]);
        if Engine::chosen() == Engine::Forgetful {
            let path = socket(folder.path());
            std::thread::spawn(move || forget_scripts(&path));
        }
        Self::Single { _process: process, folder }
    }

    fn store(&self) -> Store {
        match self {
            Self::Single { folder, .. } => Store::Socket(socket(folder.path())),
            Self::Cluster(cluster) => cluster.store(),
        }
    }
}

/// Until the server is gone.
fn forget_scripts(path: &Path) {
    let client = redis::Client::open(redis::ConnectionAddr::Unix(path.to_owned())).unwrap();
    let mut connection = loop {
        match client.get_connection() {
            Ok(connection) => break connection,
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    while redis::cmd("SCRIPT").arg("FLUSH").arg("SYNC").exec(&mut connection).is_ok() {
        std::thread::sleep(Duration::from_millis(3));
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

pub fn fresh_name() -> Workshop {
    format!("t{:016x}", rand::random::<u64>()).parse().unwrap()
}

/// How long a test waits for an answer that comes in less than a millisecond, if the machine does not stand still.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A workshop of that name, as soon as the store answers.
pub async fn open_patiently(store: &Store, workshop: &Workshop) -> Broker {
    opened(Broker::patient(store, workshop, PATIENCE).unwrap()).await
}

/// The same, waiting for an answer as the service does.
pub async fn open(store: &Store, workshop: &Workshop) -> Broker {
    opened(Broker::new(store, workshop).unwrap()).await
}

async fn opened(broker: Broker) -> Broker {
    answers(&broker).await;
    broker.open(&[]).await.unwrap();
    broker
}

/// As soon as it does.
pub async fn answers(broker: &Broker) {
    let mut last = None;
    for _ in 0..500 {
        match broker.ping().await {
            Ok(()) => return,
            Err(error) => last = Some(error),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the store did not answer within 10 s: {last:?}");
}

/// Lets a server write its log anew, and waits until it is done.
pub fn rewrite_log(folder: &Path) {
    let mut connection = connection(folder);
    redis::cmd("BGREWRITEAOF").exec(&mut connection).unwrap();
    wait_for(&mut connection, &["aof_rewrite_in_progress:0", "aof_rewrite_scheduled:0"]);
}

/// Waits until everything that was answered is in the log: while a flush to the disk takes its time, a server keeps for
/// up to two seconds to itself what came meanwhile.
pub fn written(connection: &mut redis::Connection) {
    wait_for(connection, &["aof_buffer_length:0"]);
}

fn wait_for(connection: &mut redis::Connection, facts: &[&str]) {
    for _ in 0..1_500 {
        let info: String = redis::cmd("INFO").arg("persistence").query(connection).unwrap();
        if facts.iter().all(|fact| info.lines().any(|line| line == *fact)) {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("a server that does not come to {facts:?} within 30 s");
}

pub fn connection(folder: &Path) -> redis::Connection {
    redis::Client::open(redis::ConnectionAddr::Unix(socket(folder))).unwrap().get_connection().unwrap()
}

impl RedisServer {
    /// A workshop nobody else uses.
    pub async fn workshop(&self) -> Broker {
        open_patiently(&self.store(), &fresh_name()).await
    }

    /// Writes past the scripts, to the only workshop here.
    pub async fn spoil(&self, command: &str, suffix: &str, arguments: &[&str]) {
        let keys: Vec<String> = self.ask(redis::cmd("KEYS").arg(format!("*{suffix}"))).await;
        self.ask::<()>(redis::cmd(command).arg(&keys[0]).arg(arguments)).await;
    }

    /// Changes a setting of the server, on every node.
    pub async fn set(&self, name: &str, value: &str) {
        self.ask::<()>(redis::cmd("CONFIG").arg("SET").arg(name).arg(value)).await;
    }

    /// Empties the whole store; for those who have one to themselves.
    pub async fn forget_everything(&self) {
        self.ask::<()>(&redis::cmd("FLUSHALL")).await;
    }

    /// As after a restart, on every node.
    pub async fn forget_scripts(&self) {
        self.ask::<()>(redis::cmd("SCRIPT").arg("FLUSH")).await;
    }

    async fn ask<T: FromRedisValue>(&self, command: &redis::Cmd) -> T {
        match self {
            Self::Single { folder, .. } => {
                let client = redis::Client::open(redis::ConnectionAddr::Unix(socket(folder.path()))).unwrap();
                let patient = redis::AsyncConnectionConfig::new()
                    .set_response_timeout(Some(PATIENCE))
                    .set_connection_timeout(Some(PATIENCE));
                for _ in 0..500 {
                    let connection = client.get_multiplexed_async_connection_with_config(&patient);
                    if let Ok(mut connection) = connection.await {
                        return command.query_async(&mut connection).await.unwrap();
                    }
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                panic!("the server did not answer within 10 s");
            }
            Self::Cluster(cluster) => {
                let nodes = cluster.nodes.iter().map(cluster::Node::url);
                let client = redis::cluster::ClusterClient::new(nodes).unwrap();
                let mut connection = client.get_async_connection().await.unwrap();
                command.query_async(&mut connection).await.unwrap()
            }
        }
    }
}
