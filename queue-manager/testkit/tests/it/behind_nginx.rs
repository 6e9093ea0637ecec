//! The door: nginx as it is configured for a workshop, in plain HTTP and with TLS.

use std::path::{Path, PathBuf};
use std::process::Command;

use futures_util::future::join_all;
use reqwest::{Client, Method, StatusCode, redirect};
use serde_json::Value;
use testkit::process::{Process, free_port, repository};
use testkit::{Workshop, WorkshopBuilder, waiting};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

fn client() -> reqwest::ClientBuilder {
    Client::builder().redirect(redirect::Policy::none())
}

fn openssl(folder: &Path, arguments: &str) {
    let done = Command::new("openssl").current_dir(folder).args(arguments.split(' ')).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// A certificate for `workshop.home.arpa` and `admin.workshop.home.arpa`.
fn certificate(folder: &Path, days: &str) -> (PathBuf, PathBuf) {
    openssl(
        folder,
        &format!(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days {days} -keyout tls.key -out tls.crt \
             -subj /CN=workshop -addext subjectAltName=DNS:workshop.home.arpa,DNS:admin.workshop.home.arpa"
        ),
    );
    (folder.join("tls.crt"), folder.join("tls.key"))
}

fn render(folder: &Path, settings: &[(&str, &str)]) -> std::process::Output {
    let mut command = Command::new(repository().join("scripts/render-nginx.sh"));
    command.arg(folder).envs(settings.iter().copied()).output().unwrap()
}

struct Door {
    _nginx: Process,
    port: u16,
    http_port: u16,
}

impl Door {
    /// nginx with TLS in front of a workshop, under both names.
    async fn open(workshop: &Workshop) -> Self {
        let (port, http_port) = (free_port().unwrap(), free_port().unwrap());
        let folder = workshop.data().join("door");
        std::fs::create_dir_all(&folder).unwrap();
        let (crt, key) = certificate(&folder, "30");
        let bare = |url: &str| url.trim_start_matches("http://").to_owned();
        let rendered = render(
            &folder,
            &[
                ("ATELIER_BIND", &bare(&workshop.direct)),
                ("ATELIER_ADMIN_BIND", &bare(workshop.admin.as_ref().unwrap())),
                ("ATELIER_PORT", &port.to_string()),
                ("ATELIER_HTTP_PORT", &http_port.to_string()),
                ("ATELIER_SERVER_NAME", "workshop.home.arpa"),
                ("ATELIER_ADMIN_NAME", "admin.workshop.home.arpa"),
                ("ATELIER_TLS_CERTIFICATE", crt.to_str().unwrap()),
                ("ATELIER_TLS_KEY", key.to_str().unwrap()),
            ],
        );
        assert!(rendered.status.success(), "{}", String::from_utf8_lossy(&rendered.stderr));
        let mut nginx = tokio::process::Command::new("nginx");
        nginx.arg("-c").arg(folder.join("nginx.conf")).arg("-e").arg(folder.join("error.log"));
        nginx.args(["-g", "daemon off; master_process off;"]);
        let door =
            Self { _nginx: Process::start(nginx, &folder.join("nginx.log")).unwrap(), port, http_port };
        waiting::until("nginx", testkit::browser::PATIENCE, async || {
            Ok((door.get("workshop.home.arpa", "/healthz").await.0 == 200).then_some(()))
        })
        .await
        .unwrap();
        door
    }

    /// Status, HTTP version and body; status 0 when there was no answer.
    async fn get(&self, name: &str, path: &str) -> (u16, String, String) {
        let place = format!("{name}:{}:127.0.0.1", self.port);
        let mut curl = tokio::process::Command::new("curl");
        curl.args(["-sk", "--http2", "--resolve", &place, "-w", "\n%{http_code} %{http_version}"]);
        let output = curl.arg(format!("https://{name}:{}{path}", self.port)).output().await.unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let (body, last) = text.rsplit_once('\n').unwrap();
        let (status, version) = last.split_once(' ').unwrap();
        (status.parse().unwrap(), version.to_owned(), body.to_owned())
    }
}

#[tokio::test]
async fn with_tls_each_name_has_its_own_and_no_other_name_gets_an_answer() {
    let workshop =
        WorkshopBuilder::new().with_admin().setting("ATELIER_HTTPS", "true").start().await.unwrap();
    let door = Door::open(&workshop).await;
    let (status, version, page) = door.get("workshop.home.arpa", "/sign-in").await;
    assert_eq!((status, version.as_str()), (200, "2"));
    assert!(page.contains("on your card"));
    let (_, _, dashboard) = door.get("admin.workshop.home.arpa", "/sign-in").await;
    assert!(dashboard.contains("nstructor"), "{dashboard}");
    assert_eq!(door.get("another.home.arpa", "/sign-in").await.0, 0, "a foreign name gets nothing");
    for version in ["-tls1", "-tls1_1"] {
        let at = format!("127.0.0.1:{}", door.port);
        let spoken = Command::new("openssl").args(["s_client", "-connect", &at, version]).output().unwrap();
        assert!(!spoken.status.success(), "{version} is not spoken");
    }
    let plain = client().build().unwrap();
    let moved = plain.get(format!("http://127.0.0.1:{}/user001/?a=b", door.http_port)).send().await.unwrap();
    assert_eq!(moved.status(), StatusCode::MOVED_PERMANENTLY);
    assert_eq!(moved.headers()["location"], format!("https://127.0.0.1:{}/user001/?a=b", door.port));
    let at = std::net::SocketAddr::from(([127, 0, 0, 1], door.port));
    for name in ["workshop.home.arpa", "admin.workshop.home.arpa"] {
        let plain = client().resolve(name, at).build().unwrap();
        let wrong = plain.get(format!("http://{name}:{}/user001/?a=b", door.port)).send().await.unwrap();
        assert_eq!(wrong.status(), StatusCode::MOVED_PERMANENTLY, "plain HTTP on the port of https");
        assert_eq!(wrong.headers()["location"], format!("https://{name}:{}/user001/?a=b", door.port));
    }
    assert!(plain.get(format!("http://127.0.0.1:{}/", door.port)).send().await.is_err(), "nor in plain HTTP");
    let challenge = workshop.data().join("door/acme/.well-known/acme-challenge");
    std::fs::create_dir_all(&challenge).unwrap();
    std::fs::write(challenge.join("token"), "proof").unwrap();
    let url = format!("http://127.0.0.1:{}/.well-known/acme-challenge/token", door.http_port);
    assert_eq!(plain.get(url).send().await.unwrap().text().await.unwrap(), "proof");
}

#[tokio::test]
async fn every_answer_of_nginx_itself_is_in_its_readers_form_and_has_the_headers() {
    let mut workshop = WorkshopBuilder::new().with_nginx().start().await.unwrap();
    let front = workshop.front.clone();
    let ask = async |method: Method, path: &str, accept: &str, body: Vec<u8>| {
        let request = client().build().unwrap().request(method, format!("{front}{path}"));
        request.header("accept", accept).body(body).send().await.unwrap()
    };
    let large = vec![b'x'; 12 * 1024 * 1024];
    for (path, kind) in
        [("/user001/prompt", "application/json"), ("/api/v1/jobs", "application/problem+json")]
    {
        let answer = ask(Method::POST, path, "*/*", large.clone()).await;
        assert_eq!(
            (answer.status().as_u16(), answer.headers()["content-type"].to_str().unwrap()),
            (413, kind)
        );
        for (header, value) in [
            ("x-content-type-options", "nosniff"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(answer.headers()[header], value, "{path}");
        }
        let odd = ask(Method::GET, &format!("{path}/%5cx"), "*/*", Vec::new()).await;
        assert_eq!((odd.status().as_u16(), odd.headers()["content-type"].to_str().unwrap()), (400, kind));
    }
    workshop.queue_manager.kill().await.unwrap();
    let seat: Value = ask(Method::POST, "/user001/prompt", "*/*", Vec::new()).await.json().await.unwrap();
    assert_eq!(seat["error"]["type"], "service_away", "what ComfyUI's frontend shows");
    assert_eq!(seat["node_errors"], serde_json::json!({}));
    let api = ask(Method::GET, "/api/v1/jobs", "*/*", Vec::new()).await;
    assert_eq!((api.status().as_u16(), &api.headers()["retry-after"]), (503, &"2".parse().unwrap()));
    assert_eq!(api.json::<Value>().await.unwrap()["code"], "service_away");
    let page = ask(Method::GET, "/user001/", "text/html,*/*", Vec::new()).await;
    assert_eq!(
        (page.status().as_u16(), page.headers()["content-type"].to_str().unwrap()),
        (503, "text/html; charset=utf-8")
    );
    assert!(page.text().await.unwrap().contains("Your jobs are safe"));
}

/// The status that comes while most of a body is still to come.
async fn status_before_the_body(base: &str, path: &str, authorization: &str) -> String {
    let mut stream = TcpStream::connect(base.trim_start_matches("http://")).await.unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\n{authorization}Content-Type: application/json\r\n\
         Content-Length: 9000000\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&b" ".repeat(40 * 1024)).await.unwrap();
    let mut status = [0; 12];
    stream.read_exact(&mut status).await.unwrap();
    String::from_utf8_lossy(&status[9..]).into_owned()
}

#[tokio::test]
async fn nobody_sends_a_body_before_it_is_asked_who_they_are() {
    let workshop = WorkshopBuilder::new().workers(0).with_nginx().start().await.unwrap();
    let front = &workshop.front;
    for (path, status) in [
        ("/user001/prompt", "401"),
        ("/user001/userdata/a", "401"),
        ("/user001/upload/image", "401"),
        ("/api/v1/jobs", "401"),
        ("/sign-in", "413"),
        ("/join/0", "413"),
        ("/api/v1/session", "413"),
        ("/api/v1/messages", "413"),
    ] {
        let slow = (0..30).map(|_| status_before_the_body(front, path, ""));
        assert_eq!(join_all(slow).await, vec![status; 30], "{path}");
    }
    // Whoever sends all of it hears the same answer, and not that the workshop is away.
    let expired = (0..8).map(|n| {
        let path = if n % 2 == 0 { "/user001/prompt" } else { "/user001/userdata/a" };
        client().build().unwrap().post(format!("{front}{path}")).body(vec![b' '; 9_000_000]).send()
    });
    for answer in join_all(expired).await {
        assert_eq!(answer.unwrap().status(), StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn nothing_of_the_private_listener_is_reached_through_the_door() {
    let workshop = WorkshopBuilder::new().with_nginx().start().await.unwrap();
    for path in [
        "/metrics",
        "/link",
        "/api/v1/link",
        "/worker/link",
        "/object-info/x",
        "/jobs/x/outputs/y",
        "/internal/x",
    ] {
        for base in [&workshop.front, &workshop.direct] {
            let answer = client().build().unwrap().get(format!("{base}{path}")).send().await.unwrap();
            assert!(matches!(answer.status().as_u16(), 401 | 404), "{base}{path}: {}", answer.status());
        }
    }
    let metrics = reqwest::get(format!("{}/metrics", workshop.link)).await.unwrap();
    assert_eq!(metrics.status(), 200, "it is there, on the other listener");
}

#[test]
fn a_certificate_that_browsers_would_refuse_stops_the_start_with_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let (crt, key) = certificate(folder.path(), "30");
    let (crt, key) = (crt.to_str().unwrap(), key.to_str().unwrap());
    openssl(folder.path(), "genpkey -algorithm ED25519 -out other.key");
    let other = folder.path().join("other.key");
    let refused = |settings: &[(&str, &str)], why: &str| {
        let output = render(&folder.path().join("nginx"), settings);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(why), "{why}: {said}");
    };
    let name = ("ATELIER_SERVER_NAME", "workshop.home.arpa");
    refused(&[("ATELIER_TLS_CERTIFICATE", crt)], "needs both");
    refused(&[("ATELIER_TLS_CERTIFICATE", "/nowhere"), ("ATELIER_TLS_KEY", key), name], "cannot be read");
    refused(
        &[("ATELIER_TLS_CERTIFICATE", crt), ("ATELIER_TLS_KEY", other.to_str().unwrap()), name],
        "is not the key of",
    );
    refused(
        &[("ATELIER_TLS_CERTIFICATE", crt), ("ATELIER_TLS_KEY", key), ("ATELIER_SERVER_NAME", "10.0.0.1")],
        "is not for 10.0.0.1",
    );
    refused(&[("ATELIER_TLS_CERTIFICATE", key), ("ATELIER_TLS_KEY", key), name], "is no certificate");
    refused(&[("ATELIER_BIND", "queue-manager:3000")], "ATELIER_RESOLVER");
}

#[tokio::test]
async fn nginx_starts_while_nothing_behind_it_can_be_found() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port().unwrap();
    let rendered = render(
        folder.path(),
        &[
            ("ATELIER_BIND", "queue-manager:3000"),
            ("ATELIER_ADMIN_BIND", "admin:3001"),
            ("ATELIER_RESOLVER", "127.0.0.1:9"),
            ("ATELIER_PORT", &port.to_string()),
            ("ATELIER_ADMIN_PORT", &free_port().unwrap().to_string()),
        ],
    );
    assert!(rendered.status.success(), "{}", String::from_utf8_lossy(&rendered.stderr));
    let mut nginx = tokio::process::Command::new("nginx");
    nginx.arg("-c").arg(folder.path().join("nginx.conf")).arg("-e").arg(folder.path().join("error.log"));
    nginx.args(["-g", "daemon off; master_process off;"]);
    let _nginx = Process::start(nginx, &folder.path().join("nginx.log")).unwrap();
    let url = format!("http://127.0.0.1:{port}/api/v1/queue");
    let status = waiting::until("an answer", testkit::browser::PATIENCE, async || {
        Ok(reqwest::get(&url).await.ok().map(|answer| answer.status()))
    });
    assert_eq!(status.await.unwrap(), StatusCode::SERVICE_UNAVAILABLE);
}
