//! Every transition: one Lua file, and a wrapper beside it that turns its words into types.

pub mod attend;
pub mod cancel;
pub mod change;
pub mod claim;
pub mod classroom;
pub mod configure;
pub mod depart;
pub mod drain;
pub mod enter;
pub mod fail;
pub mod finish;
pub mod grant;
pub mod housekeeping;
pub mod peek;
pub mod reap;
pub mod record;
pub mod release;
pub mod renew;
pub mod retry;
pub(crate) mod room;
pub mod steer;
pub mod submit;
pub mod teach;
pub mod watch;
