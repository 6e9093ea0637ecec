//! A line between two programs that a test can make slow or silent, as a bad network would: nothing is closed, bytes just
//! do not come. It can also break, with all that is on its way, and keep every byte that came back.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// How the line is now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Line {
    /// Bytes a second towards the server; `None` for as many as come.
    pub up: Option<u32>,
    /// Nothing gets to the server.
    pub up_silent: bool,
    /// Nothing comes back.
    pub down_silent: bool,
}

impl Line {
    /// Nothing in either direction.
    pub const CUT: Self = Self { up: None, up_silent: true, down_silent: true };
}

/// What came back over one connection.
type Tape = Arc<Mutex<Vec<u8>>>;

/// A listener that passes everything on to one server. Ends when dropped.
pub struct Relay {
    /// `http://…` of this end.
    pub url: String,
    line: watch::Sender<Line>,
    open: Arc<Mutex<CancellationToken>>,
    tapes: Option<Arc<Mutex<Vec<Tape>>>>,
    _over: DropGuard,
}

/// Small, so that bytes wait in the sender and not in between.
const PIECE: usize = 1024;

impl Relay {
    /// A good line to `server` (`host:port`).
    ///
    /// # Errors
    /// When the system has no port.
    pub fn start(server: &str) -> anyhow::Result<Self> {
        Self::begin(server, None)
    }

    /// The same, and it keeps what comes back.
    ///
    /// # Errors
    /// When the system has no port.
    pub fn recording(server: &str) -> anyhow::Result<Self> {
        Self::begin(server, Some(Arc::default()))
    }

    fn begin(server: &str, tapes: Option<Arc<Mutex<Vec<Tape>>>>) -> anyhow::Result<Self> {
        let (line, seen) = watch::channel(Line::default());
        let (over, server) = (CancellationToken::new(), server.to_owned());
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(4 * 1024)?;
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        let listener = socket.listen(64)?;
        let url = format!("http://{}", listener.local_addr()?);
        let tasks = TaskTracker::new();
        let open = Arc::new(Mutex::new(over.child_token()));
        let accepting = accept(listener, server, seen, tapes.clone(), Arc::clone(&open), tasks.clone());
        tasks.spawn(over.clone().run_until_cancelled_owned(accepting));
        Ok(Self { url, line, open, tapes, _over: over.drop_guard() })
    }

    /// Every byte that came back so far, for each connection in its order. Empty without a recording.
    #[must_use]
    pub fn came_back(&self) -> Vec<Vec<u8>> {
        let Some(tapes) = &self.tapes else { return Vec::new() };
        let tapes = tapes.lock().unwrap_or_else(PoisonError::into_inner);
        tapes.iter().map(|tape| tape.lock().unwrap_or_else(PoisonError::into_inner).clone()).collect()
    }

    /// Changes the line, for open connections as well.
    pub fn set(&self, line: Line) {
        self.line.send_replace(line);
    }

    /// Breaks every open connection; what it had not passed on is lost. Later ones are on a good line.
    pub fn break_off(&self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.cancel();
        *open = CancellationToken::new();
        self.set(Line::default());
    }
}

async fn accept(
    listener: TcpListener,
    server: String,
    line: watch::Receiver<Line>,
    tapes: Option<Arc<Mutex<Vec<Tape>>>>,
    open: Arc<Mutex<CancellationToken>>,
    tasks: TaskTracker,
) {
    while let Ok((near, _)) = listener.accept().await {
        let Ok(far) = TcpStream::connect(&server).await else { continue };
        let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
        let tape = tapes.as_ref().map(|tapes| {
            let tape = Tape::default();
            tapes.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&tape));
            tape
        });
        let up = pass_on(near_in, far_out, line.clone(), None, |line| (line.up_silent, line.up));
        let down = pass_on(far_in, near_out, line.clone(), tape, |line| (line.down_silent, None));
        let broken = open.lock().unwrap_or_else(PoisonError::into_inner).clone();
        tasks.spawn(broken.clone().run_until_cancelled_owned(up));
        tasks.spawn(broken.run_until_cancelled_owned(down));
    }
}

async fn pass_on(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut line: watch::Receiver<Line>,
    tape: Option<Tape>,
    how: fn(&Line) -> (bool, Option<u32>),
) {
    let mut piece = [0; PIECE];
    loop {
        if line.wait_for(|line| !how(line).0).await.is_err() {
            return;
        }
        let Ok(read @ 1..) = from.read(&mut piece).await else { return };
        if let Some(tape) = &tape {
            tape.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&piece[..read]);
        }
        // What was read before the line fell silent waits for it as well.
        if line.wait_for(|line| !how(line).0).await.is_err() || to.write_all(&piece[..read]).await.is_err() {
            return;
        }
        let rate = how(&line.borrow()).1;
        if let Some(rate) = rate {
            tokio::time::sleep(Duration::from_secs(1) * u32::try_from(read).unwrap_or(0) / rate).await;
        }
    }
}
