//! The dashboard as a browser without scripts uses it, and the API as a script does.

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use reqwest::{Client, Method, Response, redirect};
use serde_json::{Value, json};
use testkit::{Workshop, WorkshopBuilder, waiting};

/// A workshop with its dashboard, and the instructor signed in there.
pub struct Dashboard {
    pub workshop: Workshop,
    pub admin: String,
    pub cookie: String,
    client: Client,
}

/// A form's fields as a browser sends them.
pub fn form(fields: &[(&str, &str)]) -> String {
    let encode = |text: &str| -> String {
        text.bytes()
            .map(|byte| {
                if byte.is_ascii_alphanumeric() {
                    char::from(byte).to_string()
                } else {
                    format!("%{byte:02X}")
                }
            })
            .collect()
    };
    let pairs = fields.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value)));
    pairs.collect::<Vec<_>>().join("&")
}

pub const FORM: &str = "application/x-www-form-urlencoded";

/// A page's text and status.
pub struct Page {
    pub status: u16,
    pub to: String,
    pub html: String,
}

impl Dashboard {
    pub async fn open(builder: WorkshopBuilder) -> Self {
        let workshop = builder.with_admin().start().await.unwrap();
        let admin = workshop.admin.clone().unwrap();
        waiting::until("the dashboard", Duration::from_secs(20), async || {
            Ok(reqwest::get(format!("{admin}/healthz")).await?.status().is_success().then_some(()))
        })
        .await
        .unwrap();
        let client = Client::builder().redirect(redirect::Policy::none()).build().unwrap();
        let who = form(&[("name", "instructor"), ("password", workshop.password("instructor").unwrap())]);
        let answer = client.post(format!("{admin}/sign-in")).header(CONTENT_TYPE, FORM).body(who);
        let answer = answer.send().await.unwrap();
        let cookie = answer.headers()[SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned();
        Self { workshop, admin, cookie, client }
    }

    async fn page_of(answer: Response) -> Page {
        let to = answer.headers().get(LOCATION).map_or("", |to| to.to_str().unwrap()).to_owned();
        Page { status: answer.status().as_u16(), to, html: answer.text().await.unwrap() }
    }

    pub async fn get(&self, path: &str) -> Page {
        self.get_as(&self.cookie, path).await
    }

    pub async fn get_as(&self, cookie: &str, path: &str) -> Page {
        let request = self.client.get(format!("{}{path}", self.admin)).header(COOKIE, cookie);
        Self::page_of(request.send().await.unwrap()).await
    }

    /// One header of a page.
    pub async fn header(&self, name: &str, path: &str) -> String {
        let request = self.client.get(format!("{}{path}", self.admin)).header(COOKIE, &self.cookie);
        request.send().await.unwrap().headers()[name].to_str().unwrap().to_owned()
    }

    /// A page as a browser with one more cookie sees it.
    pub async fn client_with(&self, cookie: &str, path: &str) -> String {
        let cookies = format!("{}; {cookie}", self.cookie);
        let request = self.client.get(format!("{}{path}", self.admin)).header(COOKIE, cookies);
        request.send().await.unwrap().text().await.unwrap()
    }

    /// A form as a browser without scripts sends it.
    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Page {
        self.post_as(&self.cookie, path, fields).await
    }

    /// A form as the page's script sends it: the JSON it is answered.
    pub async fn act(&self, path: &str, fields: &[(&str, &str)]) -> Value {
        let request = self.client.post(format!("{}{path}", self.admin)).header(COOKIE, &self.cookie);
        let request = request.header("origin", &self.admin).header("accept", "application/json");
        let answer = request.header(CONTENT_TYPE, FORM).body(form(fields)).send().await.unwrap();
        answer.json().await.unwrap()
    }

    pub async fn post_as(&self, cookie: &str, path: &str, fields: &[(&str, &str)]) -> Page {
        let request = self.client.post(format!("{}{path}", self.admin)).header(COOKIE, cookie);
        let request = request.header("origin", &self.admin).header(CONTENT_TYPE, FORM).body(form(fields));
        Self::page_of(request.send().await.unwrap()).await
    }

    /// The API with somebody's name and password.
    pub async fn call(&self, who: &str, method: Method, path: &str, body: Value) -> (u16, Value) {
        let url = format!("{}/api/v1{path}", self.workshop.direct);
        let request = self.client.request(method, url).basic_auth(who, self.workshop.password(who).ok());
        let request = if body.is_null() { request } else { request.json(&body) };
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    }

    pub async fn ask(&self, path: &str) -> Value {
        let (status, answer) = self.call("instructor", Method::GET, path, Value::Null).await;
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    /// The token of a session of somebody.
    pub async fn token(&self, who: &str) -> String {
        let session = json!({"name": who, "password": self.workshop.password(who).unwrap()});
        let (_, signed_in) = self.call(who, Method::POST, "/session", session).await;
        signed_in["token"].as_str().unwrap().to_owned()
    }

    /// The last deed of the audit log: what, to whom.
    pub async fn last_deed(&self) -> (String, String) {
        let log = self.ask("/audit?limit=1").await;
        let text = |name: &str| log["entries"][0][name].as_str().unwrap_or_default().to_owned();
        (text("what"), text("target"))
    }

    /// A job that waits, of somebody.
    pub async fn submit(&self, who: &str) -> String {
        let body = json!({"workflow": testkit::graphs::white_picture()});
        let (status, job) = self.call(who, Method::POST, "/jobs", body).await;
        assert_eq!(status, 201, "{job}");
        job["id"].as_str().unwrap().to_owned()
    }
}
