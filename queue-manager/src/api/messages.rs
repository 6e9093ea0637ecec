//! Messages of the instructor.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use queue_broker::Broker;
use queue_protocol::api::{Message, MessageList, NewMessage};

use super::audit;
use super::input::Body;
use super::jobs::owner;
use crate::identity::Caller;
use crate::problem::Trouble;

pub(crate) async fn list(State(broker): State<Broker>, caller: Caller) -> Result<Json<MessageList>, Trouble> {
    let mut messages = broker.messages().await?;
    if let Some(own) = owner(&caller) {
        messages.retain(|message| message.to.as_ref().is_none_or(|to| to == own));
    }
    Ok(Json(MessageList { messages }))
}

pub(crate) async fn send(
    State(broker): State<Broker>,
    caller: Caller,
    Body(message): Body<NewMessage>,
) -> Result<(StatusCode, Json<Message>), Trouble> {
    if !(1..=1_000).contains(&message.text.chars().count()) {
        return Err(Trouble::BadRequest("text must have 1 to 1000 characters.".to_owned()));
    }
    if let Some(to) = &message.to {
        broker.account(to).await?.ok_or(Trouble::NotFound)?;
    }
    let said = broker.record_message(message.to, message.text).await?;
    let to = said.to.as_ref().map(ToString::to_string).unwrap_or_default();
    audit::note(&broker, &caller, "message.send", &to, "", &said.text).await;
    Ok((StatusCode::CREATED, Json(said)))
}
