//! Container seats: a participant's own ComfyUI, without a GPU, for those who install their own nodes. What has to do with
//! jobs is answered here as for every seat; the page, settings, saved workflows and whatever a node adds are the container's.

mod first_visit;
mod forward;
mod nodes;

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use axum::body::Body;
use axum::http::uri::{Authority, PathAndQuery, Scheme, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use queue_protocol::AccountName;

pub(super) use first_visit::page;
pub(super) use forward::forward;
pub(super) use nodes::{add_nodes, scripts, templates};

/// A container that is up answers at once; one that is not must not hold up a tab.
const CONNECT: Duration = Duration::from_secs(2);

/// One participant's container, as configured: `user001=http://seat-user001:8188`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerSeat {
    participant: AccountName,
    authority: Authority,
}

impl FromStr for ContainerSeat {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let (name, address) =
            text.split_once('=').with_context(|| format!("{text}: write NAME=http://HOST:PORT"))?;
        let participant = name.trim().parse().with_context(|| format!("{name} is no participant's name"))?;
        let uri: Uri = address.trim().parse().with_context(|| format!("{address} is no address"))?;
        let plain = uri.scheme() == Some(&Scheme::HTTP) && uri.path() == "/" && uri.query().is_none();
        ensure!(plain, "{address}: a container's address is http://HOST:PORT and nothing behind it");
        let authority = uri.authority().with_context(|| format!("{address} names no host"))?.clone();
        Ok(Self { participant, authority })
    }
}

/// The path as the seat got it: routes under `/api` see it without that, and a container must not.
#[derive(Debug, Clone)]
pub(super) struct Asked(Option<PathAndQuery>);

impl Asked {
    pub(super) fn of(uri: &Uri) -> Self {
        Self(uri.path_and_query().cloned())
    }
}

/// Where each container is. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Containers {
    seats: Arc<BTreeMap<AccountName, Authority>>,
    client: Client<HttpConnector, Body>,
}

impl Containers {
    /// For these seats; everybody else has a light one.
    pub(crate) fn new(seats: &[ContainerSeat]) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT));
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new()).build(connector);
        let seats = seats.iter().map(|seat| (seat.participant.clone(), seat.authority.clone())).collect();
        Self { seats: Arc::new(seats), client }
    }

    pub(super) fn has(&self, participant: &AccountName) -> bool {
        self.seats.contains_key(participant)
    }

    /// A participant's container, with the path as it came: `%2F` is a part of a name, and not a slash.
    fn address(&self, participant: &AccountName, path: &PathAndQuery) -> Option<Uri> {
        let authority = self.seats.get(participant)?.clone();
        Uri::builder().scheme(Scheme::HTTP).authority(authority).path_and_query(path.clone()).build().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_has_a_participant_and_a_plain_address() {
        let seat: ContainerSeat = "user001=http://seat-user001:8188".parse().unwrap();
        assert_eq!((seat.participant.as_str(), seat.authority.as_str()), ("user001", "seat-user001:8188"));
        for bad in [
            "user001",
            "user001=",
            "api=http://a:1",
            "user001=https://a:1",
            "user001=http://a:1/x",
            "=http://a:1",
            "user001=a:1",
        ] {
            assert!(bad.parse::<ContainerSeat>().is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn a_path_goes_on_as_it_came() {
        let containers = Containers::new(&["user001=http://127.0.0.1:1".parse().unwrap()]);
        let path: PathAndQuery = "/api/userdata/workflows%2F%C3%A4.json?overwrite=a%26b".parse().unwrap();
        let address = containers.address(&"user001".parse().unwrap(), &path).unwrap();
        assert_eq!(
            address.to_string(),
            "http://127.0.0.1:1/api/userdata/workflows%2F%C3%A4.json?overwrite=a%26b"
        );
        assert!(containers.address(&"user002".parse().unwrap(), &path).is_none());
    }
}
