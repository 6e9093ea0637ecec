//! What workers have: node classes and models, read from their `object_info`, which is kept once per hash.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, RwLock};

use bytes::Bytes;
use futures_util::Stream;
use queue_broker::Broker;
use queue_protocol::{FileHash, JobId, NeedsId, limits, timings};
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::task::block_in_place;

use crate::files::{Files, StorePath};
use crate::problem::Trouble;
use crate::workflow::depth::has_more_values;
use crate::workflow::graph::Node;
use crate::workflow::needs::{Requirements, is_model};
use crate::workflow::validation::{Findings, is_comfyuis_own, no_such_model, no_such_upload};
use crate::workflow::{Graph, Refusal};

/// The `object_info` of one kind of worker.
#[derive(Debug)]
pub struct ObjectInfo {
    /// Class → its description, as ComfyUI sent it.
    pub classes: serde_json::Map<String, Value>,
    models: HashSet<String>,
    /// (class, input) that take the name of an uploaded file.
    uploads: HashSet<(String, String)>,
    /// (class, input) that choose from a list.
    choices: HashSet<(String, String)>,
}

/// Flags by which ComfyUI marks an input that takes an uploaded file.
const UPLOAD_FLAGS: [&str; 4] = ["image_upload", "audio_upload", "video_upload", "file_upload"];

/// Inputs of ComfyUI's own loaders that take an uploaded file: all that is known before the first worker came.
const USUAL_UPLOADS: [&str; 5] = ["image", "audio", "video", "file", "model_file"];

impl ObjectInfo {
    /// Reads what a worker sent.
    ///
    /// # Errors
    /// [`Trouble::BadRequest`] when it is no object of classes.
    pub fn read(json: &[u8]) -> Result<Self, Trouble> {
        if has_more_values(json, limits::VALUES) {
            return Err(Trouble::BadRequest("This describes more than anybody has.".to_owned()));
        }
        let classes: serde_json::Map<String, Value> = serde_json::from_slice(json)?;
        let (mut models, mut uploads, mut choices) = (HashSet::new(), HashSet::new(), HashSet::new());
        for (class, about) in &classes {
            for (input, spec) in inputs_of(about) {
                if UPLOAD_FLAGS.iter().any(|flag| spec[1][*flag] == Value::Bool(true)) {
                    uploads.insert((class.clone(), input.clone()));
                }
                // An empty list of other people's nodes may be filled by the browser.
                let own = is_comfyuis_own(about) && choices_of(spec).is_some();
                if own || options_of(spec).next().is_some() {
                    choices.insert((class.clone(), input.clone()));
                }
                models.extend(options_of(spec).filter(|text| is_model(text)).map(ToOwned::to_owned));
            }
        }
        Ok(Self { classes, models, uploads, choices })
    }

    /// Whether a worker of this kind can run what these requirements name.
    #[must_use]
    pub fn can_run(&self, needs: &Requirements) -> bool {
        self.lacks(needs).is_empty()
    }

    /// Models, then node classes, that these requirements name and a worker of this kind has not.
    pub(crate) fn lacks(&self, needs: &Requirements) -> Vec<String> {
        let models = needs.models.iter().filter(|model| !self.models.contains(*model));
        let classes = needs.nodes.iter().filter(|class| !self.classes.contains_key(*class));
        models.chain(classes).cloned().collect()
    }

    /// Whether an input takes the name of an uploaded file.
    #[must_use]
    pub fn takes_upload(&self, class: &str, input: &str) -> bool {
        self.uploads.contains(&(class.to_owned(), input.to_owned()))
    }
}

/// The inputs that a class declares: whether it must be there, its name, its type and options.
pub(crate) fn declared(about: &Value) -> impl Iterator<Item = (bool, &String, &Value)> {
    ["required", "optional"].into_iter().flat_map(|group| {
        let inputs = about["input"][group].as_object().into_iter().flatten();
        inputs.map(move |(name, spec)| (group == "required", name, spec))
    })
}

/// The same without saying which must be there.
pub(crate) fn inputs_of(about: &Value) -> impl Iterator<Item = (&String, &Value)> {
    declared(about).map(|(_, name, spec)| (name, spec))
}

/// The choices of an input: `[["a", "b"], {…}]` or, in newer nodes, `["COMBO", {"options": ["a", "b"]}]`.
fn choices_of(spec: &Value) -> Option<&Vec<Value>> {
    spec[0].as_array().or_else(|| spec[1]["options"].as_array())
}

fn options_of(spec: &Value) -> impl Iterator<Item = &str> {
    choices_of(spec).into_iter().flatten().filter_map(Value::as_str)
}

/// What all workers seen so far have, together.
#[derive(Debug, Clone, Default)]
pub struct Known(Vec<Arc<ObjectInfo>>);

impl Known {
    /// Refuses what no worker could ever run, as long as any worker was seen. Of a graph that can run in part, answers
    /// why the rest cannot: ComfyUI's `node_errors`. `targets` are the output nodes that were asked for; `None` for all.
    ///
    /// # Errors
    /// The refusal, in ComfyUI's words.
    pub fn check(
        &self,
        graph: &Graph<'_>,
        targets: Option<&HashSet<String>>,
    ) -> Result<serde_json::Map<String, Value>, Refusal> {
        if self.0.is_empty() {
            return graph.broken_link().map_or(Ok(serde_json::Map::new()), Err);
        }
        for (id, node) in &graph.nodes {
            if !self.0.iter().any(|info| info.classes.contains_key(node.class())) {
                let (class, title) = (node.class().to_owned(), node.title());
                return Err(Refusal::UnknownClass { node: id.clone(), class, title });
            }
        }
        let outputs = self.outputs(graph, targets);
        if outputs.is_empty() {
            return Err(Refusal::NoOutputs);
        }
        let mut findings = Findings::of(graph, &self.0);
        let mut nowhere = false;
        for (id, _, input, model) in self.models_named(graph) {
            if !self.0.iter().any(|info| info.models.contains(&model)) {
                findings.put(id, no_such_model(input, &model));
                nowhere = true;
            }
        }
        let verdict = findings.verdict(graph, &self.0, &outputs, nowhere);
        // A model that nobody has keeps the whole job waiting, even where only one output needs it.
        if nowhere || !verdict.survives {
            return Err(Refusal::Invalid { node_errors: verdict.node_errors, details: verdict.details });
        }
        Ok(verdict.node_errors)
    }

    /// The refusal of a graph that names a file which is none of the participant's uploads.
    pub(crate) fn not_uploaded(&self, graph: &Graph<'_>, node: &str, input: &str, name: &str) -> Refusal {
        let mut findings = Findings::default();
        findings.put(node, no_such_upload(input, name));
        let verdict = findings.verdict(graph, &self.0, &self.outputs(graph, None), true);
        Refusal::Invalid { node_errors: verdict.node_errors, details: verdict.details }
    }

    fn outputs<'g>(&self, graph: &'g Graph<'_>, targets: Option<&HashSet<String>>) -> Vec<&'g str> {
        let asked = |id: &String| targets.is_none_or(|targets| targets.contains(id));
        let nodes = graph.nodes.iter().filter(|(id, node)| self.is_output(node.class()) && asked(id));
        nodes.map(|(id, _)| id.as_str()).collect()
    }

    /// Every model that a graph names: (node id, node, input, model). Where classes are known only inputs that choose
    /// from a list count, since a prompt may end in `.bin` as well.
    pub fn models_named<'a>(
        &'a self,
        graph: &'a Graph<'a>,
    ) -> impl Iterator<Item = (&'a str, &'a Node<'a>, &'a str, String)> {
        graph.texts().filter(|(_, node, input, text)| {
            let chosen = || {
                let input = (node.class().to_owned(), (*input).to_owned());
                self.0.iter().any(|info| info.choices.contains(&input))
            };
            is_model(text) && (self.0.is_empty() || chosen())
        })
    }

    /// Every input that chooses from a list: (class, input, choices).
    pub(crate) fn choices(&self) -> impl Iterator<Item = (&str, &str, impl Iterator<Item = &str>)> {
        let classes = self.0.iter().flat_map(|info| &info.classes);
        classes.flat_map(|(class, about)| {
            let listed = inputs_of(about).filter(|(_, spec)| choices_of(spec).is_some());
            listed.map(move |(input, spec)| (class.as_str(), input.as_str(), options_of(spec)))
        })
    }

    #[cfg(test)]
    pub(crate) fn from_json(kinds: &[&str]) -> Self {
        Self(kinds.iter().map(|json| Arc::new(ObjectInfo::read(json.as_bytes()).unwrap())).collect())
    }

    /// Whether a class is an output node.
    #[must_use]
    pub fn is_output(&self, class: &str) -> bool {
        self.0.iter().any(|info| info.classes.get(class).is_some_and(|about| about["output_node"] == true))
    }

    /// Whether an input takes the name of an uploaded file.
    #[must_use]
    pub fn takes_upload(&self, class: &str, input: &str) -> bool {
        self.0.iter().any(|info| info.takes_upload(class, input))
            || (self.0.is_empty() && class.starts_with("Load") && USUAL_UPLOADS.contains(&input))
    }

    /// All classes of all workers; a participant's own uploads stand where a worker's input folder was listed.
    #[must_use]
    pub fn object_info(&self, own_inputs: &[String]) -> serde_json::Map<String, Value> {
        let mut all = BTreeMap::new();
        for info in &self.0 {
            for (class, about) in &info.classes {
                all.entry(class.clone()).or_insert_with(|| about.clone());
            }
            for (class, input) in &info.uploads {
                if let Some(about) = all.get_mut(class) {
                    put_own_inputs(about, input, own_inputs);
                }
            }
        }
        all.into_iter().collect()
    }
}

fn put_own_inputs(about: &mut Value, input: &str, own: &[String]) {
    for group in ["required", "optional"] {
        let spec =
            about.get_mut("input").and_then(|all| all.get_mut(group)).and_then(|all| all.get_mut(input));
        let Some(spec) = spec else { continue };
        if spec[0].is_array() {
            spec[0] = own.into();
        } else if spec[1]["options"].is_array() {
            spec[1]["options"] = own.into();
        }
    }
}

fn too_large(error: std::io::Error) -> Trouble {
    match error.kind() {
        std::io::ErrorKind::FileTooLarge => Trouble::TooLarge(limits::OBJECT_INFO),
        _ => error.into(),
    }
}

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

#[cfg(test)]
mod tests;
