//! Execution messages on their way to the tab that submitted the job: a line with the number of a kept one, a header line
//! in JSON, then the message.

use queue_protocol::{AccountName, ClientId, JobId, LeaseToken, limits};
use serde::{Deserialize, Serialize};

use crate::connection::Broker;
use crate::error::BrokerError;
use crate::script::script;

/// One message of ComfyUI for one tab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecutionFrame {
    /// Given by the store to a message that is kept: grows with every one of the workshop, also after a log that lost its
    /// end. `None` before it is published, and for messages that are not kept.
    pub number: Option<u64>,
    /// Whose job it is about: the only participant who may see it.
    pub participant: AccountName,
    /// The tab; `None` for jobs that no tab submitted, which only listeners of the participant see.
    pub client: Option<ClientId>,
    /// The job.
    pub job: JobId,
    /// What to send.
    pub payload: Payload,
}

/// Where a message stands among all that a claim has to say. It is the same when the message is sent again, because nobody
/// knew whether it had arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The claim.
    pub token: LeaseToken,
    /// Grows with every message of the claim.
    pub number: u64,
}

/// A websocket message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// JSON.
    Text(String),
    /// A preview.
    Binary(Vec<u8>),
}

#[derive(Serialize, Deserialize)]
struct Header {
    participant: AccountName,
    client: Option<ClientId>,
    job: JobId,
    binary: bool,
}

impl ExecutionFrame {
    fn encode(&self) -> Result<Vec<u8>, BrokerError> {
        let (binary, payload) = match &self.payload {
            Payload::Text(text) => (false, text.as_bytes()),
            Payload::Binary(bytes) => (true, bytes.as_slice()),
        };
        let header = Header {
            participant: self.participant.clone(),
            client: self.client.clone(),
            job: self.job,
            binary,
        };
        let mut bytes = serde_json::to_vec(&header).map_err(|e| BrokerError::Corrupt(e.to_string()))?;
        bytes.push(b'\n');
        bytes.extend_from_slice(payload);
        Ok(bytes)
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, BrokerError> {
        let bad = || BrokerError::Corrupt("a published message has no valid header".to_owned());
        let mut parts = bytes.splitn(3, |byte| *byte == b'\n');
        let (number, header) = parts.next().zip(parts.next()).ok_or_else(bad)?;
        let number = str::from_utf8(number).map_err(|_| bad())?;
        let number = if number.is_empty() { None } else { Some(number.parse().map_err(|_| bad())?) };
        let header: Header = serde_json::from_slice(header).map_err(|_| bad())?;
        let payload = parts.next().ok_or_else(bad)?.to_vec();
        let payload = if header.binary {
            Payload::Binary(payload)
        } else {
            Payload::Text(String::from_utf8(payload).map_err(|_| bad())?)
        };
        Ok(Self { number, participant: header.participant, client: header.client, job: header.job, payload })
    }
}

impl Broker {
    /// Publishes a message; one with a place also waits, up to an hour, for a tab that is away, and changes nothing when it
    /// is sent again.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`]: the tab may have it or not; the job is as it was.
    pub async fn publish(&self, frame: &ExecutionFrame, kept: Option<Place>) -> Result<(), BrokerError> {
        let bytes = frame.encode()?;
        if let (Some(place), Some(client)) = (kept, &frame.client) {
            let call = script!("transitions/frame").call(self);
            return call
                .arg(frame.participant.as_str())
                .arg(client.as_str())
                .arg(bytes)
                .arg(limits::MISSED)
                .arg(limits::MISSED_TABS)
                .arg(limits::MISSED_BYTES)
                .arg(place.token.to_string())
                .arg(place.number)
                .run()
                .await
                .map(drop);
        }
        let mut connection = self.connection.clone();
        let unnumbered = [b"\n", bytes.as_slice()].concat();
        redis::cmd("PUBLISH")
            .arg(self.keys.frames())
            .arg(unnumbered)
            .query_async::<()>(&mut connection)
            .await?;
        Ok(())
    }

    /// The messages that wait for a tab, oldest first.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`] while the store does not answer.
    pub async fn missed(
        &self,
        participant: &AccountName,
        client: &ClientId,
    ) -> Result<Vec<ExecutionFrame>, BrokerError> {
        let mut connection = self.connection.clone();
        let all: Vec<Vec<u8>> = redis::cmd("LRANGE")
            .arg(self.keys.missed(participant, client))
            .arg(0)
            .arg(-1)
            .query_async(&mut connection)
            .await?;
        all.iter().map(|bytes| ExecutionFrame::decode(bytes)).collect()
    }

    /// The tab has what a job had to say, up to the message with this number: of that nothing waits for it any more.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`]: it may get some messages twice, which is harmless.
    pub async fn delivered(
        &self,
        participant: &AccountName,
        client: &ClientId,
        job: JobId,
        number: u64,
    ) -> Result<(), BrokerError> {
        let call = script!("transitions/delivered").call(self).arg(participant.as_str()).arg(client.as_str());
        call.arg(job.to_string()).arg(number).run().await.map(drop)
    }
}
