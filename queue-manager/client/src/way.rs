//! The way to the queue-manager, for the link and for files alike: straight, or through a proxy. The environment's own
//! proxy settings mean nothing here: link and files must not go two ways.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Uri;
use http::header::HeaderValue;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower::Service;

use crate::error::ClientError;
use crate::proxy::{Kind, Proxy};

const CONNECT: Duration = Duration::from_secs(10);
/// A peer that is gone without a word is noticed after about a minute, even where nothing is under way.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// The way. Cheap to clone.
#[derive(Clone)]
pub(crate) enum Way {
    Straight(HttpConnector),
    Tunnel(Tunnel<HttpConnector>),
    Socks(SocksV5<HttpConnector>),
}

type Connecting = Pin<Box<dyn Future<Output = Result<TokioIo<TcpStream>, ClientError>> + Send>>;

impl Way {
    pub(crate) fn new(proxy: Option<&Proxy>) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT));
        connector.set_keepalive(Some(KEEPALIVE));
        connector.set_keepalive_interval(Some(KEEPALIVE));
        connector.set_keepalive_retries(Some(3));
        // A message that waits for a larger packet is a renewal that comes late.
        connector.set_nodelay(true);
        let Some(Proxy { kind, address, credentials }) = proxy.cloned() else {
            return Self::Straight(connector);
        };
        match kind {
            Kind::Http => {
                let tunnel = Tunnel::new(address, connector);
                Self::Tunnel(match credentials.and_then(|(user, password)| basic(&user, &password)) {
                    Some(credentials) => tunnel.with_auth(credentials),
                    None => tunnel,
                })
            }
            Kind::Socks5 => {
                let socks = SocksV5::new(address, connector);
                Self::Socks(match credentials {
                    Some((user, password)) => socks.with_auth(user, password),
                    None => socks,
                })
            }
        }
    }
}

fn basic(user: &str, password: &str) -> Option<HeaderValue> {
    let encoded = STANDARD.encode(format!("{user}:{password}"));
    HeaderValue::from_str(&format!("Basic {encoded}")).ok()
}

impl Service<Uri> for Way {
    type Response = TokioIo<TcpStream>;
    type Error = ClientError;
    type Future = Connecting;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), ClientError>> {
        match self {
            Self::Straight(way) => way.poll_ready(context).map_err(ClientError::unreachable),
            Self::Tunnel(way) => way.poll_ready(context).map_err(ClientError::unreachable),
            Self::Socks(way) => way.poll_ready(context).map_err(ClientError::unreachable),
        }
    }

    fn call(&mut self, server: Uri) -> Connecting {
        fn within_time<E: std::error::Error>(
            connecting: impl Future<Output = Result<TokioIo<TcpStream>, E>> + Send + 'static,
        ) -> Connecting {
            // A proxy that takes the connection may still never answer.
            let connecting = tokio::time::timeout(2 * CONNECT, connecting);
            Box::pin(async {
                connecting.await.map_err(ClientError::unreachable)?.map_err(ClientError::unreachable)
            })
        }
        let Some(server) = plain(&server) else {
            let error = ClientError::Unexpected(format!("{server} is no address of a server"));
            return Box::pin(std::future::ready(Err(error)));
        };
        match self {
            Self::Straight(way) => within_time(way.call(server)),
            Self::Tunnel(way) => within_time(way.call(server)),
            Self::Socks(way) => within_time(way.call(server)),
        }
    }
}

/// The server as every connector understands it: `http` with a port, for a websocket too.
fn plain(server: &Uri) -> Option<Uri> {
    format!("http://{}:{}", server.host()?, server.port_u16().unwrap_or(80)).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_websocket_and_a_server_without_a_port_are_found_as_well() {
        for (address, server) in [
            ("ws://queue-manager/link", "http://queue-manager:80/"),
            ("ws://[::1]:3443/link", "http://[::1]:3443/"),
            ("http://100.64.0.1:3443/link/object-info/x", "http://100.64.0.1:3443/"),
        ] {
            assert_eq!(plain(&address.parse().unwrap()).unwrap().to_string(), server);
        }
    }
}
