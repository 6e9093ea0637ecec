//! Every transition: one Lua file, one wrapper beside it.

pub mod attend;
pub mod cancel;
pub mod claim;
pub mod fail;
pub mod finish;
pub mod position;
pub mod reap;
pub mod release;
pub mod renew;
pub mod submit;
