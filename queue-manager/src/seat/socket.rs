//! `ws`: what one tab hears. Its own jobs' messages and previews, and the status of its participant's line; nothing it
//! says but its feature flags is read.

use std::sync::Arc;

use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use queue_broker::Broker;
use queue_broker::frames::{ExecutionFrame, Payload};
use queue_broker::signals::Signal;
use queue_protocol::{AccountName, ClientId, frame, timings};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::descriptions::feature_flags;
use super::input::Asked;
use super::notices;
use super::panel::{self, Panel};
use crate::capabilities::Capabilities;
use crate::connections::goodbye;
use crate::hub::{Ear, Hub, Interest};
use crate::identity::Caller;
use crate::identity::admission::Admission;
use crate::identity::caller::Identity;
use crate::problem::{SeatTrouble, Trouble};
use crate::workflow::submit::Door;

#[derive(Deserialize)]
pub(super) struct Connect {
    #[serde(rename = "clientId")]
    client_id: Option<String>,
}

pub(super) async fn open(
    State(Door { broker, capabilities, .. }): State<Door>,
    State(hub): State<Hub>,
    State(identity): State<Identity>,
    State(shutdown): State<CancellationToken>,
    caller: Caller,
    Asked(connect): Asked<Connect>,
    upgrade: WebSocketUpgrade,
) -> Result<Response, SeatTrouble> {
    let known = connect.client_id.and_then(|text| text.parse().ok());
    let client = match known {
        Some(client) => client,
        None => new_client_id(),
    };
    let interest = Interest::Participant(caller.name.clone());
    let (ear, admission) = Admission::open(identity, &hub, caller.clone(), interest).await?;
    let tab = Tab {
        ear,
        admission,
        over: false,
        broker,
        capabilities,
        hub,
        participant: caller.name,
        client,
        knows_metadata: false,
        panel: None,
        told: 0,
    };
    Ok(upgrade.max_message_size(256 * 1024).max_frame_size(256 * 1024).on_upgrade(move |socket| async move {
        // Whatever ends the conversation, the tab reconnects by itself and finds what it missed.
        if let Err(error) = tab.converse(socket, shutdown).await {
            tracing::debug!(%error, "a tab's socket ended");
        }
    }))
}

#[expect(clippy::expect_used, reason = "32 hexadecimal digits are a client id")]
fn new_client_id() -> ClientId {
    uuid::Uuid::new_v4().simple().to_string().parse().expect("a valid client id")
}

struct Tab {
    ear: Ear,
    admission: Admission,
    /// Its session is.
    over: bool,
    broker: Broker,
    capabilities: Capabilities,
    hub: Hub,
    participant: AccountName,
    client: ClientId,
    knows_metadata: bool,
    /// There once its extension asked for it.
    panel: Option<Panel>,
    /// The number of the last kept message it was told. One may wait for a tab and be heard as well.
    told: u64,
}

impl Tab {
    async fn converse(
        mut self,
        mut socket: WebSocket,
        shutdown: CancellationToken,
    ) -> Result<(), axum::Error> {
        let mut status = self.status().await.map_err(axum::Error::new)?;
        status["data"]["sid"] = self.client.as_str().into();
        socket.send(text(&status)).await?;
        self.replay(&mut socket).await?;
        let mut ping = tokio::time::interval(timings::PING_EVERY);
        let why = loop {
            if self.over {
                break "sign in again";
            }
            tokio::select! {
                signal = self.ear.next() => match signal {
                    Some(signal) => self.tell(&mut socket, signal).await?,
                    None => break "too slow; come back",
                },
                heard = socket.recv() => match heard {
                    Some(Ok(Message::Text(said))) => self.listen(&mut socket, &said).await?,
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return Ok(()),
                    Some(Ok(_)) => {}
                },
                () = due(&mut self.panel) => self.tell_panel(&mut socket).await?,
                () = self.admission.due() => self.over = !self.admission.holds().await,
                _ = ping.tick() => socket.send(Message::Ping(Vec::new().into())).await?,
                () = shutdown.cancelled() => break "restarting; come back",
            }
        };
        goodbye(socket, why).await;
        Ok(())
    }

    /// One signal and all that are there already; however many changes, one status.
    async fn tell(&mut self, socket: &mut WebSocket, first: Arc<Signal>) -> Result<(), axum::Error> {
        let (mut changed, mut changed_panel, mut next) = (false, false, Some(first));
        while let Some(signal) = next {
            match &*signal {
                Signal::Change { change, .. } => {
                    changed = true;
                    if change.client.as_ref() == Some(&self.client) {
                        for notice in notices::about(&self.broker, change).await {
                            socket.send(text(&notice)).await?;
                        }
                    }
                }
                Signal::Listening => {
                    self.over = !self.admission.holds().await;
                    if self.over {
                        return Ok(());
                    }
                    changed = true;
                    if let Some(panel) = &mut self.panel {
                        panel.listening_again().await;
                    }
                    self.replay(socket).await?;
                }
                Signal::Frame(frame) if frame.client.as_ref() == Some(&self.client) => {
                    self.send_frame(socket, frame).await?;
                }
                Signal::Queue(_) | Signal::Message(_) => changed_panel = true,
                _ => {}
            }
            next = self.ear.ready();
        }
        if (changed || changed_panel)
            && let Some(panel) = &mut self.panel
        {
            panel.changed();
        }
        if changed && let Ok(status) = self.status().await {
            socket.send(text(&status)).await?;
        }
        Ok(())
    }

    async fn send_frame(
        &mut self,
        socket: &mut WebSocket,
        frame: &ExecutionFrame,
    ) -> Result<(), axum::Error> {
        if let Some(number) = frame.number {
            if number <= self.told {
                return Ok(());
            }
            self.told = number;
        }
        match &frame.payload {
            Payload::Text(message) => {
                socket.send(Message::Text(message.clone().into())).await?;
                if is_last(message) {
                    // Delivered: nothing of this job waits for a reconnect any more.
                    self.broker.delivered(&self.participant, &self.client).await.map_err(axum::Error::new)?;
                }
                Ok(())
            }
            Payload::Binary(preview) if self.knows_metadata => {
                socket.send(Message::Binary(preview.clone().into())).await
            }
            Payload::Binary(preview) => {
                let plain = frame::without_metadata(preview).unwrap_or_else(|| preview.clone());
                socket.send(Message::Binary(plain.into())).await
            }
        }
    }

    /// What happened while this tab was away, so that its picture appears on its node.
    async fn replay(&mut self, socket: &mut WebSocket) -> Result<(), axum::Error> {
        let missed = self.broker.missed(&self.participant, &self.client).await.map_err(axum::Error::new)?;
        for frame in &missed {
            self.send_frame(socket, frame).await?;
        }
        Ok(())
    }

    async fn listen(&mut self, socket: &mut WebSocket, said: &str) -> Result<(), axum::Error> {
        let said: Value = serde_json::from_str(said).unwrap_or_default();
        if said["type"] == "feature_flags" {
            self.knows_metadata = said["data"]["supports_preview_metadata"] == true;
            let flags = json!({"type": "feature_flags", "data": feature_flags()});
            socket.send(text(&flags)).await?;
        }
        if said["type"] == panel::KIND && self.panel.is_none() {
            let (broker, capabilities) = (self.broker.clone(), self.capabilities.clone());
            let opened = Panel::open(broker, capabilities, &self.hub, self.participant.clone());
            self.panel = Some(opened.await.map_err(axum::Error::new)?);
        }
        Ok(())
    }

    /// While the store is away there is nothing to tell; the tab's next reconnect asks again.
    async fn tell_panel(&mut self, socket: &mut WebSocket) -> Result<(), axum::Error> {
        let Some(panel) = &mut self.panel else { return Ok(()) };
        match panel.message().await {
            Ok(Some(message)) => socket.send(text(&message)).await,
            Ok(None) | Err(_) => Ok(()),
        }
    }

    async fn status(&self) -> Result<Value, Trouble> {
        let remaining = self.broker.outstanding(&self.participant).await?;
        Ok(json!({"type": "status", "data": {"status": {"exec_info": {"queue_remaining": remaining}}}}))
    }
}

async fn due(panel: &mut Option<Panel>) {
    match panel {
        Some(panel) => panel.due().await,
        None => std::future::pending().await,
    }
}

fn text(value: &Value) -> Message {
    Message::Text(value.to_string().into())
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
