//! How connections end. The server's own graceful stop forgets a connection once it has become a websocket, and the
//! process would end before the socket was told; so the listener knows which of its connections are open.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// How long the other end may take to say goodbye as well.
const PATIENCE: Duration = Duration::from_secs(1);

/// Closes a websocket as the protocol has it: says why, then waits for the other end's word, so that what it was just
/// sending does not meet a closed door and cost it ours.
pub(crate) async fn goodbye(mut socket: WebSocket, reason: &'static str) {
    let close = CloseFrame { code: close_code::AWAY, reason: reason.into() };
    // The other end may be gone already, or never answer.
    let _ = tokio::time::timeout(PATIENCE, async {
        if socket.send(Message::Close(Some(close))).await.is_ok() {
            while let Some(Ok(_)) = socket.recv().await {}
        }
    })
    .await;
}

/// Hands out connections that `open` counts until they are closed.
pub(crate) struct CountingListener {
    pub(crate) listener: TcpListener,
    pub(crate) open: TaskTracker,
}

impl Listener for CountingListener {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        // The trait's accept, which waits and tries again when the process has too many files open.
        let (stream, address) = Listener::accept(&mut self.listener).await;
        (Connection { stream, _open: self.open.token() }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection that counts as open until it is dropped.
pub(crate) struct Connection {
    stream: TcpStream,
    _open: TaskTrackerToken,
}

impl Drop for Connection {
    /// Closing with something unread resets the connection, and a reset throws away what the other end has not read
    /// yet: our goodbye.
    fn drop(&mut self) {
        let mut unread = [0; 4096];
        for _ in 0..16 {
            if !matches!(self.stream.try_read(&mut unread), Ok(bytes) if bytes > 0) {
                break;
            }
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    #[tokio::test]
    async fn a_connection_is_open_until_it_is_dropped_and_a_goodbye_arrives_whatever_was_not_read() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut listener = CountingListener { listener, open: TaskTracker::new() };
        let mut client = std::net::TcpStream::connect(Listener::local_addr(&listener).unwrap()).unwrap();
        let (mut connection, _) = listener.accept().await;
        assert_eq!(listener.open.len(), 1);
        client.write_all(b"never read").unwrap();
        connection.stream.readable().await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut connection, b"goodbye").await.unwrap();
        drop(connection);
        assert!(listener.open.is_empty());
        let mut heard = String::new();
        client.read_to_string(&mut heard).expect("the end of the stream and no reset");
        assert_eq!(heard, "goodbye");
    }
}
