//! The address of the workers' listener may come later than we do, as Tailscale's after a reboot: it is waited for, and
//! health says so meanwhile.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpListener;

/// Between two looks for an address that is not there.
const AGAIN: Duration = Duration::from_secs(2);

/// Whether the listener still waits for its address. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct AwaitedAddress(Arc<AtomicBool>);

impl AwaitedAddress {
    /// What to say about it while it is not there.
    pub(crate) fn warning(&self, address: SocketAddr) -> Option<String> {
        self.0.load(Ordering::Relaxed).then(|| {
            format!(
                "No GPU can connect: this machine does not have the workers' address {} yet. It is looked for every {} s. \
                 Is Tailscale up?",
                address.ip(),
                AGAIN.as_secs()
            )
        })
    }
}

/// Listens on the address; `None` where this machine does not have it yet.
///
/// # Errors
/// When the address is taken or may not be used.
pub(crate) async fn listen(address: SocketAddr) -> anyhow::Result<Option<TcpListener>> {
    is_there(TcpListener::bind(address).await)
        .with_context(|| format!("cannot listen for workers on {address}"))
}

fn is_there<T>(bound: io::Result<T>) -> io::Result<Option<T>> {
    match bound {
        Ok(listener) => Ok(Some(listener)),
        Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => Ok(None),
        Err(error) => Err(error),
    }
}

/// The listener that is there, or the one that will be.
///
/// # Errors
/// When the address came, and is taken or may not be used.
pub(crate) async fn sooner_or_later(
    there: Option<TcpListener>,
    address: SocketAddr,
    awaited: &AwaitedAddress,
) -> io::Result<TcpListener> {
    if let Some(listener) = there {
        return Ok(listener);
    }
    tracing::warn!(%address, "this machine does not have the workers' address yet; looking again every 2 s");
    let listener = when_there(awaited, async || TcpListener::bind(address).await).await?;
    tracing::info!(%address, "the workers' address is there");
    Ok(listener)
}

async fn when_there<T>(awaited: &AwaitedAddress, bind: impl AsyncFn() -> io::Result<T>) -> io::Result<T> {
    awaited.0.store(true, Ordering::Relaxed);
    loop {
        if let Some(listener) = is_there(bind().await)? {
            awaited.0.store(false, Ordering::Relaxed);
            return Ok(listener);
        }
        tokio::time::sleep(AGAIN).await;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_address_is_waited_for_until_it_is_there_and_said_meanwhile() {
        let (awaited, tries) = (AwaitedAddress::default(), Cell::new(0));
        let address = "100.64.0.1:3443".parse().unwrap();
        assert_eq!(awaited.warning(address), None);
        let bind = async || {
            tries.set(tries.get() + 1);
            if tries.get() < 4 {
                return Err(io::ErrorKind::AddrNotAvailable.into());
            }
            assert!(awaited.warning(address).unwrap().contains("100.64.0.1"));
            Ok("listener")
        };
        assert_eq!(when_there(&awaited, bind).await.unwrap(), "listener");
        assert_eq!(tries.get(), 4);
        assert_eq!(awaited.warning(address), None);
    }

    #[tokio::test]
    async fn an_address_that_somebody_else_has_is_not_waited_for() {
        let taken = async || Err::<(), _>(io::ErrorKind::AddrInUse.into());
        let error = when_there(&AwaitedAddress::default(), taken).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }
}
