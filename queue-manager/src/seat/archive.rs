//! `jobs/archive.zip`: everything of one participant, written while it is downloaded: what their jobs made, and the
//! workflows they saved. One at a time per account, and a whole room at once; whoever reads too slowly is cut off.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_util::task::TaskTracker;
use zip::CompressionMethod;
use zip::write::{SimpleFileOptions, StreamWriter, ZipWriter};

use super::queue::RECENT;
use crate::api::view::references;
use crate::files::{Files, StorePath, outputs};
use crate::identity::Caller;
use crate::problem::{SeatTrouble, Trouble};
use crate::turns::{Costly, Turn};
use crate::workflow::submit::Door;

/// Bytes that are read before they are handed to the browser.
const PIECE: usize = 256 * 1024;

/// How long a browser may take for one piece, and how far it may fall behind [`LEAST`].
const PATIENCE: Duration = Duration::from_secs(30);

/// Bytes that a browser takes in a second, or others get its place.
const LEAST: u64 = 64 * 1024;

/// How long somebody waits for a place.
const WAIT: Duration = Duration::from_secs(45);

pub(super) async fn download(
    State(door): State<Door>,
    State(files): State<Files>,
    State(costly): State<Costly>,
    caller: Caller,
) -> Result<Response, SeatTrouble> {
    let turn = place(&costly, &caller).await?;
    let list = contents(&door, &files, &caller).await?;
    // A browser that reads slowly stops the reading of files, and holds no thread meanwhile.
    let (sender, mut pieces) = mpsc::channel(2);
    let whole = Arc::new(AtomicBool::new(false));
    let is_whole = Arc::clone(&whole);
    TaskTracker::new().spawn(async move {
        match write(&files, &list, Pieces { sender, sent: 0, waited: Duration::ZERO }).await {
            Ok(()) => whole.store(true, Ordering::Release),
            Err(error) => tracing::debug!(%error, "an archive ended early"),
        }
        drop(turn);
    });
    // Nobody must take half an archive for a whole one.
    let body = Body::from_stream(futures_util::stream::poll_fn(move |context| {
        pieces.poll_recv(context).map(|piece| match piece {
            None if !is_whole.load(Ordering::Acquire) => {
                Some(Err(io::Error::from(io::ErrorKind::UnexpectedEof)))
            }
            piece => piece.map(Ok),
        })
    }));
    let name = format!("attachment; filename=\"{}.zip\"", caller.name);
    let headers = [
        (header::CONTENT_TYPE, "application/zip"),
        (header::CONTENT_DISPOSITION, name.as_str()),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, body).into_response())
}

async fn place(costly: &Costly, caller: &Caller) -> Result<Turn, Trouble> {
    let own = |_| {
        Trouble::Busy(
            "You are downloading it already. Wait until that has ended, or stop it in your browser.",
        )
    };
    let others =
        |_| Trouble::Busy("Many are downloading everything of theirs just now. Try again in a minute.");
    timeout(WAIT, costly.archives.take(&caller.name)).await.map_err(others)?.map_err(own)
}

/// Name in the archive → file. A folder per job, oldest first by its number.
async fn contents(
    door: &Door,
    files: &Files,
    caller: &Caller,
) -> Result<BTreeMap<String, StorePath>, Trouble> {
    let mut list = BTreeMap::new();
    for job in door.broker.jobs_of(&caller.name, RECENT).await? {
        let result = if job.state.is_end() { door.broker.result(job.id).await? } else { None };
        for (_, _, file) in result.iter().flat_map(references).filter(|(_, _, file)| file.kind == "output") {
            // The first folder of an output's reference is its job.
            let inner =
                file.subfolder.split_once('/').map(|(_, inner)| format!("{inner}/")).unwrap_or_default();
            let name = format!("{inner}{}", file.filename);
            if let Ok(path) = outputs::visible(&job, &file.kind, &name) {
                let short: String = job.id.to_string().chars().take(8).collect();
                list.insert(format!("jobs/{:05}-{short}/{name}", job.seq), path);
            }
        }
    }
    let saved = ["userdata", caller.name.as_str(), "workflows"];
    for entry in files.list_all(&StorePath::new(&saved)?).await? {
        let path = StorePath::new(&[saved[0], saved[1], saved[2], &entry.name])?;
        list.insert(format!("workflows/{}", entry.name), path);
    }
    Ok(list)
}

/// What goes to a browser, and how long it let us wait for that.
struct Pieces {
    sender: mpsc::Sender<Bytes>,
    sent: u64,
    waited: Duration,
}

/// How long a browser may take for its next piece that took so many bytes in that time.
fn patience(sent: u64, waited: Duration) -> Duration {
    (PATIENCE + Duration::from_secs(sent / LEAST)).saturating_sub(waited).min(PATIENCE)
}

impl Pieces {
    async fn send(&mut self, piece: Vec<u8>) -> io::Result<()> {
        let (size, began) = (piece.len() as u64, Instant::now());
        let sent = self.sender.send_timeout(Bytes::from(piece), patience(self.sent, self.waited)).await;
        (self.sent, self.waited) = (self.sent + size, self.waited + began.elapsed());
        match sent {
            Ok(()) => Ok(()),
            Err(mpsc::error::SendTimeoutError::Timeout(_)) => Err(io::ErrorKind::TimedOut.into()),
            Err(mpsc::error::SendTimeoutError::Closed(_)) => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }
}

/// Pictures and films are compressed as they are.
async fn write(files: &Files, list: &BTreeMap<String, StorePath>, mut pieces: Pieces) -> io::Result<()> {
    let written = Written::default();
    let mut archive = ZipWriter::new_stream(written.clone());
    for (name, path) in list {
        let (file, size) = match files.open_file(path) {
            Ok(found) => found,
            // Deleted since.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .large_file(size > u64::from(u32::MAX));
        archive.start_file(name.as_str(), options)?;
        copy(file, &mut archive, &written, &mut pieces).await?;
    }
    archive.finish()?;
    written.send(0, &mut pieces).await
}

async fn copy(
    mut file: tokio::fs::File,
    archive: &mut ZipWriter<StreamWriter<Written>>,
    written: &Written,
    pieces: &mut Pieces,
) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    loop {
        let read = file.read(&mut piece).await?;
        if read == 0 {
            return Ok(());
        }
        archive.write_all(&piece[..read])?;
        written.send(PIECE, pieces).await?;
    }
}

/// What was written and not sent yet. Writing never fails, so an archive that is given up ends without a word.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Written {
    /// Sends all there is, if it is at least so much.
    async fn send(&self, at_least: usize, pieces: &mut Pieces) -> io::Result<()> {
        let piece = {
            let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if waiting.len() < at_least {
                return Ok(());
            }
            std::mem::take(&mut *waiting)
        };
        pieces.send(piece).await
    }
}

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_reads_slowly_all_the_time_is_cut_off_and_a_pause_is_forgiven() {
        let seconds = Duration::from_secs;
        assert_eq!(patience(0, Duration::ZERO), PATIENCE);
        assert_eq!(patience(100 * LEAST, seconds(100)), PATIENCE, "as fast as must be");
        assert_eq!(patience(1_000 * LEAST, seconds(29)), PATIENCE, "a fast one may pause");
        assert_eq!(patience(256 * 1024, seconds(29)), seconds(5));
        assert_eq!(patience(2 * 256 * 1024, seconds(58)), Duration::ZERO);
    }
}
