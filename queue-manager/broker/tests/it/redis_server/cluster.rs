//! A Redis Cluster of three nodes without replicas, who ask for a user and a password.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use queue_broker::Store;

use super::process::Process;

pub const USER: &str = "ada:s%40%2Ccret";
pub const ACL: [&str; 7] = ["--user", "ada", "on", ">s@,cret", "~*", "&*", "+@all"];
const LAST_SLOTS: [u32; 3] = [5_460, 10_922, 16_383];

pub struct Node {
    folder: tempfile::TempDir,
    port: u16,
    bus_port: u16,
    process: Option<Process>,
}

pub struct Cluster {
    pub nodes: Vec<Node>,
}

impl Node {
    fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub fn url(&self) -> String {
        format!("redis://{USER}@{}", self.address())
    }

    pub fn start(&mut self) {
        let (port, bus_port) = (self.port.to_string(), self.bus_port.to_string());
        let address = ["--bind", "127.0.0.1", "--port", &port, "--cluster-port", &bus_port];
        // A slot without its node is nobody else's trouble.
        let cluster =
            ["--cluster-enabled", "yes", "--cluster-require-full-coverage", "no", "--appendonly", "yes"];
        let arguments = [address.as_slice(), &cluster, &ACL].concat();
        self.process = Some(Process::start(self.folder.path(), &arguments));
    }

    /// As `kill -9`.
    pub fn kill(&mut self) {
        self.process = None;
    }

    pub fn signal(&self, name: &str) {
        self.process.as_ref().unwrap().signal(name);
    }

    pub fn connection(&mut self) -> Option<redis::Connection> {
        let client = redis::Client::open(self.url()).unwrap();
        let until = Instant::now() + Duration::from_secs(10);
        while Instant::now() < until && !self.process.as_mut()?.has_ended() {
            if let Ok(connection) = client.get_connection() {
                return Some(connection);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        None
    }
}

impl Cluster {
    pub fn start() -> Self {
        // Between looking for a free port and using it somebody else may take it.
        (0..5).find_map(|_| Self::try_to_start()).expect("three redis-servers form a cluster")
    }

    fn try_to_start() -> Option<Self> {
        let listeners: Vec<_> = (0..6).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let ports: Vec<_> = listeners.iter().map(|listener| listener.local_addr().unwrap().port()).collect();
        drop(listeners);
        let node = |ports: &[u16]| Node {
            folder: tempfile::tempdir().unwrap(),
            port: ports[0],
            bus_port: ports[1],
            process: None,
        };
        let mut nodes: Vec<_> = ports.chunks(2).map(node).collect();
        nodes.iter_mut().for_each(Node::start);
        let mut connections: Vec<_> = nodes.iter_mut().map(Node::connection).collect::<Option<_>>()?;
        let mut first = 0;
        for (number, last) in LAST_SLOTS.into_iter().enumerate() {
            let tell = |command: &mut redis::Cmd, to: &mut redis::Connection| command.exec(to).unwrap();
            let own = &mut connections[number];
            tell(redis::cmd("CLUSTER").arg("SET-CONFIG-EPOCH").arg(number + 1), own);
            tell(redis::cmd("CLUSTER").arg("ADDSLOTSRANGE").arg(first).arg(last), own);
            let Node { port, bus_port, .. } = nodes[number];
            tell(
                redis::cmd("CLUSTER").arg("MEET").arg("127.0.0.1").arg(port).arg(bus_port),
                &mut connections[0],
            );
            first = last + 1;
        }
        let until = Instant::now() + Duration::from_secs(30);
        while !connections.iter_mut().all(knows_all) {
            if Instant::now() > until {
                return None;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(Self { nodes })
    }

    pub fn store(&self) -> Store {
        self.store_by(&[0, 1, 2])
    }

    /// As somebody knows it who was told of these nodes only.
    pub fn store_by(&self, nodes: &[usize]) -> Store {
        let nodes: Vec<_> = nodes.iter().map(|node| self.nodes[*node].address()).collect();
        format!("redis-cluster://{USER}@{}", nodes.join(",")).parse().unwrap()
    }

    /// The node that has this workshop.
    pub fn owner_of(&mut self, workshop: &str) -> usize {
        let mut connection = self.nodes[0].connection().unwrap();
        let slot: u32 = redis::cmd("CLUSTER").arg("KEYSLOT").arg(workshop).query(&mut connection).unwrap();
        LAST_SLOTS.iter().position(|last| slot <= *last).unwrap()
    }

    pub fn run_id(&mut self, node: usize) -> String {
        let mut connection = self.nodes[node].connection().unwrap();
        let info: String = redis::cmd("INFO").arg("server").query(&mut connection).unwrap();
        info.lines().find_map(|line| line.strip_prefix("run_id:")).unwrap().to_owned()
    }
}

fn knows_all(node: &mut redis::Connection) -> bool {
    let info: String = redis::cmd("CLUSTER").arg("INFO").query(node).unwrap();
    ["cluster_state:ok", "cluster_known_nodes:3", "cluster_slots_ok:16384"]
        .iter()
        .all(|fact| info.contains(fact))
}
