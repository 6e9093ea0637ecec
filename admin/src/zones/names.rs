//! What people are called on the page: what the instructor calls them, their account, or, for a projector, their seat.

use std::collections::HashMap;

use queue_protocol::AccountName;
use queue_protocol::api::Room;

/// Everyone's name, as it is shown.
pub(crate) struct Names(HashMap<AccountName, String>);

impl Names {
    pub(crate) fn of(room: &Room, hide: bool) -> Self {
        let shown = room.people.iter().zip(1..).map(|(person, place)| {
            let name = match (hide, person.seat) {
                (true, Some(seat)) => format!("Seat {seat}"),
                (true, None) => format!("Person {place}"),
                (false, _) if person.label.is_empty() => person.name.to_string(),
                (false, _) => person.label.clone(),
            };
            (person.name.clone(), name)
        });
        Self(shown.collect())
    }

    /// Somebody without an account any more goes by what the account was called.
    pub(crate) fn shown(&self, account: &AccountName) -> String {
        self.0.get(account).cloned().unwrap_or_else(|| account.to_string())
    }
}
