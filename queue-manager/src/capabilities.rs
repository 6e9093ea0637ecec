//! What workers have: node classes and models, read from their `object_info`, which is kept once per hash.

mod known;
mod object_info;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, RwLock};

use bytes::Bytes;
use futures_util::Stream;
use queue_broker::Broker;
use queue_protocol::{FileHash, JobId, NeedsId, limits, timings};
use tokio::sync::Mutex;
use tokio::task::block_in_place;

pub use self::known::Known;
pub use self::object_info::ObjectInfo;
pub(crate) use self::object_info::{declared, inputs_of};
use crate::files::{Files, StorePath};
use crate::problem::Trouble;
use crate::workflow::needs::Requirements;

/// The catalogue of what workers have. Cheap to clone.
#[derive(Clone)]
pub struct Capabilities {
    broker: Broker,
    files: Files,
    /// Those that a listed worker has.
    read: Arc<RwLock<HashMap<FileHash, Arc<ObjectInfo>>>>,
    /// What arrives is read one after the other: each takes a multiple of its bytes.
    reading: Arc<Mutex<()>>,
    /// What all workers have, believed for a second: a submit asks the store nothing but to take it.
    known: moka::sync::Cache<(), Known>,
}

impl Capabilities {
    /// An empty catalogue over a store.
    #[must_use]
    pub fn new(broker: Broker, files: Files) -> Self {
        let known = moka::sync::Cache::builder().max_capacity(1).time_to_live(timings::SESSION_CACHE).build();
        Self { broker, files, read: Arc::default(), reading: Arc::default(), known }
    }

    fn path(hash: &FileHash) -> Result<StorePath, Trouble> {
        StorePath::new(&["object-info", hash.as_str()])
    }

    /// The `object_info` with this hash; `None` when no worker has sent it yet.
    ///
    /// # Errors
    /// The file system's.
    pub async fn get(&self, hash: &FileHash) -> Result<Option<Arc<ObjectInfo>>, Trouble> {
        if let Some(info) = self.read.read().map_err(|_| Trouble::Bug)?.get(hash) {
            return Ok(Some(Arc::clone(info)));
        }
        let json = match self.files.read(&Self::path(hash)?).await {
            Ok(json) => json,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let info = Arc::new(ObjectInfo::read(&json)?);
        self.read.write().map_err(|_| Trouble::Bug)?.insert(hash.clone(), Arc::clone(&info));
        Ok(Some(info))
    }

    /// Keeps what a worker sends, if it is what its hash says.
    ///
    /// # Errors
    /// [`Trouble::BadRequest`] when it is not, or not `object_info`; [`Trouble::TooLarge`].
    pub async fn receive<S, E>(&self, hash: &FileHash, body: S) -> Result<(), Trouble>
    where
        S: Stream<Item = Result<Bytes, E>> + Unpin,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let arrived = self.files.receive(limits::OBJECT_INFO as u64, body).await.map_err(too_large)?;
        if arrived.written.sha256 != *hash {
            return Err(Trouble::BadRequest("This is not the object_info with that hash.".to_owned()));
        }
        let _one_at_a_time = self.reading.lock().await;
        let json = arrived.read().await?;
        drop(block_in_place(|| ObjectInfo::read(&json))?);
        self.files.keep(&arrived, &Self::path(hash)?)?;
        self.known.invalidate_all();
        Ok(())
    }

    /// What all workers ever seen have.
    ///
    /// # Errors
    /// The store's.
    pub async fn known(&self) -> Result<Known, Trouble> {
        if let Some(known) = self.known.get(&()) {
            return Ok(known);
        }
        let mut known = Vec::new();
        let mut seen = HashSet::new();
        for (_, fields) in self.broker.workers().await? {
            let Some(hash) = fields.get("object_info").and_then(|text| text.parse::<FileHash>().ok()) else {
                continue;
            };
            if seen.insert(hash.clone()) {
                known.extend(self.get(&hash).await?);
            }
        }
        self.read.write().map_err(|_| Trouble::Bug)?.retain(|hash, _| seen.contains(hash));
        let known = Known(known);
        // Before the first worker came, each submit looks again.
        if !known.0.is_empty() {
            self.known.insert((), known.clone());
        }
        Ok(known)
    }

    /// What a job needs that the connected kind of worker which comes nearest has not; empty when nobody is connected.
    ///
    /// # Errors
    /// The store's.
    pub async fn missing(&self, job: JobId) -> Result<Vec<String>, Trouble> {
        let Some(json) = self.broker.needs_of(job).await? else { return Ok(Vec::new()) };
        let needs: Requirements = serde_json::from_str(&json)?;
        needs.lacking(self, &self.broker.kinds_here().await?).await
    }

    /// Answers which of these classes of needs a kind of worker can run; nothing before its `object_info` was sent.
    ///
    /// # Errors
    /// The store's.
    pub async fn teach(&self, kind: &FileHash, asked: &[(NeedsId, String)]) -> Result<(), Trouble> {
        let Some(info) = self.get(kind).await?.filter(|_| !asked.is_empty()) else {
            return Ok(());
        };
        let can = |json: &str| serde_json::from_str(json).is_ok_and(|needs| info.can_run(&needs));
        let lesson: Vec<_> = asked.iter().map(|(needs, json)| (needs.clone(), can(json))).collect();
        Ok(self.broker.teach(kind, &lesson).await?)
    }

    /// The same for every kind of worker that is here.
    ///
    /// # Errors
    /// The store's.
    pub async fn teach_all(&self, needs: &NeedsId, json: &str) -> Result<(), Trouble> {
        for kind in self.broker.kinds_here().await? {
            self.teach(&kind, &[(needs.clone(), json.to_owned())]).await?;
        }
        Ok(())
    }
}

fn too_large(error: std::io::Error) -> Trouble {
    match error.kind() {
        std::io::ErrorKind::FileTooLarge => Trouble::TooLarge(limits::OBJECT_INFO),
        _ => error.into(),
    }
}

#[cfg(test)]
mod tests;
