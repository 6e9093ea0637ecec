//! Ways to a store, and a store that forgets what it was taught.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use queue_broker::transitions::finish::Settled;
use queue_broker::{Broker, BrokerError, Store};
use queue_protocol::JobState;

use crate::redis_server::cluster::{ACL, USER};
use crate::redis_server::engine::Engine;
use crate::redis_server::process::Process;
use crate::redis_server::{RedisServer, answers, fresh_name, open};
use crate::workshop::{gpu, held, lent, nothing, person, submit};

#[tokio::test]
async fn scripts_that_the_store_forgot_run_all_the_same() {
    let server = RedisServer::start();
    let broker = server.workshop().await;
    server.forget_scripts().await;
    let job = submit(&broker, &person("ada")).await;
    server.forget_scripts().await;
    let claimed = lent(&broker, &gpu("gpu-1")).await;
    assert_eq!(claimed.job, job);
    server.forget_scripts().await;
    let settled = broker.finish(&gpu("gpu-1"), held(&claimed), &nothing()).await.unwrap();
    assert_eq!(settled, Settled::Ended(JobState::Completed));
    assert_eq!(broker.recount().await.unwrap(), Vec::<String>::new());
}

fn free_port() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string()
}

#[tokio::test]
async fn a_store_may_ask_for_a_user_and_a_password() {
    let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
    let address = ["--port", &port, "--bind", "127.0.0.1", "--user", "default", "off"];
    let _server = Process::start(folder.path(), &[address.as_slice(), &ACL].concat());
    let store: Store = format!("redis://{USER}@127.0.0.1:{port}").parse().unwrap();
    let broker = open(&store, &fresh_name()).await;
    submit(&broker, &person("ada")).await;
    let nobody = Broker::new(&Store::Url(format!("redis://127.0.0.1:{port}")), &fresh_name()).unwrap();
    let refused = nobody.ping().await;
    assert!(matches!(refused, Err(BrokerError::Unavailable(_))), "{refused:?}");
}

/// A certificate of its own for 127.0.0.1, in `cert.pem` and `key.pem`.
fn certify(folder: &Path) {
    let words = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=store -addext subjectAltName=IP:127.0.0.1 \
                 -addext basicConstraints=critical,CA:FALSE -keyout key.pem -out cert.pem";
    let made = Command::new("openssl").args(words.split_whitespace()).current_dir(folder).output();
    let made = made.expect("openssl is installed (apt-get install openssl)");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

/// Certificates to trust come with the environment, so who trusts this one is another process.
#[tokio::test]
async fn a_store_with_tls_is_believed_by_its_certificate_only() {
    // Builds of other engines may lack TLS, which is not the engine's doing but the way there.
    if Engine::chosen() != Engine::Redis {
        return;
    }
    let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
    certify(folder.path());
    let tls = ["--tls-port", &port, "--tls-cert-file", "cert.pem", "--tls-key-file", "key.pem"];
    let rest = ["--port", "0", "--tls-ca-cert-file", "cert.pem", "--tls-auth-clients", "no"];
    let _server = Process::start(folder.path(), &[tls.as_slice(), &rest, &ACL].concat());
    let url = format!("rediss://{USER}@127.0.0.1:{port}");
    let trusting = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "stores::by_tls"])
        .env("SSL_CERT_FILE", folder.path().join("cert.pem"))
        .env("ATELIER_TEST_STORE", &url)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&trusting.stdout);
    assert!(said.contains("1 passed"), "{said}");
    let stranger = Broker::new(&url.parse().unwrap(), &fresh_name()).unwrap().ping().await;
    assert!(matches!(stranger, Err(BrokerError::Unavailable(_))), "{stranger:?}");
}

#[tokio::test]
#[ignore = "a part of the test before, in a process of its own"]
async fn by_tls() {
    let store: Store = std::env::var_os("ATELIER_TEST_STORE").unwrap().to_str().unwrap().parse().unwrap();
    let broker = Broker::new(&store, &fresh_name()).unwrap();
    answers(&broker).await;
    submit(&broker, &person("ada")).await;
    crate::listening::listening(&broker).await;
}
