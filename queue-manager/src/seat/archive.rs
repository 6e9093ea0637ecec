//! `jobs/archive.zip`: everything of one participant, written while it is downloaded: what their jobs made, and the
//! workflows they saved.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use tokio::sync::mpsc;
use zip::CompressionMethod;
use zip::write::{SimpleFileOptions, ZipWriter};

use super::queue::RECENT;
use crate::api::view::references;
use crate::files::{Files, StorePath, outputs};
use crate::identity::Caller;
use crate::problem::{SeatTrouble, Trouble};
use crate::workflow::submit::Door;

/// Bytes that are read before they are handed to the browser.
const CHUNK: usize = 256 * 1024;

pub(super) async fn download(
    State(door): State<Door>,
    State(files): State<Files>,
    caller: Caller,
) -> Result<Response, SeatTrouble> {
    let list = contents(&door, &files, &caller).await?;
    // A browser that reads slowly stops the reading of files, not more.
    let (sender, mut pieces) = mpsc::channel(2);
    tokio::task::spawn_blocking(move || {
        if let Err(error) = write(&files, &list, Pipe(sender.clone())) {
            // Who is gone needs no answer; everyone else must not take half an archive for a whole one.
            let _ = sender.blocking_send(Err(error));
        }
    });
    let body = Body::from_stream(futures_util::stream::poll_fn(move |context| pieces.poll_recv(context)));
    let name = format!("attachment; filename=\"{}.zip\"", caller.name);
    let headers = [
        (header::CONTENT_TYPE, "application/zip"),
        (header::CONTENT_DISPOSITION, name.as_str()),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, body).into_response())
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
    for entry in files.list(&StorePath::new(&saved)?, true).unwrap_or_default() {
        let path = StorePath::new(&[saved[0], saved[1], saved[2], &entry.name])?;
        list.insert(format!("workflows/{}", entry.name), path);
    }
    Ok(list)
}

/// Pictures and films are compressed as they are.
fn write(files: &Files, list: &BTreeMap<String, StorePath>, pipe: Pipe) -> io::Result<()> {
    let mut archive = ZipWriter::new_stream(BufWriter::with_capacity(CHUNK, pipe));
    for (name, path) in list {
        let (file, size) = match files.open_file(path) {
            Ok(found) => found,
            // Deleted since.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        let Ok(mut file) = file.try_into_std() else { continue };
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .large_file(size > u64::from(u32::MAX));
        archive.start_file(name.as_str(), options)?;
        io::copy(&mut file, &mut archive)?;
    }
    archive.finish()?.into_inner().flush()
}

/// Hands what is written to the body of an answer.
struct Pipe(mpsc::Sender<io::Result<Bytes>>);

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.blocking_send(Ok(Bytes::copy_from_slice(bytes))).map_err(|_| io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
