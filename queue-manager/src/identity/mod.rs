//! Who is calling. Participants and the instructor come by session cookie, bearer token or HTTP Basic; workers only on
//! their own listener.

pub(crate) mod admission;
pub mod caller;
pub mod cookie;
pub(crate) mod guard;
pub(crate) mod join;
mod lines;
mod once;
pub mod password;
pub mod sign_in;

pub use caller::Caller;
pub use password::Passwords;
