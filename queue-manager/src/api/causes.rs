//! Problems by cause: failures that nobody has dealt with and jobs that nobody here can run; and what is done to all
//! jobs of a cause at once.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::Path;
use axum::extract::State;
use queue_broker::Broker;
use queue_broker::jobs::StoredJob;
use queue_broker::transitions::cancel::Cancelled;
use queue_broker::transitions::retry::Retried;
use queue_broker::transitions::steer::Steered;
use queue_protocol::api::{Cause, Done};
use queue_protocol::{JobId, JobState, Reason};
use sha2::{Digest, Sha256};

use super::audit;
use crate::capabilities::Capabilities;
use crate::identity::Caller;
use crate::problem::Trouble;
use crate::workflow::needs::Requirements;

/// Waiting jobs of each class that are looked at, to be shown and to be cancelled alike.
pub(super) const LOOKED_AT: isize = 1_000;
/// Digits of a cause's id.
const ID: usize = 12;

/// Characters of an error's first line that are shown.
const SHOWN: usize = 240;

/// Why one job failed. It never changes, so it is read once.
#[derive(Debug, PartialEq, Eq)]
struct Why {
    exception: String,
    node: String,
    message: String,
}

/// The causes of what went wrong. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Causes {
    broker: Broker,
    capabilities: Capabilities,
    read: moka::sync::Cache<JobId, Arc<(StoredJob, Why)>>,
}

/// The same cause has the same id, whatever numbers its message contains.
fn id_of(kind: &str, why: &Why) -> String {
    let mut same = String::new();
    for letter in why.message.chars() {
        match letter {
            '0'..='9' if same.ends_with('#') => {}
            '0'..='9' => same.push('#'),
            other => same.push(other),
        }
    }
    let text = [kind, why.exception.as_str(), why.node.as_str(), same.as_str()].join("\n");
    hex::encode(Sha256::digest(text.as_bytes()))[..ID].to_owned()
}

impl Causes {
    pub(crate) fn new(broker: Broker, capabilities: Capabilities) -> Self {
        Self { broker, capabilities, read: moka::sync::Cache::new(1_000) }
    }

    async fn why(&self, ids: &[JobId]) -> Result<Vec<Arc<(StoredJob, Why)>>, Trouble> {
        let unread: Vec<_> = ids.iter().copied().filter(|id| !self.read.contains_key(id)).collect();
        for job in self.broker.jobs(&unread).await? {
            let error = self.broker.result(job.id).await?.and_then(|result| result.error).unwrap_or_default();
            let message = error.exception_message.lines().next().unwrap_or_default();
            let why = Why {
                exception: error.exception_type,
                node: error.node_type,
                message: message.chars().take(SHOWN).collect(),
            };
            self.read.insert(job.id, Arc::new((job, why)));
        }
        Ok(ids.iter().filter_map(|id| self.read.get(id)).collect())
    }

    /// Every cause, that of the newest job first.
    pub(crate) async fn problems(&self, on_hold: &[&StoredJob]) -> Result<Vec<Cause>, Trouble> {
        let mut causes: Vec<Cause> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        let mut add = |kind: &str, job: &StoredJob, why: &Why, at: u64| {
            let id = id_of(kind, why);
            let place = *places.entry(id.clone()).or_insert_with(|| {
                causes.push(Cause {
                    id,
                    kind: kind.to_owned(),
                    exception: why.exception.clone(),
                    node: why.node.clone(),
                    message: why.message.clone(),
                    jobs: Vec::new(),
                    people: Vec::new(),
                    workers: Vec::new(),
                    latest_at: at,
                });
                causes.len() - 1
            });
            let cause = &mut causes[place];
            cause.jobs.push(job.id);
            if !cause.people.contains(&job.participant) {
                cause.people.push(job.participant.clone());
            }
            cause.workers.extend(job.worker.clone().filter(|worker| !cause.workers.contains(worker)));
            cause.latest_at = cause.latest_at.max(at);
        };
        for failed in self.why(&self.broker.failures().await?).await? {
            add("failed", &failed.0, &failed.1, failed.0.ended_at.unwrap_or_default());
        }
        let lacking = self.lacking(on_hold).await?;
        for job in on_hold {
            let message = lacking.get(job.needs.as_str()).cloned().unwrap_or_default();
            let why = Why { exception: "OnHold".to_owned(), node: String::new(), message };
            add("on_hold", job, &why, job.submitted_at);
        }
        causes.sort_by_key(|cause| std::cmp::Reverse(cause.latest_at));
        Ok(causes)
    }

    /// What those who are here lack, in one sentence for each class of needs.
    async fn lacking(&self, jobs: &[&StoredJob]) -> Result<BTreeMap<String, String>, Trouble> {
        let mut needs: Vec<_> = jobs.iter().map(|job| job.needs.clone()).collect();
        needs.sort();
        needs.dedup();
        if needs.is_empty() {
            return Ok(BTreeMap::new());
        }
        let kinds = self.broker.kinds_here().await?;
        let mut sentences = BTreeMap::new();
        for (id, (_, json)) in self.broker.classes(&needs).await? {
            let needs: Requirements = serde_json::from_str(&json)?;
            let lacks = needs.lacking(&self.capabilities, &kinds).await?;
            let shown: Vec<_> = lacks.iter().take(3).map(String::as_str).collect();
            let more = lacks.len().saturating_sub(shown.len());
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            sentences
                .insert(id.as_str().to_owned(), format!("No connected GPU has {}{more}.", shown.join(", ")));
        }
        Ok(sentences)
    }

    async fn find(&self, id: &str) -> Result<Cause, Trouble> {
        let aside = self.broker.jobs_aside(LOOKED_AT).await?;
        let on_hold: Vec<_> = aside.iter().filter(|job| job.reason == Some(Reason::OnHold)).collect();
        self.problems(&on_hold).await?.into_iter().find(|cause| cause.id == id).ok_or(Trouble::NotFound)
    }
}

/// The id of the job that repeats another one: the same for every time somebody says "retry all".
fn retry_id(old: JobId) -> JobId {
    let digest = Sha256::new_with_prefix(b"retry of ").chain_update(old.to_string()).finalize();
    let mut bytes = [0_u8; 16];
    bytes.copy_from_slice(&digest[..16]);
    JobId::from_bytes(bytes)
}

async fn note(broker: &Broker, caller: &Caller, what: &'static str, cause: &Cause, done: &Done) {
    let before = format!("{} jobs: {}", cause.jobs.len(), cause.message);
    let after = format!("{} done, {} refused", done.jobs, done.refused);
    audit::note(broker, caller, what, &cause.id, &before, &after).await;
}

pub(crate) async fn retry(
    State(causes): State<Causes>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Done>, Trouble> {
    let cause = causes.find(&id).await?;
    if cause.kind != "failed" {
        return Err(Trouble::WrongState("These jobs wait for a worker that can run them.".to_owned()));
    }
    let mut done = Done::default();
    // Those who came first, first.
    for job in cause.jobs.iter().rev() {
        match causes.broker.retry(*job, None, retry_id(*job)).await? {
            Retried::Accepted { .. } | Retried::Repeated(_) => done.jobs += 1,
            Retried::Full(_)
            | Retried::Conflict
            | Retried::NotEnded(_)
            | Retried::NeedsKeys
            | Retried::Unknown => done.refused += 1,
        }
    }
    note(&causes.broker, &caller, "cause.retry", &cause, &done).await;
    Ok(Json(done))
}

pub(crate) async fn dismiss(
    State(causes): State<Causes>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Done>, Trouble> {
    let cause = causes.find(&id).await?;
    if cause.kind != "failed" {
        return Err(Trouble::WrongState(
            "These jobs still wait. Cancel them, or connect a worker.".to_owned(),
        ));
    }
    let done = Done { jobs: causes.broker.dismiss(&cause.jobs).await?, refused: 0 };
    note(&causes.broker, &caller, "cause.dismiss", &cause, &done).await;
    Ok(Json(done))
}

pub(crate) async fn cancel(
    State(causes): State<Causes>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Done>, Trouble> {
    let cause = causes.find(&id).await?;
    if cause.kind == "failed" {
        return Err(Trouble::WrongState(format!("These jobs are {}.", JobState::Failed)));
    }
    let mut done = Done::default();
    // Before any is: whatever comes in between, those that are can be kept.
    causes.broker.note_cancelling(&cause.id, &cause.jobs).await?;
    for job in &cause.jobs {
        match causes.broker.cancel(*job, None, Duration::from_secs(10)).await? {
            Cancelled::Cancelled | Cancelled::Stopping | Cancelled::Delayed => done.jobs += 1,
            Cancelled::Ended(_) | Cancelled::Unknown => done.refused += 1,
        }
    }
    note(&causes.broker, &caller, "cause.cancel", &cause, &done).await;
    Ok(Json(done))
}

/// Takes the cancel of a whole cause back. The jobs are those it was about, whatever GPUs came or went since.
pub(crate) async fn keep(
    State(causes): State<Causes>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Done>, Trouble> {
    if id.len() != ID || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Trouble::NotFound);
    }
    let jobs = causes.broker.take_cancelling(&id).await?;
    if jobs.is_empty() {
        return Err(Trouble::WrongState("None of these jobs is about to be cancelled.".to_owned()));
    }
    let mut done = Done::default();
    for job in &jobs {
        match causes.broker.keep(*job, None).await? {
            Steered::Done => done.jobs += 1,
            Steered::Refused(_) | Steered::Unknown => done.refused += 1,
        }
    }
    let after = format!("{} kept, {} too late", done.jobs, done.refused);
    audit::note(&causes.broker, &caller, "cause.keep", &id, &format!("{} jobs", jobs.len()), &after).await;
    Ok(Json(done))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_a_message_make_no_cause_of_their_own() {
        let why = |message: &str| Why {
            exception: "RuntimeError".to_owned(),
            node: "KSampler".to_owned(),
            message: message.to_owned(),
        };
        let one = id_of("failed", &why("Tried to allocate 12.50 GiB"));
        assert_eq!(one, id_of("failed", &why("Tried to allocate 7.25 GiB")));
        assert_ne!(one, id_of("failed", &why("Tried to allocate")));
        assert_ne!(one, id_of("on_hold", &why("Tried to allocate 12.50 GiB")));
    }
}
