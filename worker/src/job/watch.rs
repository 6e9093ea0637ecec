//! Watching a prompt until ComfyUI has an entry for it: its socket for speed, `/queue` and `/history` for the truth.

use std::time::Duration;

use queue_protocol::{frame, timings};
use serde::Deserialize;
use serde_json::Value;
use tokio::time::{Instant, Interval};

use super::trouble::Trouble;
use super::{Job, Orders, files, orders};
use crate::comfyui::history::Entry;
use crate::comfyui::socket::{Frame, JobSocket};
use crate::comfyui::{ComfyuiError, Whereabouts};
use crate::keeper::HANGS;

/// How long ComfyUI's socket must be silent before a history entry counts as its last word.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Polls that find no ComfyUI after which it is taken for gone.
const POLLS_BEFORE_LOST: u32 = 2;

#[derive(Deserialize)]
struct Message {
    #[serde(rename = "type")]
    kind: String,
    data: Value,
}

/// Types that are about the whole server, not about this job.
const NOT_THE_JOBS: [&str; 3] = ["status", "feature_flags", "logs"];

/// How long ComfyUI has not answered.
#[derive(Debug, Default)]
pub(super) struct Silence {
    since: Option<Instant>,
    absent: u32,
}

impl Silence {
    /// Whether it is longer than loading a large model takes.
    pub(super) fn is_too_long(&mut self, now: Instant) -> bool {
        now - *self.since.get_or_insert(now) >= HANGS
    }

    /// Whether ComfyUI is gone: one that is not there soon is, one that does not answer yet has time.
    fn means_gone(&mut self, error: &ComfyuiError, now: Instant) -> bool {
        let too_long = self.is_too_long(now);
        if matches!(error, ComfyuiError::Silent(_)) {
            return too_long;
        }
        self.absent += 1;
        self.absent >= POLLS_BEFORE_LOST
    }
}

/// Watches until the end. `None` when the prompt was stopped before it began.
pub(super) async fn to_the_end(job: &mut Job, socket: &mut JobSocket) -> Result<Option<Entry>, Trouble> {
    let mut watch = Watch {
        poll: tokio::time::interval(timings::COMFYUI_POLL_EVERY),
        heard: job.heard.clone(),
        silence: Silence::default(),
        too_large: false,
        stopping_since: None,
    };
    loop {
        tokio::select! {
            frame = socket.next() => {
                // A ComfyUI that does not answer now is the next poll's affair.
                if watch.heard(job, frame).await?
                    && let Ok(Some(entry)) = job.with.comfyui.history(job.lease.job).await
                {
                    return Ok(Some(entry));
                }
            }
            turn = watch.turn() => {
                if let Some(end) = watch.take(job, turn).await? {
                    // One that was stopped before it began has said nothing.
                    if end.is_some() {
                        watch.hear_out(job, socket).await?;
                    }
                    return Ok(end);
                }
            }
        }
    }
}

/// What is to be done beside what ComfyUI says.
enum Turn {
    /// Ask where the prompt is.
    Poll,
    /// Do as we are told.
    Told(Orders),
}

struct Watch {
    poll: Interval,
    heard: orders::Receiver<Orders>,
    silence: Silence,
    /// Whether a preview was too large for the link.
    too_large: bool,
    stopping_since: Option<Instant>,
}

impl Watch {
    /// Waits for the next thing to do. Safe to drop while waiting.
    async fn turn(&mut self) -> Turn {
        tokio::select! {
            _ = self.poll.tick() => Turn::Poll,
            changed = self.heard.changed() => {
                // A dropped sender is a link that is gone for good.
                let orders = if changed.is_ok() { *self.heard.borrow_and_update() } else { Orders::Abandon };
                Turn::Told(orders)
            }
        }
    }

    /// Does it. `Some` when the watch is over.
    async fn take(&mut self, job: &Job, turn: Turn) -> Result<Option<Option<Entry>>, Trouble> {
        match turn {
            Turn::Poll => self.look(job).await,
            Turn::Told(orders) => self.obey(job, orders).await.map(|()| None),
        }
    }

    /// Passes a frame on; answers whether it was the job's last.
    async fn heard(&mut self, job: &mut Job, frame: Frame) -> Result<bool, Trouble> {
        let text = match frame {
            Frame::Binary(bytes) => {
                if frame::event_number(&bytes).is_some() {
                    let fits = job.messages().preview(bytes);
                    if !fits && !std::mem::replace(&mut self.too_large, true) {
                        tracing::warn!(job.id = %job.lease.job, "previews that are too large are not passed on");
                    }
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
                self.store(job, &mut message.data["output"]).await?;
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

    /// Stores an output's files, and looks after the prompt meanwhile. That it is over is found again afterwards.
    async fn store(&mut self, job: &mut Job, output: &mut Value) -> Result<(), Trouble> {
        let (mover, mut stored) = (job.mover(), std::mem::take(&mut job.stored));
        {
            let mut moving = std::pin::pin!(files::move_outputs(&mover, &mut stored, output));
            loop {
                tokio::select! {
                    stored = &mut moving => {
                        stored?;
                        break;
                    }
                    turn = self.turn() => drop(self.take(job, turn).await?),
                }
            }
        }
        job.stored = stored;
        Ok(())
    }

    /// Passes on what ComfyUI said before it wrote its history and nobody has read yet: a picture may take longer to store
    /// than from one poll to the next.
    async fn hear_out(&mut self, job: &mut Job, socket: &mut JobSocket) -> Result<(), Trouble> {
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
                self.silence = Silence::default();
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
                if self.silence.means_gone(&error, Instant::now()) {
                    return Err(error.into());
                }
                self.lose_patience(job)?;
                Ok(None)
            }
        }
    }

    async fn obey(&mut self, job: &Job, orders: Orders) -> Result<(), Trouble> {
        match orders {
            Orders::Run => Ok(()),
            Orders::Stop => {
                self.stopping_since.get_or_insert_with(Instant::now);
                stop(job).await;
                Ok(())
            }
            Orders::Abandon => Err(Trouble::Abandoned),
            Orders::LetGo => Err(Trouble::LetGo),
        }
    }

    /// Says stop again with every poll. Past the patience the claim ends all the same; ComfyUI is restarted, or this worker
    /// claims nothing until it is idle again.
    async fn insist(&mut self, job: &Job) -> Result<(), Trouble> {
        if self.stopping_since.is_some() {
            stop(job).await;
        }
        self.lose_patience(job)
    }

    fn lose_patience(&self, job: &Job) -> Result<(), Trouble> {
        let too_long = self.stopping_since.is_some_and(|since| since.elapsed() >= job.with.cancel_patience);
        if too_long { Err(Trouble::ComfyuiStuck) } else { Ok(()) }
    }
}

/// A ComfyUI that does not answer is the next poll's affair.
async fn stop(job: &Job) {
    if let Err(error) = job.with.comfyui.stop(job.lease.job).await {
        tracing::warn!(job.id = %job.lease.job, %error, "could not interrupt");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comfyui_that_loads_a_model_has_time_and_one_that_is_not_there_has_none() {
        let (silent, absent) =
            (ComfyuiError::Silent(String::new()), ComfyuiError::Unreachable(String::new()));
        let start = Instant::now();
        let mut silence = Silence::default();
        for seconds in [0, 12, 24, 60, 119] {
            assert!(!silence.means_gone(&silent, start + Duration::from_secs(seconds)), "{seconds}");
        }
        assert!(silence.means_gone(&silent, start + HANGS));
        let mut silence = Silence::default();
        assert!(!silence.means_gone(&absent, start));
        assert!(silence.means_gone(&absent, start + timings::COMFYUI_POLL_EVERY));
    }
}
