//! The wire to one tab: what was said over it, and what of that has arrived. That a message went into a socket means little
//! (a laptop may be closed, and a proxy takes what it is given); the answer to a ping behind it is the browser's own.

use axum::extract::ws::{Message, WebSocket};
use queue_broker::frames::{ExecutionFrame, Payload};
use queue_protocol::{JobId, frame, timings};
use serde::Deserialize;
use serde_json::Value;
use tokio::time::timeout;

/// What a tab was told of a job, up to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) job: JobId,
    /// Of the last message.
    pub(super) number: u64,
    /// The ping that went behind it.
    ping: u64,
}

/// One thing heard.
pub(super) enum Heard {
    Said(String),
    /// The tab has more of what it was told than before.
    Arrived,
}

pub(super) struct Wire {
    pub(super) socket: WebSocket,
    /// The number of the last kept message. One may wait for a tab and be heard as well.
    last: u64,
    /// Ends of jobs that may not have arrived yet, or still wait in the store.
    ends: Vec<Told>,
    /// Pings so far, and the last one that was answered.
    pings: u64,
    answered: u64,
    /// Of those sent by the clock, since anything was heard.
    unanswered: u32,
}

impl Wire {
    pub(super) fn new(socket: WebSocket) -> Self {
        Self { socket, last: 0, ends: Vec::new(), pings: 0, answered: 0, unanswered: 0 }
    }

    pub(super) async fn say(&mut self, value: &Value) -> Result<(), axum::Error> {
        self.send(Message::Text(value.to_string().into())).await
    }

    /// A message of a job; one that was told before is not told again.
    pub(super) async fn tell(&mut self, frame: &ExecutionFrame, metadata: bool) -> Result<(), axum::Error> {
        if let Some(number) = frame.number {
            if number <= self.last {
                return Ok(());
            }
            self.last = number;
        }
        match &frame.payload {
            Payload::Text(message) => {
                self.send(Message::Text(message.clone().into())).await?;
                match frame.number {
                    Some(number) if is_last(message) => {
                        self.ping().await?;
                        self.ends.push(Told { job: frame.job, number, ping: self.pings });
                        Ok(())
                    }
                    _ => Ok(()),
                }
            }
            Payload::Binary(preview) if metadata => self.send(Message::Binary(preview.clone().into())).await,
            Payload::Binary(preview) => {
                let plain = frame::without_metadata(preview).unwrap_or_else(|| preview.clone());
                self.send(Message::Binary(plain.into())).await
            }
        }
    }

    /// Looks whether anybody is there; `false` when nobody has answered for too long.
    pub(super) async fn look(&mut self) -> Result<bool, axum::Error> {
        if self.unanswered == timings::PINGS_UNANSWERED {
            return Ok(false);
        }
        self.unanswered += 1;
        self.ping().await.map(|()| true)
    }

    /// The next thing heard; `None` when the tab is gone. Safe to drop while waiting.
    pub(super) async fn hear(&mut self) -> Option<Heard> {
        loop {
            let heard = self.socket.recv().await?.ok()?;
            self.unanswered = 0;
            match heard {
                Message::Text(said) => return Some(Heard::Said(said.to_string())),
                Message::Pong(number) => {
                    let number = <[u8; 8]>::try_from(&number[..]).map(u64::from_be_bytes).unwrap_or_default();
                    self.answered = self.answered.max(number.min(self.pings));
                    if self.ended().is_some() {
                        return Some(Heard::Arrived);
                    }
                }
                Message::Close(_) => return None,
                Message::Binary(_) | Message::Ping(_) => {}
            }
        }
    }

    /// A job of which the tab has all, and which was not [forgotten](Self::forget) yet.
    pub(super) fn ended(&self) -> Option<Told> {
        self.ends.first().copied().filter(|told| told.ping <= self.answered)
    }

    /// Nothing of this waits in the store any more.
    pub(super) fn forget(&mut self, told: Told) {
        self.ends.retain(|other| *other != told);
    }

    async fn ping(&mut self) -> Result<(), axum::Error> {
        self.pings += 1;
        self.send(Message::Ping(self.pings.to_be_bytes().to_vec().into())).await
    }

    async fn send(&mut self, message: Message) -> Result<(), axum::Error> {
        let sent = timeout(timings::TAB_STUCK, self.socket.send(message)).await;
        sent.map_err(axum::Error::new)?
    }
}

/// ComfyUI's last message of a job: `executing` without a node.
fn is_last(message: &str) -> bool {
    #[derive(Deserialize)]
    struct Frame {
        #[serde(rename = "type")]
        kind: String,
        data: Value,
    }
    message.contains("\"executing\"")
        && serde_json::from_str::<Frame>(message)
            .is_ok_and(|f| f.kind == "executing" && f.data["node"].is_null())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_executing_without_a_node_ends_a_job() {
        assert!(is_last(r#"{"type":"executing","data":{"node":null,"prompt_id":"x"}}"#));
        assert!(!is_last(r#"{"type":"executing","data":{"node":"3","prompt_id":"x"}}"#));
        assert!(!is_last(r#"{"type":"executed","data":{"node":null,"text":"executing"}}"#));
    }
}
