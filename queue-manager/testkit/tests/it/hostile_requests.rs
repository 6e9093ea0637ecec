//! Requests that no client library would send, through nginx and directly: nobody becomes somebody else, nothing is
//! stored that was refused, and what comes after is answered to whom it belongs.

use std::process::Command;
use std::time::Duration;

use reqwest::{Client, Method};
use serde_json::{Value, json};
use testkit::tab::basic;
use testkit::{Workshop, WorkshopBuilder, graphs, waiting, wire};

fn doors(workshop: &Workshop) -> [&str; 2] {
    [&workshop.front, &workshop.direct]
}

fn authorization(workshop: &Workshop, name: &str) -> String {
    basic(name, workshop.password(name).unwrap()).unwrap()
}

async fn waiting_jobs(workshop: &Workshop) -> u64 {
    let status = reqwest::get(format!("{}/api/queue/status", workshop.direct)).await.unwrap();
    status.json::<Value>().await.unwrap()["pending_jobs"].as_u64().unwrap()
}

async fn who(workshop: &Workshop, base: &str, name: &str) -> String {
    let session = workshop.person(name).unwrap().at(base).json("/api/v1/session").await.unwrap();
    session["name"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_request_within_a_request_is_never_answered_to_somebody_else() {
    let workshop = WorkshopBuilder::new().workers(0).with_nginx().start().await.unwrap();
    let ada = authorization(&workshop, "user001");
    let inner = format!("GET /user002/api/queue HTTP/1.1\r\nHost: localhost\r\nAuthorization: {ada}\r\n\r\n");
    let start = format!("POST /user001/interrupt HTTP/1.1\r\nHost: localhost\r\nAuthorization: {ada}\r\n");
    let smuggled = [
        format!("Content-Length: 0\r\nContent-Length: {}\r\n\r\n{inner}", inner.len()),
        format!("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{inner}"),
        format!("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n{inner}"),
        format!("Transfer-Encoding: xchunked\r\nContent-Length: 0\r\n\r\n{inner}"),
        format!("Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n{inner}"),
        format!("Transfer-Encoding : chunked\r\nContent-Length: {}\r\n\r\n0\r\n\r\n{inner}", inner.len() + 5),
        format!("Transfer-Encoding:\u{b}chunked\r\n\r\n0\r\n\r\n{inner}"),
        format!("Transfer-Encoding: chunked\r\n\r\n0;{}\r\n\r\n{inner}", "x".repeat(40)),
        format!("Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n{inner}"),
        format!("Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n\r\n{inner}"),
        format!("Content-Length: +0\r\n\r\n{inner}"),
        format!("Content-Length: -1\r\n\r\n{inner}"),
        format!("Content-Length: 0,0\r\n\r\n{inner}"),
        format!("Content-Length: 0\r\n X: y\r\n\r\n{inner}"),
        format!("X: y\nContent-Length: 0\r\n\r\n{inner}"),
        format!("X\r: y\r\nContent-Length: 0\r\n\r\n{inner}"),
    ];
    for base in doors(&workshop) {
        for (n, rest) in smuggled.iter().enumerate() {
            let answer = wire::say(base, format!("{start}{rest}").as_bytes()).await.unwrap();
            let statuses = wire::statuses(&answer);
            // Either the whole of it is refused, or two requests that ada may send are answered one after the other.
            let fine = matches!(statuses.as_slice(), [200 | 400 | 411 | 413 | 501] | [200, 400 | 404]);
            assert!(fine, "{base}, number {n} answered {statuses:?}");
            assert_eq!(
                who(&workshop, base, "user002").await,
                "user002",
                "number {n}: the next one is answered"
            );
        }
    }
    let log = workshop.queue_manager.output();
    assert!(!log.contains("panicked"), "{log}");
}

#[tokio::test]
async fn what_a_client_says_about_itself_makes_it_nobody_else() {
    let workshop = WorkshopBuilder::new().workers(0).with_nginx().start().await.unwrap();
    let forged = [
        ("x-user", "instructor"),
        ("x-remote-user", "instructor"),
        ("remote-user", "instructor"),
        ("x-forwarded-user", "instructor"),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-real-ip", "127.0.0.1"),
        ("forwarded", "for=127.0.0.1;host=localhost"),
        ("x-forwarded-host", "evil.example"),
        ("x-original-url", "/user002/api/queue"),
        ("x-rewrite-url", "/api/v1/accounts"),
        ("x-http-method-override", "DELETE"),
        ("x-role", "instructor"),
        ("x-client-cert", "CN=instructor"),
    ];
    let client = Client::new();
    for base in doors(&workshop) {
        for name in [Some("user001"), None] {
            for (path, own, nobodys) in [
                ("/api/v1/session", 200, 401),
                ("/api/v1/accounts", 403, 401),
                ("/user001/api/queue", 200, 401),
                ("/user002/api/queue", 404, 401),
            ] {
                for (header, value) in forged {
                    let mut request = client.get(format!("{base}{path}?user=instructor&user_id=user002"));
                    request = request.header(header, value);
                    if let Some(name) = name {
                        request = request.basic_auth(name, workshop.password(name).ok());
                    }
                    let answer = request.send().await.unwrap();
                    let wanted = if name.is_some() { own } else { nobodys };
                    assert_eq!(answer.status(), wanted, "{base}{path} with {header}");
                    if path.ends_with("session") && name.is_some() {
                        assert_eq!(answer.json::<Value>().await.unwrap()["role"], "participant");
                    }
                }
            }
        }
        let ada = authorization(&workshop, "user001");
        for (line, headers, wanted) in [
            ("GET http://evil.example/user002/api/queue HTTP/1.1", "", &[400, 404][..]),
            ("GET http://localhost/user001/api/queue HTTP/1.1", "", &[200, 400]),
            ("GET /user001/api/queue HTTP/1.1", "Host: evil.example\r\n", &[400]),
            ("GET /user001/api/queue HTTP/1.1", "Authorization: Basic AAAA\r\n", &[200, 400, 401]),
            ("GET /user001/api/queue\tHTTP/1.1", "", &[400]),
            ("GET /user001/api/queue HTTP/1.1 HTTP/1.1", "", &[400]),
            ("GET /user001/api/queue\0 HTTP/1.1", "", &[400]),
            ("CONNECT 127.0.0.1:3443 HTTP/1.1", "", &[400, 401, 404, 405]),
            ("TRACE /user001/api/queue HTTP/1.1", "", &[405]),
            ("OPTIONS * HTTP/1.1", "", &[400, 404, 405]),
        ] {
            let request = format!(
                "{line}\r\nHost: localhost\r\nAuthorization: {ada}\r\n{headers}Connection: close\r\n\r\n"
            );
            let answer = wire::say(base, request.as_bytes()).await.unwrap();
            let statuses = wire::statuses(&answer);
            // One host beside another is what only the first door looks at; the second is told by it.
            let two_hosts = headers.starts_with("Host") && base == workshop.direct;
            let fine =
                statuses.len() == 1 && (wanted.contains(&statuses[0]) || two_hosts && statuses[0] < 500);
            assert!(fine, "{base}: {line:?} {headers:?} answered {statuses:?}");
            assert!(!String::from_utf8_lossy(&answer).contains("Basic AAAA"), "nothing is sent back");
        }
    }
}

#[tokio::test]
async fn headers_beyond_all_measure_are_refused_or_mean_nothing() {
    let workshop = WorkshopBuilder::new().workers(0).with_nginx().start().await.unwrap();
    let ada = authorization(&workshop, "user001");
    let many = (0..500).map(|n| format!("X-{n}: y\r\n")).collect::<Vec<_>>().concat();
    let large = "x".repeat(100 * 1024);
    for base in doors(&workshop) {
        for (what, headers, path) in [
            ("a cookie of 100 KB", format!("Cookie: atelier={large}\r\n"), "/user001/api/queue".to_owned()),
            ("five hundred headers", many.clone(), "/user001/api/queue".to_owned()),
            ("a header of 2 MB", format!("X: {}\r\n", large.repeat(20)), "/user001/api/queue".to_owned()),
            ("a path of 100 KB", String::new(), format!("/user001/{large}")),
            ("a query of 100 KB", String::new(), format!("/user001/api/queue?{large}")),
        ] {
            for credentials in [format!("Authorization: {ada}\r\n"), String::new()] {
                let request = format!(
                    "GET {path} HTTP/1.1\r\nHost: localhost\r\n{credentials}{headers}Connection: close\r\n\r\n"
                );
                let answer = wire::say(base, request.as_bytes()).await.unwrap();
                let statuses = wire::statuses(&answer);
                let allowed: &[u16] = if credentials.is_empty() {
                    &[400, 401, 404, 414, 431]
                } else {
                    &[200, 400, 404, 414, 431]
                };
                assert!(
                    statuses.len() <= 1 && statuses.iter().all(|status| allowed.contains(status)),
                    "{base}: {what} answered {statuses:?}"
                );
                assert!(
                    !String::from_utf8_lossy(&answer).contains("xxxxxxxxxxxxxxxx"),
                    "{what} is not sent back"
                );
            }
        }
        assert_eq!(who(&workshop, base, "user001").await, "user001", "and then it answers as ever");
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_lies_about_its_size_or_is_packed_stores_nothing() {
    let workshop = WorkshopBuilder::new().workers(0).with_nginx().start().await.unwrap();
    let ada = workshop.person("user001").unwrap();
    let authorization = authorization(&workshop, "user001");
    let bomb = bomb(&workshop);
    for base in doors(&workshop) {
        for path in ["/api/v1/jobs", "/user001/prompt"] {
            // Chunked, so that nobody says beforehand how much it is.
            let pieces = (0..800).map(|_| Ok::<_, std::io::Error>(vec![b'['; 64 * 1024]));
            let body = reqwest::Body::wrap_stream(futures_util::stream::iter(pieces));
            let request = ada.at(base).request(Method::POST, path).header("content-type", "application/json");
            if let Ok(answer) = request.body(body).send().await {
                assert_eq!(answer.status(), 413, "{base}{path} without a length");
                assert!(answer.json::<Value>().await.unwrap().to_string().contains("too_large"));
            }
            for encoding in ["gzip", "deflate", "br", "zstd", "gzip, gzip"] {
                let request =
                    ada.at(base).request(Method::POST, path).header("content-type", "application/json");
                let packed =
                    request.header("content-encoding", encoding).body(bomb.clone()).send().await.unwrap();
                assert!(
                    matches!(packed.status().as_u16(), 400 | 413 | 415),
                    "{base}{path}: {}",
                    packed.status()
                );
            }
            for (length, said) in
                [("1", "{\"prompt\": {}}"), ("3000000000", "{}"), ("99999999999999999999999", "{}")]
            {
                let request = format!(
                    "POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {authorization}\r\nConnection: close\r\n\
                     Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{said}"
                );
                let is_whole = length == "1";
                let answer = if is_whole {
                    wire::say_whole(base, request.as_bytes()).await
                } else {
                    wire::say(base, request.as_bytes()).await
                };
                let statuses = wire::statuses(&answer.unwrap());
                // Who says more than comes hears nothing while the rest is awaited, or at once that it is too much.
                assert!(
                    statuses.iter().all(|status| matches!(status, 400 | 413)),
                    "{base}{path} {length}: {statuses:?}"
                );
                assert!(!is_whole || statuses.len() == 1, "{base}{path}: {statuses:?}");
            }
        }
        uploads_that_lie(base, &authorization).await;
    }
    assert_eq!(waiting_jobs(&workshop).await, 0);
    let stored = || {
        let folders = ["files/incoming", "files/inputs"].map(|folder| workshop.data().join(folder));
        folders.into_iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().count()
    };
    // The last one that broke off may just be noticed.
    let limit = Duration::from_secs(20);
    waiting::until("nothing to be stored", limit, async || Ok((stored() == 0).then_some(()))).await.unwrap();
    let body = json!({"prompt": graphs::white_picture()});
    assert_eq!(ada.post("/user001/prompt", &body).await.unwrap().status(), 200);
}

async fn uploads_that_lie(base: &str, authorization: &str) {
    let form = "--b\r\nContent-Disposition: form-data; name=\"image\"; filename=\"x.png\"\r\n\r\n";
    for (length, body) in [
        ("Content-Length: 1".to_owned(), format!("{form}x\r\n--b--\r\n")),
        (format!("Content-Length: {}", form.len() + 1), format!("{form}x")),
        ("Content-Length: 3000000000".to_owned(), form.to_owned()),
        ("Transfer-Encoding: chunked".to_owned(), format!("{:x}\r\n{form}\r\n0\r\n\r\n", form.len())),
        ("Transfer-Encoding: chunked".to_owned(), "5\r\nabcde\r\nzz\r\n".to_owned()),
    ] {
        let request = format!(
            "POST /user001/upload/image HTTP/1.1\r\nHost: localhost\r\nAuthorization: {authorization}\r\nConnection: close\r\n\
             Content-Type: multipart/form-data; boundary=b\r\n{length}\r\n\r\n{body}"
        );
        let statuses = wire::statuses(&wire::say(base, request.as_bytes()).await.unwrap());
        assert!(statuses.iter().all(|status| matches!(status, 400 | 413)), "{base} {length}: {statuses:?}");
    }
}

/// 200 MB of spaces in 200 KB.
fn bomb(workshop: &Workshop) -> Vec<u8> {
    let at = workshop.data().join("bomb");
    std::fs::write(&at, vec![b' '; 50 * 1024 * 1024]).unwrap();
    let packed = Command::new("gzip").arg("-9").arg("-c").arg(&at).output().unwrap();
    assert!(packed.status.success() && packed.stdout.len() < 100 * 1024);
    std::fs::remove_file(at).unwrap();
    packed.stdout.repeat(4)
}
