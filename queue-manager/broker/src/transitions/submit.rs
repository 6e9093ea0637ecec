//! Submit: a job is stored before anyone is told so.

use queue_protocol::link::BoundInput;
use queue_protocol::{AccountName, ClientId, FileHash, JobId, JobState, Lane, NeedsId, limits};

use crate::connection::Broker;
use crate::error::BrokerError;
use crate::{compressed, script::script};

/// Everything the queue keeps of a job.
#[derive(Debug)]
pub struct Submission<'a> {
    /// The id, chosen by the tab or by us.
    pub id: JobId,
    /// The owner, as the session says.
    pub participant: &'a AccountName,
    /// The lane.
    pub lane: Lane,
    /// What a worker must have.
    pub needs: &'a Needs,
    /// SHA-256 of the body.
    pub body_hash: &'a FileHash,
    /// The body.
    pub body: Body<'a>,
    /// The tab that is to be told.
    pub client: Option<&'a ClientId>,
    /// Before the owner's other waiting jobs.
    pub front: bool,
    /// The workflow's own id; left out when longer than 64 bytes.
    pub workflow: Option<&'a str>,
    /// Uploaded files the graph names.
    pub inputs: &'a [BoundInput],
}

/// A set of nodes and models with its short id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needs {
    /// The first 16 digits of the SHA-256 of `json`.
    pub id: NeedsId,
    /// `{"nodes": […], "models": […]}`, sorted.
    pub json: String,
}

/// Where the submitted bytes are.
#[derive(Debug, Clone, Copy)]
pub enum Body<'a> {
    /// Here; stored compressed in Redis.
    Inline(&'a [u8]),
    /// Already written to the file store; this many bytes.
    Stored(usize),
}

/// How a submit ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Submitted {
    /// Stored. The number is the arrival number in the workshop.
    Accepted(u64),
    /// The same job, submitted before: nothing was changed.
    Repeated(JobState),
    /// The id belongs to another body or another participant: nothing was stored.
    Conflict,
    /// The participant has this many waiting jobs, which is the cap: nothing was stored.
    FullParticipant(u64),
    /// The workshop has this many waiting jobs, which is the cap: nothing was stored.
    FullWorkshop(u64),
}

impl Broker {
    /// Stores a job, or says why not.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`]: the job may be stored or not; submitting it again with the same id tells.
    /// [`BrokerError::Full`]: it is not stored.
    pub async fn submit(&self, submission: &Submission<'_>) -> Result<Submitted, BrokerError> {
        let (packed, size) = match submission.body {
            Body::Inline(bytes) => (compressed::pack(bytes)?, bytes.len()),
            Body::Stored(size) => (Vec::new(), size),
        };
        let inputs = if submission.inputs.is_empty() {
            String::new()
        } else {
            serde_json::to_string(submission.inputs).map_err(|e| BrokerError::Corrupt(e.to_string()))?
        };
        let workflow = submission.workflow.filter(|id| id.len() <= 64).unwrap_or_default();
        let reply = script!("submit")
            .call(self)
            .arg(submission.id.to_string())
            .arg(submission.participant.as_str())
            .arg(submission.lane.word())
            .arg(submission.needs.id.as_str())
            .arg(&submission.needs.json)
            .arg(submission.body_hash.as_str())
            .arg(packed)
            .arg(size)
            .arg(submission.client.map(ClientId::as_str).unwrap_or_default())
            .arg(if submission.front { "1" } else { "" })
            .arg(workflow)
            .arg(inputs)
            .arg(limits::WAITING_PER_PARTICIPANT)
            .arg(limits::WAITING)
            .run()
            .await?;
        match reply.word() {
            "accepted" => Ok(Submitted::Accepted(reply.parse(1)?)),
            "repeated" => Ok(Submitted::Repeated(reply.parse(1)?)),
            "conflict" => Ok(Submitted::Conflict),
            "full_participant" => Ok(Submitted::FullParticipant(reply.parse(1)?)),
            "full_workshop" => Ok(Submitted::FullWorkshop(reply.parse(1)?)),
            _ => Err(reply.unexpected()),
        }
    }
}
