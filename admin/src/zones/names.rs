//! What people are called on the page: what the instructor calls them, their account, or, for a projector, their seat.

use std::collections::HashMap;

use queue_protocol::AccountName;
use queue_protocol::api::{Role, Room};

/// Everyone's name, as it is shown.
pub(crate) struct Names {
    shown: HashMap<AccountName, String>,
    /// For a projector.
    pub(super) hidden: bool,
}

impl Names {
    pub(crate) fn of(room: &Room, hidden: bool) -> Self {
        let mut without_seat = 0;
        let shown = room.people.iter().map(|person| {
            let name = match (hidden, person.seat) {
                (true, _) if person.role == Role::Instructor => "Instructor".to_owned(),
                (true, Some(seat)) => format!("Seat {seat}"),
                (true, None) => {
                    without_seat += 1;
                    format!("Person {without_seat}")
                }
                (false, _) if person.label.is_empty() => person.name.to_string(),
                (false, _) => person.label.clone(),
            };
            (person.name.clone(), name)
        });
        Self { shown: shown.collect(), hidden }
    }

    /// Somebody without an account any more goes by what the account was called, where names are not hidden.
    pub(crate) fn shown(&self, account: &AccountName) -> String {
        let gone = || if self.hidden { "Somebody gone".to_owned() } else { account.to_string() };
        self.shown.get(account).cloned().unwrap_or_else(gone)
    }
}
