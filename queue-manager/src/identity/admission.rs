//! Why a socket may be open, and whether it still may. The word that a session ended is a hint and can be lost, so an
//! open socket asks again.

use queue_protocol::timings;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::caller::{Caller, Identity};
use crate::hub::{Ear, Hub, Interest};
use crate::problem::Trouble;

/// The right of one socket to be open.
pub(crate) struct Admission {
    identity: Identity,
    caller: Caller,
    again: Interval,
}

impl Admission {
    /// Opens an ear for a caller. The ear first: a session that ends while the store is asked is then either seen there
    /// or heard of.
    ///
    /// # Errors
    /// [`Trouble::NotSignedIn`] for a session that was believed and is over, [`Trouble::TooManySockets`], or the store's.
    pub(crate) async fn open(
        identity: Identity,
        hub: &Hub,
        caller: Caller,
        interest: Interest,
    ) -> Result<(Ear, Self), Trouble> {
        let ear = hub.listen_as(interest, &caller)?;
        if !identity.still_knows(&caller).await? {
            return Err(Trouble::NotSignedIn);
        }
        let every = timings::SOCKET_CHECK_EVERY;
        let mut again = interval_at(Instant::now() + every, every);
        again.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok((ear, Self { identity, caller, again }))
    }

    /// Returns when it is time to look again. Safe to drop while waiting.
    pub(crate) async fn due(&mut self) {
        self.again.tick().await;
    }

    /// Whether the caller would be let in now. While the store does not answer, nobody is sent away.
    pub(crate) async fn holds(&self) -> bool {
        self.identity.still_knows(&self.caller).await.unwrap_or(true)
    }
}
