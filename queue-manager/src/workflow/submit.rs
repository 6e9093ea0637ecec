//! From a checked body to a stored job: the one way in, for tabs and for the API.

use std::sync::Arc;

use bytes::Bytes;
use queue_broker::Broker;
use queue_broker::transitions::submit::{Body, Full, Submission, Submitted};
use queue_protocol::link::BoundInput;
use queue_protocol::{AccountName, FileHash, JobId, Lane, limits};
use serde_json::value::RawValue;
use serde_json::{Map, Number, Value};
use sha2::{Digest, Sha256};

use super::graph::{Graph, text_of};
use super::needs::Requirements;
use super::policy::Policy;
use super::refusal::Refusal;
use super::request::{PromptRequest, checked};
use crate::capabilities::{Capabilities, Known};
use crate::files::{Files, outputs};
use crate::metrics::Metrics;
use crate::problem::Trouble;
use crate::sealed::Sealer;
use tokio::sync::Semaphore;
use tokio::task::block_in_place;

/// A job that is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The job.
    pub id: JobId,
    /// ComfyUI's number: as it was sent, or its arrival number, negative at the front.
    pub number: Number,
    /// Whether this very job was submitted before.
    pub repeated: bool,
    /// Why some of its outputs will not run: ComfyUI's `node_errors`.
    pub node_errors: Map<String, Value>,
}

/// What a submit needs.
#[derive(Clone)]
pub struct Door {
    /// The queue.
    pub broker: Broker,
    /// The file store.
    pub files: Files,
    /// What workers have.
    pub capabilities: Capabilities,
    /// Which nodes may run.
    pub policy: Arc<Policy>,
    /// So many workflows are read at once: it is work for a processor, and a large one takes a while.
    pub reading: Arc<Semaphore>,
    /// Who keeps the keys of paid nodes.
    pub sealer: Sealer,
    /// Where submits are counted.
    pub(crate) metrics: Metrics,
}

impl Door {
    /// Stores a job of `participant`.
    ///
    /// # Errors
    /// [`Trouble::Workflow`], [`Trouble::LineFull`], [`Trouble::IdTaken`]: nothing was stored.
    /// [`Trouble::StoreAway`]: submitting again with the same id tells.
    pub async fn submit(
        &self,
        participant: &AccountName,
        lane: Lane,
        body: &Bytes,
    ) -> Result<Accepted, Trouble> {
        let submitted = self.store(participant, lane, body).await;
        self.metrics.submitted(match &submitted {
            Ok(Accepted { repeated: false, .. }) => "accepted",
            Ok(_) => "repeated",
            Err(trouble) => trouble.status_and_code().1,
        });
        submitted
    }

    async fn store(&self, participant: &AccountName, lane: Lane, body: &Bytes) -> Result<Accepted, Trouble> {
        let known = self.capabilities.known().await?;
        let turn = self.reading.acquire().await.map_err(|_| Trouble::Bug)?;
        let (body, keys) = block_in_place(|| checked(body))?;
        let (request, node_errors) = block_in_place(|| {
            let request = PromptRequest::read(&body)?;
            let verdict = self.policy.check(&request.graph);
            let verdict = verdict.and_then(|()| known.check(&request.graph, request.targets.as_ref()));
            Ok::<_, Trouble>((request, verdict.map_err(Trouble::Workflow)?))
        })?;
        let inputs = self.bind_inputs(participant, &request, &known).await?;
        let needs = block_in_place(|| Requirements::of(&request.graph, &known).named())?;
        let needs_keys = keys.is_some() && known.asks_for_keys(&request.graph);
        let body_hash: FileHash = block_in_place(|| hex::encode(Sha256::digest(&body))).parse()?;
        let sealed = keys.map(|keys| self.sealer.seal(request.id, participant, &keys)).transpose()?;
        drop(turn);
        let large = body.len() > limits::BODY_IN_REDIS;
        if large {
            self.files.write(&outputs::body_path(participant, &body_hash)?, body.clone()).await?;
        }
        let submitted = self
            .broker
            .submit(&Submission {
                id: request.id,
                participant,
                lane,
                needs: &needs,
                body_hash: &body_hash,
                body: if large { Body::Stored(body.len()) } else { Body::Inline(&body) },
                client: request.client.as_ref(),
                order: request.order(),
                workflow: request.workflow.as_deref(),
                inputs: &inputs,
                sealed: sealed.as_deref(),
                needs_keys,
            })
            .await?;
        if let Submitted::Accepted { untaught: true, .. } = submitted {
            // The job is stored either way; a claim asks as well.
            if let Err(error) = self.capabilities.teach_all(&needs.id, &needs.json).await {
                tracing::warn!(job.id = %request.id, %error, "cannot tell yet who can run a job");
            }
        }
        let number = match (&request.number, &submitted) {
            (Some(number), _) => number.clone(),
            (None, Submitted::Accepted { number, .. }) if request.front => negative(*number),
            (None, Submitted::Accepted { number, .. }) => Number::from(*number),
            (None, _) => Number::from(self.broker.job(request.id).await?.map_or(0, |job| job.seq)),
        };
        answer(request.id, number, submitted, node_errors)
    }

    /// Binds each name of an uploaded file to the content it has now. A name that is none of the participant's own
    /// uploads is refused: on the worker it would open whatever lies there under that name, which is everybody's.
    async fn bind_inputs(
        &self,
        participant: &AccountName,
        request: &PromptRequest<'_>,
        known: &Known,
    ) -> Result<Vec<BoundInput>, Trouble> {
        if let Some((id, input)) = linked_upload(&request.graph, known) {
            return Err(Trouble::Workflow(known.not_uploaded(&request.graph, id, input, "")));
        }
        let mut bound = Vec::new();
        for (id, node, input, text) in request.graph.texts() {
            let takes_upload = known.takes_upload(node.class(), input);
            // Where an output node puts its files: in a picture that a worker made it names the folder of the job that made
            // it, and the next worker puts its own there.
            let is_prefix =
                input == "filename_prefix" && known.is_output(node.class()) && !names_a_kind(&text);
            if !takes_upload && (is_prefix || !names_a_workers_folder(&text)) {
                continue;
            }
            let name = text.strip_suffix(" [input]").unwrap_or(&text);
            let own = self.files.input(participant, name).await.ok().flatten();
            let Some(file) = own else {
                return Err(Trouble::Workflow(known.not_uploaded(&request.graph, id, input, &text)));
            };
            bound.push(BoundInput {
                node: id.to_owned(),
                input: input.to_owned(),
                name: text,
                sha256: file.sha256,
                size: file.size,
            });
        }
        if bound.len() > limits::INPUTS { Err(Trouble::Workflow(Refusal::TooManyInputs)) } else { Ok(bound) }
    }
}

/// Texts that ComfyUI's loaders read as a file in a folder that all jobs of a worker share. They look at the end only,
/// whatever stands before the bracket.
fn names_a_workers_folder(text: &str) -> bool {
    let text = text.trim();
    let place = text.trim_start_matches(['.', '/', '\\']);
    names_a_kind(text) || place.starts_with("atelier/") || place.starts_with("atelier\\")
}

fn names_a_kind(text: &str) -> bool {
    let text = text.trim();
    text.ends_with("[output]") || text.ends_with("[temp]")
}

/// An input for an uploaded file that is given something else than a name. What another node computes cannot be known
/// here, so it cannot be one's own.
fn linked_upload<'g>(graph: &'g Graph<'_>, known: &Known) -> Option<(&'g str, &'g str)> {
    graph.nodes.iter().find_map(|(id, node)| {
        let mut inputs = node.inputs.iter();
        let odd = |value: &RawValue| value.get().starts_with(['[', '{']) && text_of(value).is_none();
        let found = inputs.find(|(input, value)| odd(value) && known.takes_upload(node.class(), input));
        found.map(|(input, _)| (id.as_str(), input.as_str()))
    })
}

/// ComfyUI's number of a job at the front.
fn negative(arrival: u64) -> Number {
    i64::try_from(arrival).map_or(Number::from(i64::MIN), |arrival| Number::from(-arrival))
}

fn answer(
    id: JobId,
    number: Number,
    submitted: Submitted,
    node_errors: Map<String, Value>,
) -> Result<Accepted, Trouble> {
    match submitted {
        Submitted::Accepted { .. } => Ok(Accepted { id, number, repeated: false, node_errors }),
        Submitted::Repeated(_) => Ok(Accepted { id, number, repeated: true, node_errors }),
        Submitted::Conflict => Err(Trouble::IdTaken),
        Submitted::Full(full) => Err(no_room(full)),
    }
}

/// A full line in words, for whoever submits or retries.
pub fn no_room(full: Full) -> Trouble {
    let what = if full.bytes {
        format!("{} MB of workflows", full.used.div_ceil(1_000_000))
    } else {
        format!("{} jobs", full.used)
    };
    Trouble::LineFull(if full.own {
        format!("You already have {what} waiting, which is the limit. Cancel some or wait.")
    } else {
        format!("{what} are waiting in this workshop, which is the limit. Try again later.")
    })
}
