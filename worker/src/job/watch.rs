//! Watching a prompt until ComfyUI has an entry for it: its socket for speed, `/queue` and `/history` for the truth.

use std::time::{Duration, Instant};

use queue_protocol::{frame, timings};
use serde::Deserialize;
use serde_json::Value;

use super::trouble::Trouble;
use super::{Job, Orders, files};
use crate::comfyui::history::Entry;
use crate::comfyui::socket::{Frame, JobSocket};
use crate::comfyui::{ComfyuiError, Whereabouts};

/// How long ComfyUI's socket must be silent before a history entry counts as its last word.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Unanswered polls after which ComfyUI is taken for gone.
const POLLS_BEFORE_LOST: u32 = 2;

#[derive(Deserialize)]
struct Message {
    #[serde(rename = "type")]
    kind: String,
    data: Value,
}

/// Types that are about the whole server, not about this job.
const NOT_THE_JOBS: [&str; 3] = ["status", "feature_flags", "logs"];

/// Watches until the end. `None` when the prompt was stopped before it began.
pub(super) async fn to_the_end(job: &mut Job, socket: &mut JobSocket) -> Result<Option<Entry>, Trouble> {
    let mut poll = tokio::time::interval(timings::COMFYUI_POLL_EVERY);
    let mut watch = Watch { unanswered: 0, stopping_since: None };
    loop {
        tokio::select! {
            frame = socket.next() => {
                if watch.heard(job, frame).await?
                    && let Some(entry) = job.with.comfyui.history(job.lease.job).await?
                {
                    return Ok(Some(entry));
                }
            }
            _ = poll.tick() => {
                if let Some(end) = watch.look(job).await? {
                    // One that was stopped before it began has said nothing.
                    if end.is_some() {
                        watch.hear_out(job, socket).await?;
                    }
                    return Ok(end);
                }
            }
            changed = job.heard.changed() => {
                // A dropped sender is a link that is gone for good.
                let orders = if changed.is_ok() { *job.heard.borrow_and_update() } else { Orders::Abandon };
                watch.obey(job, orders).await?;
            }
        }
    }
}

struct Watch {
    unanswered: u32,
    stopping_since: Option<Instant>,
}

impl Watch {
    /// Passes a frame on; answers whether it was the job's last.
    async fn heard(&self, job: &mut Job, frame: Frame) -> Result<bool, Trouble> {
        let text = match frame {
            Frame::Binary(bytes) => {
                if frame::event_number(&bytes).is_some() {
                    job.with.outbox.preview(job.lease, bytes);
                }
                return Ok(false);
            }
            Frame::Text(text) => job.keys().hidden(text),
        };
        let Ok(mut message) = serde_json::from_str::<Message>(&text) else {
            return Ok(false);
        };
        if NOT_THE_JOBS.contains(&message.kind.as_str()) {
            return Ok(false);
        }
        let id = job.lease.job.to_string();
        match message.kind.as_str() {
            "executed" => {
                // Its files first: a message must not name what cannot be fetched yet.
                files::move_outputs(&job.mover(), &mut job.stored, &mut message.data["output"]).await?;
                job.messages().say(&message.kind, &message.data);
            }
            // Said by us once the end is known, so that the tab hears it exactly once.
            "executing" if message.data["node"].is_null() => {
                return Ok(message.data["prompt_id"] == id.as_str());
            }
            // Said by the queue-manager, if the job does not run again.
            "execution_error" => {}
            _ => {
                job.messages().pass_on(&message.kind, text);
                job.told.insert(message.kind);
            }
        }
        Ok(false)
    }

    /// Passes on what ComfyUI said before it wrote its history and nobody has read yet: a picture may take longer to store
    /// than from one poll to the next.
    async fn hear_out(&self, job: &mut Job, socket: &mut JobSocket) -> Result<(), Trouble> {
        while let Ok(frame) = tokio::time::timeout(LAST_WORDS, socket.next()).await {
            if self.heard(job, frame).await? {
                break;
            }
        }
        Ok(())
    }

    /// Asks where the prompt is. `Some` when the watch is over.
    async fn look(&mut self, job: &Job) -> Result<Option<Option<Entry>>, Trouble> {
        let id = job.lease.job;
        let answer = async {
            if job.with.comfyui.whereabouts(id).await? == Whereabouts::Queued {
                return Ok((true, None));
            }
            Ok::<_, ComfyuiError>((false, job.with.comfyui.history(id).await?))
        };
        match answer.await {
            Ok((true, _)) => {
                self.unanswered = 0;
                self.insist(job).await?;
                Ok(None)
            }
            Ok((false, Some(entry))) => Ok(Some(Some(entry))),
            // Taken out of ComfyUI's queue before it began: that leaves no trace.
            Ok((false, None)) if self.stopping_since.is_some() => Ok(Some(None)),
            Ok((false, None)) => {
                Err(Trouble::ComfyuiLost("it knows the prompt no more; it was restarted".to_owned()))
            }
            Err(error) => {
                self.unanswered += 1;
                if self.unanswered >= POLLS_BEFORE_LOST { Err(error.into()) } else { Ok(None) }
            }
        }
    }

    async fn obey(&mut self, job: &Job, orders: Orders) -> Result<(), Trouble> {
        match orders {
            Orders::Run => Ok(()),
            Orders::Stop => {
                self.stopping_since.get_or_insert_with(Instant::now);
                // A ComfyUI that does not answer is the next poll's affair.
                if let Err(error) = job.with.comfyui.stop(job.lease.job).await {
                    tracing::warn!(job.id = %job.lease.job, %error, "could not interrupt");
                }
                Ok(())
            }
            Orders::Abandon => {
                if let Err(error) = job.with.comfyui.stop(job.lease.job).await {
                    tracing::warn!(job.id = %job.lease.job, %error, "could not interrupt an abandoned prompt");
                }
                Err(Trouble::Abandoned)
            }
            Orders::LetGo => Err(Trouble::Abandoned),
        }
    }

    /// Says stop again with every poll. Past the patience the claim ends all the same; ComfyUI is restarted, or this worker
    /// claims nothing until it is idle again.
    async fn insist(&mut self, job: &Job) -> Result<(), Trouble> {
        let Some(since) = self.stopping_since else {
            return Ok(());
        };
        job.with.comfyui.stop(job.lease.job).await?;
        if since.elapsed() < job.with.cancel_patience { Ok(()) } else { Err(Trouble::ComfyuiStuck) }
    }
}
