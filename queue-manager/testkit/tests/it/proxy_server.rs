//! A small proxy for CONNECT and SOCKS5, the only one that knows the name `queue-manager.test`.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

pub struct ProxyServer {
    pub address: SocketAddr,
    /// `CONNECT name:port` or `SOCKS name:port` of every connection.
    pub asked: Arc<Mutex<Vec<String>>>,
    _over: DropGuard,
}

impl ProxyServer {
    /// Leads everyone who asks for the name to `server`; HTTP needs `authorization` as its Proxy-Authorization, if any.
    pub async fn start(server: &str, authorization: Option<&str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, over, tasks) =
            (listener.local_addr().unwrap(), CancellationToken::new(), TaskTracker::new());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (server, needs, log) =
            (server.to_owned(), authorization.map(ToOwned::to_owned), Arc::clone(&asked));
        let (spawner, serving) = (tasks.clone(), over.clone());
        tasks.spawn(over.clone().run_until_cancelled_owned(async move {
            while let Ok((near, _)) = listener.accept().await {
                let serve = serve(near, server.clone(), needs.clone(), Arc::clone(&log));
                spawner.spawn(serving.clone().run_until_cancelled_owned(serve));
            }
        }));
        Self { address, asked, _over: over.drop_guard() }
    }
}

async fn serve(near: TcpStream, server: String, needs: Option<String>, log: Arc<Mutex<Vec<String>>>) {
    let mut near = BufReader::new(near);
    let socks = near.fill_buf().await.is_ok_and(|bytes| bytes.first() == Some(&5));
    let asked = if socks { socks_opening(&mut near).await } else { http_opening(&mut near, needs).await };
    let Some(asked) = asked else { return };
    log.lock().unwrap().push(asked.clone());
    if !asked.contains(" queue-manager.test:") {
        return;
    }
    let Ok(mut far) = TcpStream::connect(server).await else { return };
    let yes: &[u8] = if socks { &[5, 0, 0, 1, 0, 0, 0, 0, 0, 0] } else { b"HTTP/1.1 200 OK\r\n\r\n" };
    if near.write_all(yes).await.is_ok() {
        drop(copy_bidirectional(&mut near, &mut far).await);
    }
}

/// Greeting without a method that needs a password, then CONNECT to a name.
async fn socks_opening(near: &mut BufReader<TcpStream>) -> Option<String> {
    let mut head = [0; 2];
    near.read_exact(&mut head).await.ok()?;
    near.read_exact(&mut vec![0; head[1].into()]).await.ok()?;
    near.write_all(&[5, 0]).await.ok()?;
    let mut request = [0; 5];
    near.read_exact(&mut request).await.ok()?;
    let [5, 1, 0, 3, length] = request else { return Some("SOCKS an address".to_owned()) };
    let mut name = vec![0; usize::from(length) + 2];
    near.read_exact(&mut name).await.ok()?;
    let port = name.split_off(length.into());
    let port = u16::from_be_bytes([port[0], port[1]]);
    Some(format!("SOCKS {}:{port}", String::from_utf8_lossy(&name)))
}

/// `CONNECT name:port`.
async fn http_opening(near: &mut BufReader<TcpStream>, needs: Option<String>) -> Option<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        near.read_line(&mut head).await.ok().filter(|read| *read > 0)?;
    }
    let mut fields = head.lines().filter_map(|line| line.split_once(": "));
    let has = |needs: &str| {
        fields.any(|(name, value)| name.eq_ignore_ascii_case("proxy-authorization") && value == needs)
    };
    if !needs.as_deref().is_none_or(has) {
        near.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n")
            .await
            .ok()?;
        return None;
    }
    let mut words = head.split(' ');
    Some(format!("{} {}", words.next()?, words.next()?))
}
