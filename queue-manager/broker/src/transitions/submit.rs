//! Submit: a job is stored before anyone is told so.

use queue_protocol::link::BoundInput;
use queue_protocol::{AccountName, ClientId, FileHash, JobId, JobState, Lane, NeedsId, limits};

use crate::connection::Broker;
use crate::error::BrokerError;
use crate::reply::Reply;
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
    /// Where among the owner's own waiting jobs.
    pub order: Order,
    /// The workflow's own id; left out when longer than 64 bytes.
    pub workflow: Option<&'a str>,
    /// Uploaded files the graph names.
    pub inputs: &'a [BoundInput],
    /// Keys of paid nodes, sealed; deleted at the job's end.
    pub sealed: Option<&'a [u8]>,
    /// Whether its nodes ask for those keys: then it cannot be tried again without its tab.
    pub needs_keys: bool,
}

/// Where a new job stands among its owner's waiting jobs in its lane.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Order {
    /// Behind them.
    Last,
    /// Before them.
    Front,
    /// By ComfyUI's number: a job has its arrival number unless it was submitted with another, one at the front the
    /// negative of it, and the smallest is first.
    Number(f64),
}

impl Order {
    fn word(self) -> String {
        match self {
            Self::Last => String::new(),
            Self::Front => "front".to_owned(),
            Self::Number(number) => format!("{number:e}"),
        }
    }
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
    /// Stored.
    Accepted {
        /// The arrival number in the workshop.
        number: u64,
        /// A kind of worker that is here has not been taught about these needs: see [`Broker::teach`].
        untaught: bool,
    },
    /// The same job, submitted before: nothing was changed.
    Repeated(JobState),
    /// The id belongs to another body or another participant: nothing was stored.
    Conflict,
    /// There is no room for it: nothing was stored.
    Full(Full),
}

/// Which cap a submit or a retry met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full {
    /// The participant's own cap, or that of the whole workshop.
    pub own: bool,
    /// The cap counts bytes of workflows as submitted, and not jobs.
    pub bytes: bool,
    /// What waits already, in jobs or bytes.
    pub used: u64,
}

impl Full {
    pub(super) fn read(reply: &Reply) -> Result<Self, BrokerError> {
        Ok(Self {
            own: reply.text(1)? == "participant",
            bytes: reply.text(2)? == "bytes",
            used: reply.parse(3)?,
        })
    }
}

/// The caps that hold where nobody has set others.
pub(super) const USUAL_CAPS: [u64; 4] = [
    limits::WAITING_PER_PARTICIPANT as u64,
    limits::BYTES_PER_PARTICIPANT,
    limits::WAITING as u64,
    limits::WAITING_BYTES,
];

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
            .arg(submission.order.word())
            .arg(workflow)
            .arg(inputs)
            .arg(submission.sealed.unwrap_or_default())
            .arg(if submission.needs_keys { "1" } else { "" })
            .arg(&USUAL_CAPS)
            .run()
            .await?;
        match reply.word() {
            "accepted" => {
                Ok(Submitted::Accepted { number: reply.parse(1)?, untaught: reply.text(2)? == "1" })
            }
            "repeated" => Ok(Submitted::Repeated(reply.parse(1)?)),
            "conflict" => Ok(Submitted::Conflict),
            "full" => Ok(Submitted::Full(Full::read(&reply)?)),
            _ => Err(reply.unexpected()),
        }
    }
}
