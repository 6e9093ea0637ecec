//! Taking a mutex that no holder can leave half-changed.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks; a panic elsewhere does not spread to here, as every holder changes the value in one step.
pub(crate) fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
