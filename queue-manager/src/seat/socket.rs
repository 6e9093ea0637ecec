//! `ws`: what one tab hears. Its own jobs' messages and previews, and the status of its participant's line; nothing it
//! says but its feature flags is read.

use std::sync::Arc;

use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::response::Response;
use queue_broker::Broker;
use queue_broker::signals::Signal;
use queue_protocol::{AccountName, ClientId, timings};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::descriptions::feature_flags;
use super::input::Asked;
use super::notices;
use super::panel::{self, Panel};
use super::wire::{Heard, Wire};
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
    };
    Ok(upgrade.max_message_size(256 * 1024).max_frame_size(256 * 1024).on_upgrade(move |socket| async move {
        // Whatever ends the conversation, the tab reconnects by itself and finds what it missed.
        if let Err(error) = tab.converse(Wire::new(socket), shutdown).await {
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
}

impl Tab {
    async fn converse(mut self, mut wire: Wire, shutdown: CancellationToken) -> Result<(), axum::Error> {
        let mut status = self.status().await.map_err(axum::Error::new)?;
        status["data"]["sid"] = self.client.as_str().into();
        wire.say(&status).await?;
        self.replay(&mut wire).await?;
        let mut ping = tokio::time::interval(timings::PING_EVERY);
        // After a long replay the answers that came meanwhile are heard before the next one is due.
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let why = loop {
            if self.over {
                break "sign in again";
            }
            tokio::select! {
                signal = self.ear.next() => match signal {
                    Some(signal) => self.tell(&mut wire, signal).await?,
                    None => break "too slow; come back",
                },
                heard = wire.hear() => match heard {
                    Some(Heard::Said(said)) => self.listen(&mut wire, &said).await?,
                    Some(Heard::Arrived) => self.note_delivered(&mut wire).await,
                    None => return Ok(()),
                },
                () = due(&mut self.panel) => self.tell_panel(&mut wire).await?,
                () = self.admission.due() => self.over = !self.admission.holds().await,
                _ = ping.tick() => if !wire.look().await? { break "nobody answers" },
                () = shutdown.cancelled() => break "restarting; come back",
            }
        };
        goodbye(wire.socket, why).await;
        Ok(())
    }

    /// One signal and all that are there already; however many changes, one status.
    async fn tell(&mut self, wire: &mut Wire, first: Arc<Signal>) -> Result<(), axum::Error> {
        let (mut changed, mut changed_panel, mut next) = (false, false, Some(first));
        while let Some(signal) = next {
            match &*signal {
                Signal::Change { change, as_before, .. } => {
                    changed = true;
                    if !as_before
                        && change.client.as_ref() == Some(&self.client)
                        && let Some(notice) = notices::waits(change)
                    {
                        wire.say(&notice).await?;
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
                    self.replay(wire).await?;
                }
                Signal::Frame(frame) if frame.client.as_ref() == Some(&self.client) => {
                    wire.tell(frame, self.knows_metadata).await?;
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
            wire.say(&status).await?;
        }
        Ok(())
    }

    /// Nothing of a job that it has heard to the end waits for a reconnect any more. While the store is away it does, and the
    /// answer to a later ping says so again.
    async fn note_delivered(&self, wire: &mut Wire) {
        while let Some(told) = wire.ended() {
            let delivered = self.broker.delivered(&self.participant, &self.client, told.job, told.number);
            if delivered.await.is_err() {
                return;
            }
            wire.forget(told);
        }
    }

    /// What happened while this tab was away, so that its picture appears on its node.
    async fn replay(&mut self, wire: &mut Wire) -> Result<(), axum::Error> {
        let missed = self.broker.missed(&self.participant, &self.client).await.map_err(axum::Error::new)?;
        for frame in &missed {
            wire.tell(frame, self.knows_metadata).await?;
        }
        Ok(())
    }

    async fn listen(&mut self, wire: &mut Wire, said: &str) -> Result<(), axum::Error> {
        let said: Value = serde_json::from_str(said).unwrap_or_default();
        if said["type"] == "feature_flags" {
            self.knows_metadata = said["data"]["supports_preview_metadata"] == true;
            let flags = json!({"type": "feature_flags", "data": feature_flags()});
            wire.say(&flags).await?;
        }
        if said["type"] == panel::KIND && self.panel.is_none() {
            let (broker, capabilities) = (self.broker.clone(), self.capabilities.clone());
            let opened = Panel::open(broker, capabilities, &self.hub, self.participant.clone());
            self.panel = Some(opened.await.map_err(axum::Error::new)?);
        }
        Ok(())
    }

    /// While the store is away there is nothing to tell; the tab's next reconnect asks again.
    async fn tell_panel(&mut self, wire: &mut Wire) -> Result<(), axum::Error> {
        let Some(panel) = &mut self.panel else { return Ok(()) };
        match panel.message().await {
            Ok(Some(message)) => wire.say(&message).await,
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
