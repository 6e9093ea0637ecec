//! What a hostile page does to somebody who is signed in, in a real browser: a page of another origin, a page without an
//! origin, and a script in a seat that the instructor opens. Nothing changes.

use std::fmt::Write;

use reqwest::Method;
use serde_json::{Value, json};
use testkit::browser::{Browser, Driver, PATIENCE};
use testkit::process::free_port;
use testkit::{Person, Workshop, WorkshopBuilder, graphs, waiting};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Answers everything with one page.
async fn serve(page: String) -> (u16, DropGuard) {
    let port = free_port().unwrap();
    let listener = TcpListener::bind(("0.0.0.0", port)).await.unwrap();
    let over = CancellationToken::new();
    let serving = async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = vec![0; 8192];
            if stream.read(&mut request).await.is_ok_and(|read| read > 0) {
                let answer = format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{page}",
                    page.len()
                );
                // A browser that went away does not matter.
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        }
    };
    let tracker = tokio_util::task::TaskTracker::new();
    tracker.spawn(over.clone().run_until_cancelled_owned(serving));
    (port, over.drop_guard())
}

/// Everything a page of another site can send to these two addresses, and what it was let read.
fn attacks(seats: &str, admin: &str, job: &str) -> String {
    let graph = json!({"prompt": graphs::white_picture()});
    let submit = json!({"workflow": graphs::white_picture()});
    format!(
        "const seats = '{seats}', admin = '{admin}', job = '{job}', graph = {graph}, submit = {submit}; {}",
        r#"
const seen = [];
const wait = (ms) => new Promise((done) => setTimeout(done, ms));
const post = (url, body, type) => {
  const form = document.createElement('form');
  form.method = 'post'; form.action = url; form.target = 'sink'; if (type) form.enctype = type;
  for (const [name, value] of Object.entries(body)) {
    const field = document.createElement('input');
    field.type = 'hidden'; field.name = name; field.value = value; form.append(field);
  }
  document.body.append(form); form.submit();
};
const tell = async (url, options) => {
  try {
    const answer = await fetch(url, {credentials: 'include', ...options});
    if (answer.type !== 'opaque') seen.push('read ' + url + ' ' + answer.status);
  } catch { }
};
const socket = (url) => new Promise((done) => {
  const it = new WebSocket(url.replace('http', 'ws'));
  it.onopen = () => { seen.push('socket ' + url); done(); };
  it.onerror = it.onclose = done;
});
const attack = async () => {
  for (const name of ['user001', 'instructor']) {
    const seat = seats + '/' + name;
    for (const path of ['/prompt', '/api/prompt']) {
      // As JSON in a plain form: a name and a value around one equals sign.
      const text = JSON.stringify(graph), at = text.length - 1;
      post(seat + path, {[text.slice(0, at) + ', "x": "']: '"}'}, 'text/plain');
      await tell(seat + path, {method: 'POST', mode: 'no-cors', body: JSON.stringify(graph)});
      await tell(seat + path, {method: 'POST', headers: {'content-type': 'application/json'}, body: JSON.stringify(graph)});
    }
    for (const [path, body] of [['/queue', {clear: true}], ['/history', {clear: true}], ['/interrupt', {}], ['/settings', {'Hostile': 1}],
        ['/api/userdata/workflows%2Fhostile.json', {}], ['/jobs/' + job + '/cancel', {}], ['/api/jobs/' + job + '/cancel', {}]]) {
      post(seat + path, {[JSON.stringify(body)]: ''}, 'text/plain');
      await tell(seat + path, {method: 'POST', mode: 'no-cors', body: JSON.stringify(body)});
      await tell(seat + path, {method: 'DELETE'});
    }
    await tell(seat + '/api/jobs'); await tell(seat + '/queue?clear=true'); await socket(seat + '/ws');
  }
  for (const base of [seats, admin]) {
    post(base + '/sign-out', {}); await tell(base + '/sign-out', {method: 'POST', mode: 'no-cors'});
    await tell(base + '/sign-out', {mode: 'no-cors'});
    new Image().src = base + '/sign-out';
  }
  await tell(seats + '/api/v1/jobs', {method: 'POST', mode: 'no-cors', body: JSON.stringify(submit)});
  await tell(seats + '/api/v1/jobs', {method: 'POST', headers: {'content-type': 'application/json'}, body: JSON.stringify(submit)});
  await tell(seats + '/api/v1/jobs/' + job, {method: 'DELETE'});
  await tell(seats + '/api/v1/jobs/' + job + '/cancel', {method: 'POST', mode: 'no-cors'});
  await tell(seats + '/api/v1/queue', {method: 'PATCH', headers: {'content-type': 'application/json'}, body: '{"paused": true}'});
  await tell(seats + '/api/v1/accounts', {method: 'POST', headers: {'content-type': 'application/json'}, body: '{"name": "hostile", "role": "instructor"}'});
  await tell(seats + '/api/v1/account/tokens', {method: 'POST', headers: {'content-type': 'application/json'}, body: '{"scopes": ["read"]}'});
  for (const [path, body] of [['/do/pause', {}], ['/do/mode', {mode: 'priority'}], ['/do/message', {text: 'hostile'}], ['/do/clear', {count: 1}],
      ['/do/caps', {running: 9}], ['/people', {names: 'hostile'}], ['/people/user001/password', {}], ['/job/' + job + '/cancel', {}],
      ['/job/' + job + '/open', {}], ['/person/user001/disable', {}], ['/person/user001/sign-out', {}], ['/cards', {names: 'user001'}]]) {
    post(admin + path, body); await tell(admin + path, {method: 'POST', mode: 'no-cors', body: new URLSearchParams(body)});
  }
  await tell(admin + '/'); await tell(admin + '/people');
  await socket(seats + '/api/v1/feed'); await socket(admin + '/live');
  for (const url of [seats + '/sign-in', seats + '/user001/', admin + '/', admin + '/people']) {
    const frame = document.createElement('iframe'); frame.src = url; document.body.append(frame);
    await new Promise((done) => { frame.onload = done; setTimeout(done, 2000); });
    try { if (frame.contentDocument?.body?.innerText) seen.push('frame ' + url); } catch { }
    const opened = window.open(url, '_blank');
    await wait(300);
    try { if (opened?.document?.body?.innerText) seen.push('window ' + url); } catch { }
    opened?.close();
  }
  await wait(500);
  return seen;
};
"#
    )
}

/// Everything that a hostile page would want to change.
async fn state(workshop: &Workshop, people: &[Person]) -> Value {
    let boss = workshop.person("instructor").unwrap().at(&workshop.direct);
    let mut state = json!({});
    for path in ["/api/v1/jobs", "/api/v1/accounts", "/api/v1/queue", "/api/v1/caps", "/api/v1/messages"] {
        state[path] = boss.json(path).await.unwrap();
    }
    // Who signed in is written there as well, but nothing else happens meanwhile.
    state["audit"] = boss.json("/api/v1/audit").await.unwrap();
    for person in people {
        for path in ["settings", "api/jobs", "v2/userdata"] {
            let path = format!("/{}/{path}", person.name);
            state[&path] = person.at(&workshop.direct).json(&path).await.unwrap();
        }
        let tokens = person.at(&workshop.direct).json("/api/v1/account/tokens").await.unwrap();
        state[format!("tokens of {}", person.name)] = tokens;
    }
    state
}

async fn still_in(browser: &Browser, base: &str, path: &str) {
    browser.page.goto(&format!("{base}{path}")).await.unwrap();
    let at = browser.page.current_url().await.unwrap();
    assert!(!at.path().ends_with("/sign-in"), "{base} signed them out");
}

#[tokio::test]
async fn a_page_of_another_origin_or_of_none_changes_nothing_and_reads_nothing() {
    let workshop = WorkshopBuilder::new().workers(0).with_admin().with_nginx().start().await.unwrap();
    let admin = workshop.admin.clone().unwrap();
    let people = ["user001", "instructor"].map(|name| workshop.person(name).unwrap());
    let job = people[0].submit(&graphs::white_picture()).await.unwrap();
    let script = attacks(&workshop.front, &admin, &job);
    let plain = format!(
        "<!doctype html><title>running</title><body><iframe name=sink></iframe><script>{script}\
         attack().then((seen) => {{ document.title = 'done ' + JSON.stringify(seen); }});</script>"
    );
    let inner = plain
        .replace("document.title = ", "parent.postMessage(")
        .replace("JSON.stringify(seen);", "JSON.stringify(seen), '*');");
    let mut attribute = String::new();
    for c in inner.chars() {
        match c {
            '&' => attribute.push_str("&amp;"),
            '"' => attribute.push_str("&quot;"),
            c => write!(attribute, "{c}").unwrap(),
        }
    }
    let sandboxed = format!(
        "<!doctype html><title>running</title><script>onmessage = (said) => {{ document.title = said.data; }};</script>\
         <iframe sandbox=\"allow-scripts allow-forms allow-popups\" srcdoc=\"{attribute}\"></iframe>"
    );
    let (port, _plain) = serve(plain).await;
    let (sandbox_port, _sandboxed) = serve(sandboxed).await;
    let driver = Driver::start(&workshop.data()).await.unwrap();
    for name in ["user001", "instructor"] {
        let browser = driver.browser(1280, 800).await.unwrap();
        let password = workshop.password(name).unwrap();
        browser.sign_in(&workshop.front, name, password).await.unwrap();
        if name == "instructor" {
            browser.sign_in(&admin, name, password).await.unwrap();
        }
        let before = state(&workshop, &people).await;
        // The same host with another port is the same site: the browser sends the cookies along.
        for page in [
            format!("http://127.0.0.1:{port}/"),
            format!("http://localhost:{port}/"),
            format!("http://127.0.0.1:{sandbox_port}/"),
        ] {
            browser.page.goto(&page).await.unwrap();
            let done = "return document.title.startsWith('done') ? document.title : null;";
            let seen = browser.wait_for("the attack to end", done, vec![]).await.unwrap();
            assert_eq!(seen, json!("done []"), "{page} as {name}");
            assert_eq!(state(&workshop, &people).await, before, "{page} as {name}");
        }
        still_in(&browser, &workshop.front, &format!("/{name}/jobs")).await;
        if name == "instructor" {
            still_in(&browser, &admin, "/people").await;
        }
        browser.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_hostile_script_in_a_seat_that_the_instructor_opens_cannot_act_as_the_instructor() {
    let workshop = WorkshopBuilder::new().with_admin().with_nginx().with_frontend().start().await.unwrap();
    let admin = workshop.admin.clone().unwrap();
    let boss = workshop.person("instructor").unwrap();
    let job = workshop.person("user001").unwrap().submit(&graphs::white_picture()).await.unwrap();
    workshop.person("user001").unwrap().wait_for(&job, "completed").await.unwrap();
    // The script is a custom node's, and was accepted: from there on it runs in every seat.
    let script = format!(
        "{} window.hostile = 'running'; (async () => {{ const frame = document.createElement('iframe'); frame.name = 'sink'; \
         document.body.append(frame); \
         for (const [path, method, body] of [['/api/v1/queue', 'PATCH', {{paused: true}}], ['/api/v1/accounts', 'GET'], \
         ['/api/v1/accounts', 'POST', {{name: 'hostile'}}], ['/api/v1/jobs/' + job, 'GET'], ['/api/v1/audit', 'GET'], ['/api/v1/room', 'GET'], \
         ['/api/v1/tokens', 'POST', {{worker: 'gpu-9'}}], ['/api/v1/account/tokens', 'POST', {{scopes: ['steer', 'read']}}]]) {{ \
           const answer = await fetch(seats + path, {{method, headers: {{'content-type': 'application/json'}}, body: body && JSON.stringify(body)}}); \
           if (answer.ok) seen.push(method + ' ' + path + ' ' + answer.status); \
         }} \
         for (const [path, body] of [['/do/pause', {{}}], ['/do/message', {{text: 'hostile'}}], ['/people/user001/password', {{}}]]) {{ \
           post(admin + path, body); await tell(admin + path, {{method: 'POST', mode: 'no-cors', body: new URLSearchParams(body)}}); }} \
         await tell(admin + '/'); await tell(admin + '/people'); await socket(admin + '/live'); \
         const opened = window.open(admin + '/', '_blank'); await wait(1000); \
         try {{ if (opened?.document?.body?.innerText) seen.push('window'); }} catch {{ }} opened?.close(); \
         window.hostile = 'done ' + JSON.stringify(seen); }})();",
        attacks(&workshop.front, &admin, &job)
    );
    // A script of its own needs no names of its own in the page.
    let mut workshop = workshop;
    workshop.simulate(1, &json!({"badge": format!("(() => {{ {script} }})();")})).await.unwrap();
    workshop.workers[0].kill().await.unwrap();
    workshop.restart_worker(1).unwrap();
    let set = waiting::until("the worker's scripts", PATIENCE, async || {
        let sets = boss.json("/api/v1/browser-files").await?;
        let digest =
            sets["sets"].as_array().filter(|sets| sets.len() == 1).map(|sets| sets[0]["hash"].clone());
        let size = sets["sets"][0]["files"][0]["size"].as_u64().unwrap_or_default();
        Ok(digest.filter(|_| size > 2_000))
    });
    let set = set.await.unwrap();
    let accept = format!("/api/v1/browser-files/{}/accept", set.as_str().unwrap());
    assert_eq!(boss.request(Method::POST, &accept).send().await.unwrap().status(), 204);
    let driver = Driver::start(&workshop.data()).await.unwrap();
    let browser = driver.browser(1280, 800).await.unwrap();
    let password = workshop.password("instructor").unwrap();
    browser.sign_in(&admin, "instructor", password).await.unwrap();
    let before = state(&workshop, &[]).await;
    browser.sign_in(&workshop.front, "instructor", password).await.unwrap();
    let done = "return (window.hostile ?? '').startsWith('done') ? window.hostile : null;";
    let seen = browser.wait_for("the hostile script to end", done, vec![]).await.unwrap();
    assert_eq!(seen, json!("done []"));
    assert_eq!(state(&workshop, &[]).await, before);
    still_in(&browser, &admin, "/people").await;
    browser.close().await.unwrap();
}

#[tokio::test]
async fn what_somebody_uploaded_does_not_run_and_nothing_is_shown_after_signing_out() {
    let workshop = WorkshopBuilder::new().workers(0).with_nginx().start().await.unwrap();
    let ada = workshop.person("user001").unwrap();
    let job = ada.submit(&graphs::white_picture()).await.unwrap();
    let script = "<script>document.title = 'ran'; fetch('/user001/interrupt', {method: 'POST'});</script>";
    let files = [
        ("page.html", format!("<!doctype html><title>no</title>{script}")),
        ("drawing.svg", format!("<svg xmlns='http://www.w3.org/2000/svg'>{script}</svg>")),
        ("picture.png", format!("<!doctype html>{script}")),
        ("page.xhtml", format!("<html xmlns='http://www.w3.org/1999/xhtml'>{script}</html>")),
        (
            "data.xml",
            format!(
                "<x:script xmlns:x='http://www.w3.org/1999/xhtml'>document.title = 'ran'</x:script>{script}"
            ),
        ),
        ("nothing", format!("<!doctype html>{script}")),
    ];
    let driver = Driver::start(&workshop.data()).await.unwrap();
    let browser = driver.browser(1280, 800).await.unwrap();
    browser.sign_in(&workshop.front, "user001", workshop.password("user001").unwrap()).await.unwrap();
    for (name, text) in files {
        let part = reqwest::multipart::Part::bytes(text.clone().into_bytes()).file_name(name);
        let form = reqwest::multipart::Form::new().part("image", part);
        assert_eq!(
            ada.request(Method::POST, "/user001/upload/image").multipart(form).send().await.unwrap().status(),
            200
        );
        let saved = ada.request(Method::POST, &format!("/user001/api/userdata/{name}")).body(text);
        assert_eq!(saved.send().await.unwrap().status(), 200);
        for at in [
            format!("/user001/view?filename={name}&type=input"),
            format!("/user001/api/view?filename={name}&type=input&preview=webp"),
            format!("/user001/api/userdata/{name}"),
        ] {
            // What is a download ends as no page at all.
            drop(browser.page.goto(&format!("{}{at}", workshop.front)).await);
            let title = browser.script("return document.title;", vec![]).await.unwrap();
            assert_ne!(title, json!("ran"), "{at}");
        }
    }
    browser.page.goto(&format!("{}/user001/jobs", workshop.front)).await.unwrap();
    let shown = format!("return document.body.innerHTML.includes('{job}');");
    browser.wait_for("the job on the page", &shown, vec![]).await.unwrap();
    browser
        .page
        .find(fantoccini::Locator::Css("form[action='/sign-out'] button"))
        .await
        .unwrap()
        .click()
        .await
        .unwrap();
    browser.wait_for("the sign-in page", "return location.pathname === '/sign-in';", vec![]).await.unwrap();
    browser.page.back().await.unwrap();
    let settled = "return document.readyState === 'complete' && location.pathname === '/sign-in';";
    browser.wait_for("nothing but the sign-in page", settled, vec![]).await.unwrap();
    assert_eq!(browser.script(&shown, vec![]).await.unwrap(), json!(false), "the back button shows nothing");
    browser.close().await.unwrap();
}
