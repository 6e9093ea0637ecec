//! A worker on a box without a network device of its own: everything goes through a proxy, which alone knows names.

use testkit::{Workshop, WorkshopBuilder, graphs};
use tokio::process::Command;

use crate::proxy_server::ProxyServer;

async fn by_proxy(kind: &str, credentials: &str, proxy: &ProxyServer, workshop: &mut Workshop) {
    let port = workshop.link.rsplit(':').next().unwrap();
    workshop.worker_settings = vec![
        ("ATELIER_QUEUE_MANAGER".to_owned(), format!("http://queue-manager.test:{port}")),
        ("ATELIER_WORKER_PROXY".to_owned(), format!("{kind}://{credentials}{}", proxy.address)),
        // These are for other programs on the box.
        ("ATELIER_LOG".to_owned(), "debug".to_owned()),
        ("http_proxy".to_owned(), "http://127.0.0.1:1".to_owned()),
        ("ALL_PROXY".to_owned(), "socks5://127.0.0.1:1".to_owned()),
    ];
    workshop.add_worker(20, None).await.unwrap();
    let ada = workshop.person("user001").unwrap();
    let id = ada.submit(&graphs::white_picture()).await.unwrap();
    let job = ada.wait_for(&id, "completed").await.unwrap();
    assert!(ada.picture(&job, 0).await.unwrap().starts_with(b"\x89PNG"));
}

fn asked(proxy: &ProxyServer) -> Vec<String> {
    proxy.asked.lock().unwrap().clone()
}

#[tokio::test]
async fn link_and_files_go_through_a_socks_proxy_and_comfyui_does_not() {
    let mut workshop = WorkshopBuilder::new().workers(0).start().await.unwrap();
    let proxy = ProxyServer::start(workshop.link.strip_prefix("http://").unwrap(), None).await;
    by_proxy("socks5", "", &proxy, &mut workshop).await;
    let asked = asked(&proxy);
    assert!(asked.len() >= 2, "the link, and another connection for files: {asked:?}");
    assert!(asked.iter().all(|line| line.starts_with("SOCKS queue-manager.test:")), "{asked:?}");
}

#[tokio::test]
async fn link_and_files_go_through_an_http_proxy_that_wants_a_password() {
    let mut workshop = WorkshopBuilder::new().workers(0).start().await.unwrap();
    let server = workshop.link.strip_prefix("http://").unwrap();
    // gpu:s3cret
    let proxy = ProxyServer::start(server, Some("Basic Z3B1OnMzY3JldA==")).await;
    by_proxy("http", "gpu:s3cret@", &proxy, &mut workshop).await;
    let asked = asked(&proxy);
    assert!(
        asked.len() >= 2 && asked.iter().all(|line| line.starts_with("CONNECT queue-manager.test:")),
        "{asked:?}"
    );
    assert!(!workshop.logs().contains("s3cret"));
}

#[tokio::test]
async fn a_worker_with_an_address_it_cannot_use_does_not_start_and_says_what_to_do() {
    for (name, value, word) in [
        ("ATELIER_WORKER_PROXY", "ftp://gpu:s3cret@box", "a proxy is http://HOST:PORT or socks5://HOST:PORT"),
        ("WORKER_PROXY", "box:1055", "a proxy is http://HOST:PORT or socks5://HOST:PORT"),
        ("ATELIER_QUEUE_MANAGER", "https://atelier.example", "The link is plain HTTP"),
        ("ATELIER_QUEUE_MANAGER", "100.64.0.1:3443", "is no address of a worker listener"),
    ] {
        let mut worker = Command::new(testkit::process::our_program("worker").unwrap());
        worker.env("ATELIER_WORKER_TOKEN", "x").env(name, value).kill_on_drop(true);
        let output = worker.output().await.unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(word), "{name}={value}: {said}");
    }
}
